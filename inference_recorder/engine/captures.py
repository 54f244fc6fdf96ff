"""The answers of one session on their way to their files: each stored exactly once, however its call ends."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from ..recording.recording import Answer, Failure
from ..storage.locks import Patience
from ..storage.store import Store, row_name
from ..tasks import is_interrupted_here, running_task
from .decisions import Record


class Write(Protocol):
    """Writes the recording of an answer; returns False, with nothing written, where it was not to wait for a lock."""

    def __call__(
        self, plan: Record, answer: Answer, /, *, wait: bool = True, patience: Patience | None = None
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
        land: Callable[[Record], None],
    ) -> None:
        self._store = store
        self._write = write
        self._drops = drops
        self._end = end
        self._land = land
        self._is_closed = False
        self._unfinished: set[Record] = set()
        self._put_off: dict[Record, object] = {}
        """Streams that were dropped, and the task or thread in which: see `puts_off`."""
        self._saving: list[threading.Thread] = []
        self._unsaved: list[Exception] = []

    def save(self, plan: Record, answer: Answer, *, wait: bool = True, patience: Patience | None = None) -> bool:
        """Store what a call came to, once, unless it is a failure that is not to be recorded.

        False, with nothing stored, where `wait` is False and a lock is taken, or another thread stores it now.
        Raises UnwritableRecording or UnrecordableValue; the plan is over then too.
        """
        if not plan.storing.acquire(blocking=wait):
            return False
        try:
            # Its own thread may come here again, where it collects the stream as garbage in the middle of this.
            if plan.is_over or plan.is_being_stored:
                return True
            plan.is_being_stored, plan.reader = True, os.getpid()
            self._unfinished.add(plan)  # so that `close` waits for it
            is_locked = False
            try:
                failure = answer.failure or plan.event_failure
                is_dropped = failure is not None and self._drops(plan, failure)
                is_locked = not is_dropped and not self._write(plan, answer, wait=wait, patience=patience)
                return not is_locked
            finally:
                plan.is_being_stored, plan.is_over = False, not is_locked
                if plan.is_over:
                    self._unfinished.discard(plan)
                    self._end(plan)
        finally:
            plan.storing.release()

    def expect(self, plan: Record, so_far: Callable[[], Answer]) -> None:
        """Remember a stream being read: one still open when the session closes is stored then, and again at its end."""
        plan.so_far, plan.reader = so_far, os.getpid()
        plan.consumer.reads()
        self._unfinished.add(plan)

    def expect_final(self, plan: Record, answer: Answer) -> None:
        """Remember what a call came to, which is stored soon; if something stores it earlier, it stores the same."""
        if not plan.is_over:
            plan.final, plan.reader = answer, os.getpid()
            self._unfinished.add(plan)

    def puts_off(self, plan: Record, *, is_dropped: bool) -> bool:
        """Return whether a stream that is left is to be stored only at the next call or at the session's end.

        Frames that an exception unwinds drop their streams before anybody can see the exception. An interruption must
        not replace what is there, and whether it is one is known by then.
        """
        if plan.final is not None:
            return False
        plan.is_interrupted = plan.is_interrupted or plan.consumer.was_cancelled or is_interrupted_here()
        # An HTTP library closes its response where its own generator is dropped.
        is_dropped = is_dropped or isinstance(sys.exc_info()[1], GeneratorExit)
        if not is_dropped or plan.is_interrupted or self._is_closed or plan.flight is not None:
            return False
        if not self._store.holds(row_name(plan.key, plan.place)):
            return False
        self._put_off[plan] = running_task()
        return True

    def store_put_off(self, task: object = None) -> None:
        """Store what the streams came to that were dropped, in one task or thread or in all."""
        if not self._put_off:
            return
        for plan, dropped_in in tuple(self._put_off.items()):
            if task is not None and dropped_in != task:
                continue
            self._put_off.pop(plan, None)
            plan.is_interrupted = plan.is_interrupted or is_interrupted_here()
            heard = heard_of(plan)
            try:
                if not self.save(plan, heard, wait=False):
                    self.save_later(plan, heard)
            except Exception as error:
                self.tell_at_close(error)

    def save_later(self, plan: Record, answer: Answer) -> None:
        """Store what a call came to in a thread of its own; `close` waits for it. For those who may not wait."""
        thread = threading.Thread(target=self._save_aside, args=(plan, answer), name="inference_recorder-save")
        self._saving.append(thread)
        thread.start()

    def _save_aside(self, plan: Record, answer: Answer) -> None:
        try:
            self.save(plan, answer)
        except Exception as error:
            self.tell_at_close(error)

    def tell_at_close(self, error: Exception) -> None:
        """Have `close` raise an error of storing that nobody would hear of where it happened."""
        self._unsaved.append(error)

    def heard_of_error(self, error: Exception) -> None:
        """Have `close` not raise an error that a caller got."""
        if error in self._unsaved:
            self._unsaved.remove(error)

    def forget(self, plan: Record) -> None:
        """Expect nothing more of a call that was given up."""
        self._unfinished.discard(plan)

    def close(self, patience: Patience, *, is_interrupted: bool) -> list[Exception]:
        """Wait for what is being stored, and store what there is of open streams; returns what went wrong.

        After an interruption, those streams replace nothing, now or later.
        """
        self._is_closed = True
        self._put_off.clear()  # they are unfinished too
        while self._saving:
            self._saving.pop().join()
        for plan in [plan for plan in tuple(self._unfinished) if plan.reader == os.getpid()]:
            plan.is_interrupted = plan.is_interrupted or is_interrupted
            try:
                self._store_unfinished(plan, patience)
            except Exception as error:  # the others are to be stored all the same
                self._unsaved.append(error)
            finally:
                self._land(plan)
        return self._unsaved

    def _store_unfinished(self, plan: Record, patience: Patience) -> None:
        with plan.storing:  # a thread may be storing it
            if plan.is_over:
                return
            heard = plan.final
            if heard is None and plan.so_far is not None:
                heard = plan.so_far()
            failure = plan.event_failure if heard is None else heard.failure or plan.event_failure
            if heard is not None and (plan.final is not None or failure is not None):
                self.save(plan, heard, patience=patience)
            elif heard is not None:
                plan.is_being_stored = True
                try:
                    self._write(plan, heard, patience=patience)
                finally:
                    plan.is_being_stored = False
                    plan.closed_as = self._store.written(row_name(plan.key, plan.place)) or b""


def heard_of(plan: Record) -> Answer:
    """Return what a call came to: all of it, or what there is of a stream so far."""
    if plan.final is not None:
        return plan.final
    if plan.so_far is None:
        raise ValueError("nothing was heard of this call")
    return plan.so_far()
