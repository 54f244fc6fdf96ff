"""Stores the answers of one session, each exactly once, however its call ends."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

from ..recording.answer import Answer
from ..recording.layout import recording_name
from ..storage.locks import Patience
from ..storage.store import Store
from ..tasks import is_interrupted_here, running_task
from .answer_writer import AnswerWriter
from .capture_state import Phase, Streaming
from .decisions import Record


class Captures:
    """The calls that are being recorded and those whose answer is being stored."""

    def __init__(self, store: Store, writer: AnswerWriter) -> None:
        self._store = store
        self._writer = writer
        self._guard = threading.RLock()
        """Never held while something is stored. Reentrant: garbage collection may store a stream anywhere."""
        self._is_closed = False
        """Guarded by `_guard`."""
        self._unfinished: set[Record] = set()
        """Guarded by `_guard`."""
        self._put_off: dict[Record, object] = {}
        """Streams that were collected as garbage, and the task or thread they were lost in: see `puts_off`.

        Guarded by `_guard`.
        """
        self._saving: list[threading.Thread] = []
        """Guarded by `_guard`."""
        self._unsaved: list[Exception] = []
        """Guarded by `_guard`."""

    def save(self, decision: Record, answer: Answer, *, wait: bool = True, patience: Patience | None = None) -> bool:
        """Store the answer of a call, once, unless it is a failure that is not to be recorded.

        Returns False, with nothing stored, if `wait` is False and a lock is held or another thread is storing it.
        Raises UnwritableRecording or UnrecordableValue; the call is over then too.
        """
        state = decision.state
        if not state.storing.acquire(blocking=wait):
            return False
        try:
            # This thread may come here again if it collects the stream as garbage while storing it.
            if state.phase is not Phase.OPEN:
                return True
            state.phase, state.reader = Phase.STORING, os.getpid()
            self._expect(decision)  # so that `close` waits for it
            is_locked = False
            try:
                failure = state.failure_in(answer)
                is_dropped = failure is not None and self._writer.drops(decision, failure)
                is_locked = not is_dropped and not self._writer.write(decision, answer, wait=wait, patience=patience)
                return not is_locked
            finally:
                state.phase = Phase.OPEN if is_locked else Phase.OVER
                if not is_locked:
                    self._end(decision)
        finally:
            state.storing.release()

    def abandon(self, decision: Record) -> None:
        """Give up a call whose answer cannot be stored. Its position goes to the next call."""
        with decision.state.storing:
            if decision.state.phase is not Phase.OPEN:
                return
            decision.state.phase = Phase.OVER
            with decision.series.guard:
                decision.series.give_back(decision.state.position)
            self._end(decision)

    def _end(self, decision: Record) -> None:
        with self._guard:
            self._unfinished.discard(decision)
        with decision.series.guard:
            decision.series.end(decision)

    def _expect(self, decision: Record) -> None:
        with self._guard:
            self._unfinished.add(decision)

    def expect(self, decision: Record, so_far: Callable[[], Answer]) -> None:
        """Remember a stream that is being read.

        If it is still open when the session closes, what has arrived is stored then, and all of it at its end.
        """
        decision.state.arrived, decision.state.reader = Streaming(so_far), os.getpid()
        decision.state.consumer.reads()
        self._expect(decision)

    def expect_final(self, decision: Record, answer: Answer) -> None:
        """Remember the whole answer, which is stored soon; whatever stores it earlier stores the same."""
        if not decision.state.is_over:
            decision.state.arrived, decision.state.reader = answer, os.getpid()
            self._expect(decision)

    def puts_off(self, decision: Record, *, is_collected: bool) -> bool:
        """Return whether a stream that its consumer left is stored only at the next call or at the session's end.

        Frames that an exception unwinds lose their streams, which are collected before anybody can see the exception.
        An interruption must not replace a recording, and whether it is one is known by then.
        """
        state = decision.state
        if state.final is not None:
            return False
        state.is_interrupted = state.is_interrupted or state.consumer.was_cancelled or is_interrupted_here()
        # An HTTP library closes its response when its own generator is collected.
        is_collected = is_collected or isinstance(sys.exc_info()[1], GeneratorExit)
        if not is_collected or state.is_interrupted or decision.in_flight is not None:
            return False
        if not self._store.holds(recording_name(decision.key, state.position)):
            return False
        with self._guard:
            if self._is_closed:
                return False
            # asyncio closes a collected generator in a task of its own, after its consumer's.
            self._put_off.setdefault(decision, running_task())
        return True

    def store_put_off(self, task: object = None) -> None:
        """Store the collected streams of one task or thread, or of all."""
        if not self._put_off:  # without the lock, since every call comes here; one added just now is stored later
            return
        with self._guard:
            decisions = [each for each, lost_in in self._put_off.items() if task is None or lost_in == task]
            for decision in decisions:
                del self._put_off[decision]
        for decision in decisions:
            decision.state.is_interrupted = decision.state.is_interrupted or is_interrupted_here()
            answer = answer_so_far(decision)
            try:
                if not self.save(decision, answer, wait=False):
                    self.save_later(decision, answer)
            except Exception as error:
                self.raise_at_close(error)

    def save_later(self, decision: Record, answer: Answer) -> None:
        """Store an answer in a thread of its own, for callers that must not wait; `close` waits for the thread."""
        thread = threading.Thread(target=self._save_in_thread, args=(decision, answer), name="inference_recorder-save")
        with self._guard:
            self._saving.append(thread)
            thread.start()

    def _save_in_thread(self, decision: Record, answer: Answer) -> None:
        try:
            self.save(decision, answer)
        except Exception as error:
            self.raise_at_close(error)

    def raise_at_close(self, error: Exception) -> None:
        """Let `close` raise an error of storing that no caller gets."""
        with self._guard:
            self._unsaved.append(error)

    def discard_error(self, error: Exception) -> None:
        """Keep `close` from raising an error that a caller got."""
        with self._guard:
            if error in self._unsaved:
                self._unsaved.remove(error)

    def close(self, patience: Patience, *, is_interrupted: bool) -> list[Exception]:
        """Wait for what is being stored and store what has arrived of open streams; return the errors.

        After an interruption those streams replace nothing, now or later.
        """
        with self._guard:
            self._is_closed = True
            self._put_off.clear()  # they are unfinished too
        while (thread := self._next_saving()) is not None:
            thread.join()
        with self._guard:
            unfinished = [decision for decision in self._unfinished if decision.state.reader == os.getpid()]
        for decision in unfinished:
            decision.state.is_interrupted = decision.state.is_interrupted or is_interrupted
            try:
                self._store_unfinished(decision, patience)
            except Exception as error:  # the others are to be stored all the same
                self.raise_at_close(error)
            finally:
                with decision.series.guard:
                    decision.series.release(decision.state.position, decision.in_flight)
        with self._guard:
            return self._unsaved.copy()

    def _next_saving(self) -> threading.Thread | None:
        with self._guard:
            return self._saving.pop() if self._saving else None

    def _store_unfinished(self, decision: Record, patience: Patience) -> None:
        state = decision.state
        with state.storing:  # a thread may be storing it
            if state.is_over:
                return
            answer = state.so_far
            if answer is None:
                return
            if state.final is not None or state.failure_in(answer) is not None:
                self.save(decision, answer, patience=patience)
                return
            state.phase = Phase.STORING
            try:
                self._writer.write(decision, answer, patience=patience)
            finally:
                state.phase = Phase.OPEN
                state.closed_as = self._store.written(recording_name(decision.key, state.position)) or b""


def answer_so_far(decision: Record) -> Answer:
    """Return the whole answer, or as much of a stream as has arrived."""
    answer = decision.state.so_far
    if answer is None:
        raise ValueError("nothing has arrived of this answer")
    return answer
