"""The answers of one session on their way to their files: each stored exactly once, however its call ends."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from ..recording.recording import Answer, Failure
from ..storage.locks import Patience
from ..storage.store import Store, recording_name
from ..tasks import is_interrupted_here, running_task
from .decisions import Record


class Write(Protocol):
    """Writes the recording of an answer; returns False, with nothing written, where it was not to wait for a lock."""

    def __call__(
        self, decision: Record, answer: Answer, /, *, wait: bool = True, patience: Patience | None = None
    ) -> bool: ...


class Captures:
    """The calls that are being recorded and those whose answer is being stored."""

    def __init__(
        self,
        store: Store,
        write: Write,
        *,
        drops: Callable[[Record, Failure], bool],
        end: Callable[[Record], None],
        release: Callable[[Record], None],
    ) -> None:
        self._store = store
        self._write = write
        self._drops = drops
        self._end = end
        self._release = release
        self._is_closed = False
        self._unfinished: set[Record] = set()
        self._put_off: dict[Record, object] = {}
        """Streams that were dropped, and the task or thread in which: see `puts_off`."""
        self._saving: list[threading.Thread] = []
        self._unsaved: list[Exception] = []

    def save(self, decision: Record, answer: Answer, *, wait: bool = True, patience: Patience | None = None) -> bool:
        """Store what a call came to, once, unless it is a failure that is not to be recorded.

        False, with nothing stored, where `wait` is False and a lock is taken, or another thread stores it now.
        Raises UnwritableRecording or UnrecordableValue; the plan is over then too.
        """
        if not decision.storing.acquire(blocking=wait):
            return False
        try:
            # Its own thread may come here again, where it collects the stream as garbage in the middle of this.
            if decision.is_over or decision.is_being_stored:
                return True
            decision.is_being_stored, decision.reader = True, os.getpid()
            self._unfinished.add(decision)  # so that `close` waits for it
            is_locked = False
            try:
                failure = answer.failure or decision.event_failure
                is_dropped = failure is not None and self._drops(decision, failure)
                is_locked = not is_dropped and not self._write(decision, answer, wait=wait, patience=patience)
                return not is_locked
            finally:
                decision.is_being_stored, decision.is_over = False, not is_locked
                if decision.is_over:
                    self._unfinished.discard(decision)
                    self._end(decision)
        finally:
            decision.storing.release()

    def expect(self, decision: Record, so_far: Callable[[], Answer]) -> None:
        """Remember a stream being read: one still open when the session closes is stored then, and again at its end."""
        decision.so_far, decision.reader = so_far, os.getpid()
        decision.consumer.reads()
        self._unfinished.add(decision)

    def expect_final(self, decision: Record, answer: Answer) -> None:
        """Remember what a call came to, which is stored soon; if something stores it earlier, it stores the same."""
        if not decision.is_over:
            decision.final, decision.reader = answer, os.getpid()
            self._unfinished.add(decision)

    def puts_off(self, decision: Record, *, is_dropped: bool) -> bool:
        """Return whether a stream that is left is to be stored only at the next call or at the session's end.

        Frames that an exception unwinds drop their streams before anybody can see the exception. An interruption must
        not replace what is there, and whether it is one is known by then.
        """
        if decision.final is not None:
            return False
        decision.is_interrupted = decision.is_interrupted or decision.consumer.was_cancelled or is_interrupted_here()
        # An HTTP library closes its response where its own generator is dropped.
        is_dropped = is_dropped or isinstance(sys.exc_info()[1], GeneratorExit)
        if not is_dropped or decision.is_interrupted or self._is_closed or decision.in_flight is not None:
            return False
        if not self._store.holds(recording_name(decision.key, decision.position)):
            return False
        self._put_off[decision] = running_task()
        return True

    def store_put_off(self, task: object = None) -> None:
        """Store what the streams came to that were dropped, in one task or thread or in all."""
        if not self._put_off:
            return
        for decision, dropped_in in tuple(self._put_off.items()):
            if task is not None and dropped_in != task:
                continue
            self._put_off.pop(decision, None)
            decision.is_interrupted = decision.is_interrupted or is_interrupted_here()
            answer = answer_so_far(decision)
            try:
                if not self.save(decision, answer, wait=False):
                    self.save_later(decision, answer)
            except Exception as error:
                self.raise_at_close(error)

    def save_later(self, decision: Record, answer: Answer) -> None:
        """Store what a call came to in a thread of its own; `close` waits for it. For those who may not wait."""
        thread = threading.Thread(target=self._save_in_thread, args=(decision, answer), name="inference_recorder-save")
        self._saving.append(thread)
        thread.start()

    def _save_in_thread(self, decision: Record, answer: Answer) -> None:
        try:
            self.save(decision, answer)
        except Exception as error:
            self.raise_at_close(error)

    def raise_at_close(self, error: Exception) -> None:
        """Have `close` raise an error of storing that nobody would hear of where it happened."""
        self._unsaved.append(error)

    def discard_error(self, error: Exception) -> None:
        """Have `close` not raise an error that a caller got."""
        if error in self._unsaved:
            self._unsaved.remove(error)

    def forget(self, decision: Record) -> None:
        """Expect nothing more of a call that was given up."""
        self._unfinished.discard(decision)

    def close(self, patience: Patience, *, is_interrupted: bool) -> list[Exception]:
        """Wait for what is being stored, and store what there is of open streams; returns what went wrong.

        After an interruption, those streams replace nothing, now or later.
        """
        self._is_closed = True
        self._put_off.clear()  # they are unfinished too
        while self._saving:
            self._saving.pop().join()
        for decision in [decision for decision in tuple(self._unfinished) if decision.reader == os.getpid()]:
            decision.is_interrupted = decision.is_interrupted or is_interrupted
            try:
                self._store_unfinished(decision, patience)
            except Exception as error:  # the others are to be stored all the same
                self._unsaved.append(error)
            finally:
                self._release(decision)
        return self._unsaved

    def _store_unfinished(self, decision: Record, patience: Patience) -> None:
        with decision.storing:  # a thread may be storing it
            if decision.is_over:
                return
            answer = decision.final
            if answer is None and decision.so_far is not None:
                answer = decision.so_far()
            failure = decision.event_failure if answer is None else answer.failure or decision.event_failure
            if answer is not None and (decision.final is not None or failure is not None):
                self.save(decision, answer, patience=patience)
            elif answer is not None:
                decision.is_being_stored = True
                try:
                    self._write(decision, answer, patience=patience)
                finally:
                    decision.is_being_stored = False
                    decision.closed_as = self._store.written(recording_name(decision.key, decision.position)) or b""


def answer_so_far(decision: Record) -> Answer:
    """Return what a call came to: all of it, or what there is of a stream so far."""
    if decision.final is not None:
        return decision.final
    if decision.so_far is None:
        raise ValueError("nothing was heard of this call")
    return decision.so_far()
