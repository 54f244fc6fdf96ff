"""Decides what happens to a request. One engine belongs to each session; it knows no SDK."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..errors import MissingRecording, UnusableDirectory
from ..modes import InferenceMode
from ..recording.answer import Recording
from ..recording.layout import recording_name
from ..request.request import Request
from ..storage.directories import check_writable
from ..storage.locks import InFlight, has_in_flight
from ..tasks import running_task, runs_an_event_loop
from .answer_writer import import_for_writing
from .attempt_series import AttemptSeries
from .capture_state import CaptureState
from .decisions import Decision, Live, Record, Replay, Wait
from .parts import EngineParts
from .series import Series

# An enumeration's members are looked up slowly, and decide() runs for every call.
_RECORD, _RECORD_IF_MISSING, _REPLAY = InferenceMode.RECORD, InferenceMode.RECORD_IF_MISSING, InferenceMode.REPLAY

_LONGEST_PAUSE_SECONDS = 0.05


class Engine(EngineParts):
    """Decides about the calls of one session and stores their answers."""

    def decide(self, request: Request, before_miss: Callable[[], None] | None = None) -> Decision:
        """Return what to do with a call that is not live.

        Raises CorruptRecording if a recording cannot be read, and in replay MissingRecording if none answers. What
        `before_miss` raises is raised instead of the latter, and then there was no miss.
        """
        __tracebackhide__ = True
        if (origin := self.call_log.origin) is not None and origin.lets_out(request.summary):
            return Live()
        mode, attempt_series = self.mode, self.attempt_series
        self.call_log.urls.add(request.url)
        if mode is not _REPLAY:
            request = self._prepared(request, attempt_series)
        unredacted_test_id = self.unredacted_test_id()
        test_id = self.rules.scope(self.ids.of(unredacted_test_id), request.credential)
        keyed_request, key = self.rules.keyed(request, test_id)
        with attempt_series.guard:
            series = attempt_series.get(self.mode_and_directory, key)
            if series is None:
                series = self._new_series(attempt_series, key, unredacted_test_id)
            if mode is _RECORD_IF_MISSING or (series.is_wide and mode is _RECORD):
                return self._find_or_wait(request, key, test_id, series)
            position = series.next_position()
            if mode is _RECORD:
                series.is_own = True
                return self._record(request, key, test_id, series, position, None)
            recording = self.lookup.find(series, request, test_id, position, may_grow=False)
            if recording is not None:
                return self._replay(recording, request, series, test_id)
            series.position -= 1  # this call gets no answer
        if self._has_other_key(request, key):  # a secret was put into the environment since
            return self.decide(request, before_miss)
        if before_miss is not None:
            before_miss()
        raise self._miss(keyed_request, request, key, test_id, position)

    def _prepared(self, request: Request, attempt_series: AttemptSeries) -> Request:
        """Return a request that may be recorded with the ids that recordings have, and do what must precede it."""
        self.rules.refresh()
        self.store_put_off(running_task())
        self._run_log.refresh()
        self.store.locks.prepare()
        import_for_writing()
        ids = self._run_log.known_ids(attempt_series.ids()) if self._run_log.ids else {}
        return request.renamed(ids) if ids else request

    def _new_series(self, attempt_series: AttemptSeries, key: str, test_id: str | None) -> Series:
        test_run = self.test_run
        is_wide = test_run.is_wide(test_id, self.has_own_id)
        # What is shared under another id than the fixture's own is not the fixture's alone.
        is_kept = is_wide and test_id == test_run.test_id and self.mode is _RECORD and test_run.is_kept()
        return attempt_series.added(self.mode_and_directory, key, is_wide=is_wide, is_kept=is_kept)

    def _has_other_key(self, request: Request, key: str) -> bool:
        """Return whether secrets in the environment have changed the key of a request."""
        self.rules.refresh()
        test_id = self.rules.scope(self.ids.of(self.unredacted_test_id()), request.credential)
        return self.rules.keyed(request, test_id)[1] != key

    def _miss(
        self, keyed_request: Request, request: Request, key: str, test_id: str | None, position: int
    ) -> MissingRecording:
        # Imported here, since only a miss has to pay for them.
        from ..diagnosis.question import Question
        from .misses import missing_recording

        keyed_request = keyed_request._replace(body=keyed_request.frozen_body(), credential=None, call_options=None)
        is_shared = self.has_own_id and self.given_test_id is None
        question = Question(keyed_request, key, test_id, position, is_shared=is_shared)
        error = missing_recording(question, request, self.rules, self.test_run, self.store.directories)
        self.call_log.missed(keyed_request, key, test_id, error)
        return error

    def _find_or_wait(self, request: Request, key: str, test_id: str | None, series: Series) -> Decision:
        """Decide about a call that a recording may answer or another worker may be making. Hold the series' guard."""
        __tracebackhide__ = True
        if (
            series.in_flight_position is not None
            and self.mode is _RECORD_IF_MISSING
            and not has_in_flight(running_task())
        ):
            # Two calls before the first answer is there both get that answer. A later call asks for a further one, as
            # a loop that polls does.
            return Wait(request, key, test_id, series, series.in_flight_position)
        series.advance()
        recording = self._find(request, test_id, series, series.position)
        if recording is not None:
            return self._replay(recording, request, series, test_id)
        try:
            check_writable(self.store.directories, request.summary)
        except UnusableDirectory:
            series.position -= 1
            raise
        series.in_flight_position = series.position
        return self.decide_again(Wait(request, key, test_id, series, series.position))

    def _find(self, request: Request, test_id: str | None, series: Series, position: int) -> Recording | None:
        """Return what answers a call while recording. Hold the series' guard.

        A wide series that is recorded again answers only with what this run recorded.
        """
        __tracebackhide__ = True
        if self._is_fetched_again(request):
            return None
        directory = self.store.directories.written
        if series.is_wide and self.mode is _RECORD and not series.is_kept:
            series.is_own = True
            if not self._run_log.has(directory, series.key, position):
                return None
        elif series.is_wide:
            series.is_own = self._run_log.has(directory, series.key, 1)
        recording = self.lookup.find(series, request, test_id, position, may_grow=True, ids=self._run_log.new_ids)
        if recording is not None and series.is_kept and not series.is_own:
            self.test_run.answered_from_kept(test_id)
        return recording

    def decide_again(self, wait: Wait, *, may_wait: bool = True) -> Decision:
        """Return what to do with a call that had no recording a moment ago.

        A worker with a call in flight does not wait for another one, and nobody waits forever: such a call is made
        too. Raises UnusableDirectory if no lock can be made.
        """
        series, position, holder = wait.series, wait.position, running_task()
        try:
            in_flight = self.store.locks.try_in_flight(recording_name(wait.key, position), holder)
        except OSError as error:
            self._release(series, position, None)
            reason = f"no lock can be made there ({error.strerror})"
            raise UnusableDirectory(self.store.directories.written, reason) from error
        if in_flight is None and may_wait and not has_in_flight(holder) and time.monotonic() < wait.until:
            wait.pause_seconds = min(wait.pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
            return wait
        try:
            self._run_log.refresh()
            with series.guard:
                recording = self._find(wait.request, wait.test_id, series, position)
        except BaseException:
            self._release(series, position, in_flight)
            raise
        with series.guard:
            if recording is not None:
                series.release(position, in_flight)
                return self._replay(recording, wait.request, series, wait.test_id)
            series.is_own = True
            series.in_flight_position = position
            series.position = max(series.position, position)  # a call that gave it up may have lowered it
            return self._record(wait.request, wait.key, wait.test_id, series, position, in_flight)

    def is_held_up_by_this_thread(self, wait: Wait) -> bool:
        """Return whether waiting without `await` would block: the call in flight needs this thread's event loop."""
        return runs_an_event_loop() and self.store.locks.is_in_flight_here(recording_name(wait.key, wait.position))

    def _replay(self, recording: Recording, request: Request, series: Series, test_id: str | None) -> Replay:
        """Log a replay and return the decision for it. Hold the series' guard."""
        if series.path != recording.path:
            series.path = recording.path
        self.call_log.replayed(request, series.key, test_id, series.path)
        return Replay(recording)

    def _record(
        self, request: Request, key: str, test_id: str | None, series: Series, position: int, in_flight: InFlight | None
    ) -> Record:
        """Return the decision to record a call. Hold the series' guard."""
        number, state = self.call_log.next_number(), CaptureState(position)
        if self._is_fetched_again(request):
            state.known_lists = self.lookup.lists_by_name(key, request, test_id)
        decision = Record(request, request.frozen_body(), key, test_id, series, in_flight, state, number)
        series.pending += (decision,)
        series.is_replaced = self.mode is _RECORD
        self.call_log.made(decision)
        return decision

    def _is_fetched_again(self, request: Request) -> bool:
        """Return whether record-if-missing asks for a recorded list of models again, as llama-stack's recorder does."""
        return request.is_model_list and self.mode is _RECORD_IF_MISSING and self.rules.is_llama_stacks

    def _release(self, series: Series, position: int, in_flight: InFlight | None) -> None:
        with series.guard:
            series.release(position, in_flight)
