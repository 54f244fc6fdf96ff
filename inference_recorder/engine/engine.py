"""Decides what happens to a request and stores the answer; one engine for each session."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path

from ..errors import LockNotAvailable, UnusableDirectory
from ..modes import InferenceMode
from ..recording.codec import encode
from ..recording.model_lists import model_list_name
from ..recording.recording import Answer, Failure, Recording
from ..redaction.recordings import RecordingRedactor
from ..redaction.requests import RequestRules
from ..request.jsonable import JsonObject
from ..request.request import Request
from ..storage.directories import check_writable
from ..storage.locks import InFlight, Patience, has_in_flight
from ..storage.store import Store, recording_name
from ..tasks import is_interruption, running_task, runs_an_event_loop
from ..test_run import current_test_run, running_node_id, running_test_id
from .attempt_series import AttemptSeries
from .call_log import CallLog
from .captures import Captures
from .decisions import Decision, Record, Replay, Wait
from .failure_rule import is_recorded
from .kept_ids import WithKeptIds
from .run_log import RunLog
from .series import Series

# An enumeration's members are looked up slowly, and decide() runs for every call.
_RECORD, _RECORD_IF_MISSING, _REPLAY = InferenceMode.RECORD, InferenceMode.RECORD_IF_MISSING, InferenceMode.REPLAY

_LONGEST_PAUSE_SECONDS = 0.05


@cache
def import_for_writing() -> None:
    """Import what storing an answer needs: while something is imported, a stream may be collected, and so stored."""
    from ..recording import texts  # noqa: F401
    from ..storage import rollback  # noqa: F401


class Engine:
    """Decides about the calls of one session and stores what they come to."""

    def __init__(
        self,
        mode: InferenceMode,
        store: Store,
        *,
        test_id: str | None = None,
        is_shared: bool = False,
        record_errors: bool | None = None,
        rules: RequestRules | None = None,
    ) -> None:
        self.mode = mode
        self.is_live = mode is InferenceMode.LIVE
        self.store = store
        self.is_open = True
        self._test_id = running_test_id if test_id is None and not is_shared else lambda: test_id
        self._rules = rules or RequestRules()
        self._record_errors = record_errors
        self._has_own_id = is_shared or test_id is not None
        self._part = f"{mode} {store.directories.written}"
        self._attempt_series = AttemptSeries()
        """Where its calls are counted that are made outside test attempts."""
        self._counts_on = False
        run = current_test_run()
        self._run: RunLog = RunLog() if run is None else run.call_log
        self.call_log = CallLog(store, mode.value)
        self.captures = Captures(store, self._write, drops=self._drops, end=self._end, release=self._release_decision)

    def requests(self) -> tuple[Request, ...]:
        """Return the requests so far, in order and without secrets; raises CorruptRecording."""
        return self.call_log.requests(self._rules)

    def current_test_id(self) -> str | None:
        """Return the test id of a call that is made now, without secrets."""
        return self._rules.scope(self._test_id())

    def decide(self, request: Request, before_miss: Callable[[], None] | None = None) -> Decision:
        """Return what is to be done with a call: answer it, let it go out and record it, or wait. Not for live mode.

        Raises MissingRecording in replay where no recording answers, CorruptRecording where one cannot be read. What
        `before_miss` raises is raised in the place of the former, and then there was no miss.
        """
        __tracebackhide__ = True
        mode = self.mode
        run = current_test_run()
        attempt_series = self._attempt_series if run is None else run.attempt_series or self._attempt_series
        if mode is not _REPLAY:
            self._rules.refreshed()
            self.captures.store_put_off(running_task())
            self._run.refresh()
            if self._run.ids:
                request = request.renamed(self._run.known_ids(attempt_series.ids))
        named = self._test_id()
        test_id = self._rules.scope(named, request.credential)
        asked, key = self._rules.keyed(request, test_id)
        with attempt_series.guard:
            series = attempt_series.series.get((self._part, key))
            if series is None:
                series = attempt_series.series[self._part, key] = self._new_series(key, named, attempt_series)
            if mode is _RECORD_IF_MISSING or (series.is_wide and mode is _RECORD):
                return self._find_or_wait(request, key, test_id, series)
            position = series.next_position()
        if mode is _RECORD:
            series.is_own = True
            return self._record(request, key, test_id, series, position, None)
        recording = series.find(self.store, request, test_id, position, self._rules, may_grow=False)
        if recording is not None:
            return self._replay(recording, request, key, test_id)
        self._rules.refreshed()
        scope = self._rules.scope(self._test_id(), request.credential)
        if self._rules.keyed(request, scope)[1] != key:  # a secret was put into the environment since
            series.asked -= 1
            return self.decide(request, before_miss)
        if before_miss is not None:
            try:
                before_miss()
            except BaseException:
                series.asked -= 1
                raise
        # Here, since only a miss has to pay for them.
        from ..diagnosis.miss import missing_recording
        from ..diagnosis.nearest import Question

        asked = asked._replace(body=asked.frozen_body(), credential=None)
        rules, names = self._rules, self._rules.variables_in(request)
        question = Question(asked, key, test_id, position, rules.normalizers, rules.written, names)
        node_id = rules.scope(running_node_id(), request.credential)
        # No name for what it is without the environment's secrets: pytest may show this frame.
        error = missing_recording(question, self.store.directories, node_id, rules.without_environment(request))
        self.call_log.missed(asked, key, test_id, str(error))
        raise error

    def _new_series(self, key: str, test_id: str | None, attempt_series: AttemptSeries) -> Series:
        run = current_test_run()
        is_wide = run is not None and run.is_wide(test_id, self._has_own_id)
        # What is shared under another id than the fixture's own is not the fixture's alone.
        is_kept = run is not None and is_wide and test_id == run.test_id and self.mode is _RECORD and run.is_kept()
        return Series(
            key,
            attempt_series.guard,
            is_wide,
            is_kept,
            own_ids=attempt_series.ids,
            sibling=partial(self._folded_series, attempt_series),
        )

    def _folded_series(self, attempt_series: AttemptSeries, key: str) -> Series:
        """Return the row of a key that folds different requests together."""
        with attempt_series.guard:
            return attempt_series.series.setdefault((self._part, key), Series(key, attempt_series.guard))

    def _find_or_wait(self, request: Request, key: str, test_id: str | None, series: Series) -> Decision:
        if (
            series.in_flight_position is not None
            and self.mode is _RECORD_IF_MISSING
            and not has_in_flight(running_task())
        ):
            # Asked again before the first answer is there: both get that one. Asked again later is a new question, as a
            # loop that polls asks it.
            return Wait(request, key, test_id, series, series.in_flight_position)
        series.asked += 1
        recording = self._found(request, test_id, series, series.asked)
        if recording is not None:
            return self._replay(recording, request, key, test_id)
        try:
            check_writable(self.store.directories, request.summary)
        except UnusableDirectory:
            series.asked -= 1
            raise
        series.in_flight_position = series.asked
        return self.decide_again(Wait(request, key, test_id, series, series.asked))

    def _found(self, request: Request, test_id: str | None, series: Series, position: int) -> Recording | None:
        """Return what answers a call while recording; of a wide row that is recorded again, only what this run did."""
        directory = self.store.directories.written
        if series.is_wide and self.mode is _RECORD and not series.is_kept:
            series.is_own = True
            if not self._run.has(directory, series.key, position):
                return None
        elif series.is_wide:
            series.is_own = self._run.has(directory, series.key, 1)
        ids = self._run.new_ids
        recording = series.find(self.store, request, test_id, position, self._rules, may_grow=True, ids=ids)
        if recording is not None and series.is_kept and not series.is_own and (run := current_test_run()) is not None:
            run.answered_from_kept(test_id)
        return recording

    def decide_again(self, wait: Wait, *, may_wait: bool = True) -> Decision:
        """Return what is to be done with a call that had no recording a moment ago.

        Whoever has a flight of its own under way does not wait for another's, and nobody waits for ever: such a call
        goes out too. Raises UnusableDirectory where no lock can be made.
        """
        request, key, series = wait.request, wait.key, wait.series
        holder = running_task()
        try:
            in_flight = self.store.locks.try_in_flight(recording_name(key, wait.position), holder)
        except OSError as error:
            self._release(series, wait.position, None)
            raise UnusableDirectory(
                self.store.directories.written, f"no lock can be made there ({error.strerror})"
            ) from error
        if in_flight is None and may_wait and not has_in_flight(holder) and time.monotonic() < wait.until:
            wait.pause_seconds = min(wait.pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
            return wait
        try:
            self._run.refresh()
            recording = self._found(request, wait.test_id, series, wait.position)
        except BaseException:
            self._release(series, wait.position, in_flight)
            raise
        if recording is not None:
            self._release(series, wait.position, in_flight)
            return self._replay(recording, request, key, wait.test_id)
        with series.guard:
            series.is_own = True
            series.in_flight_position = wait.position
            series.asked = max(series.asked, wait.position)  # whoever gave this place up gave its number back
        return self._record(request, key, wait.test_id, series, wait.position, in_flight)

    def is_held_up_by_this_thread(self, wait: Wait) -> bool:
        """Whether waiting without `await` would wait for ever: the one who asks needs this thread's event loop."""
        return runs_an_event_loop() and self.store.locks.is_under_way_here(recording_name(wait.key, wait.position))

    def abandon(self, decision: Record) -> None:
        """Give up on a call that came to nothing that can be stored. Its place in the row goes to the next."""
        with decision.series.guard:
            if decision.is_over:
                return
            decision.is_over = True
            decision.series.give_back(decision.position)
        self.captures.forget(decision)
        self._end(decision)

    def note_live(self, endpoint: str, model: str = "") -> None:
        """Count a call that went out without being recorded."""
        self.call_log.live(endpoint, model)

    def count_on_in(self, around: Iterable[Engine]) -> None:
        """Count calls outside test attempts on from those of the nearest session around with the same mode and files.

        Otherwise the inner one would begin at the first place again, and record over what the outer one has recorded.
        """
        outer = next((engine for engine in around if engine.is_open and engine._part == self._part), None)
        if outer is not None:
            self._attempt_series, self._counts_on = outer._attempt_series, True

    def close(self, left_by: BaseException | None = None) -> None:
        """Wait for what is being stored, and finish the rows that no test attempt counts on in.

        `left_by` is what its block was left by: where that is an interruption, streams that are still open replace
        nothing; whatever it is, rows keep what the block did not come to.
        Raises the first error of storing that no caller could be told of.
        """
        self.is_open, patience = False, Patience()
        unsaved = self.captures.close(patience, is_interrupted=is_interruption(left_by))
        if not self._counts_on:
            unsaved += self._attempt_series.finish(patience, is_cut=left_by is None)
        self.store.sync()
        if unsaved:
            raise unsaved[0]

    def _write(self, decision: Record, answer: Answer, *, wait: bool = True, patience: Patience | None = None) -> bool:
        hidden, request = self._hidden(decision)
        answer = hidden.answer(answer)
        content = encode(decision.test_id, request, answer)
        is_model_list, attachment = decision.request.is_model_list, answer.attachment
        name = (
            model_list_name(decision.key, answer) if is_model_list else recording_name(decision.key, decision.position)
        )
        if decision.closed_as is not None and (self.store.written(name) or b"") != decision.closed_as:
            return True  # what the end of the session had stored was replaced or taken away since
        superseded = self.store.other_outcomes(decision.key, name) if is_model_list else ()
        if (run := current_test_run()) is not None:
            for each in (name, *superseded):
                run.about_to_record(self.store, decision, each)
        kept = WithKeptIds(decision, self._run, content, hidden.is_clean)
        is_kept, warning = not decision.may_replace and self.store.holds(name), None
        path: Path | None = self.store.path_of(name)
        try:
            if not is_kept:
                path = self.store.write(
                    name, kept.content, attachment=attachment, wait=wait, patience=patience, revised=kept.revised,
                    may_replace=decision.may_replace,
                )  # fmt: skip
        except LockNotAvailable as error:  # in place all the same
            warning = error
        # After the new file is there, so that a crash leaves at least one of them.
        if path is None or not (is_kept or self.store.remove_all(superseded, patience, wait=wait)):
            return False
        series = decision.series
        if series.is_wide and not is_kept:
            series.note = self._run.note_recording
            self._run.note_answer(decision, self.store.directories.written, kept.content)
        if not is_model_list:
            series.stored |= {decision.position}
            series.store, series.writer, series.is_replaced = self.store, os.getpid(), self.mode is _RECORD
        if not is_kept and not decision.is_counted:
            decision.is_counted = True
            self.call_log.recorded(decision, path, request, answer.failure or decision.event_failure)
        if warning is not None:
            raise warning
        return True

    def _hidden(self, decision: Record) -> tuple[RecordingRedactor, JsonObject]:
        """Return what hides the secrets of a call, and its recording's "request" object without them."""
        self._rules.refreshed()  # the call itself may have put its key into the environment
        hidden = RecordingRedactor(
            self._rules.redactor_of(decision.request), decision.request.credential, decision.sent
        )
        return hidden, self._rules.with_version(
            hidden.request(self._rules.as_recorded(decision.request, decision.body))
        )

    def _drops(self, decision: Record, failure: Failure) -> bool:
        """Return whether a failure is not to be recorded; then it is remembered, and its place goes to the next."""
        if is_recorded(failure, self._record_errors):
            return False
        with decision.series.guard:
            decision.series.has_dropped = True
            self._run.has_dropped = self._run.has_dropped or decision.series.is_wide
            decision.series.give_back(decision.position)
        hidden, request = self._hidden(decision)
        self.call_log.dropped(decision, request, hidden.answer(Answer(failure=failure)).failure or failure)
        return True

    def _replay(self, recording: Recording, request: Request, key: str, test_id: str | None) -> Replay:
        self.call_log.replayed(request, key, test_id, recording.path)
        return Replay(recording)

    def _record(
        self, request: Request, key: str, test_id: str | None, series: Series, position: int, in_flight: InFlight | None
    ) -> Record:
        self.store.locks.prepare()
        import_for_writing()
        decision = Record(request, request.frozen_body(), key, test_id, series, position, in_flight)
        with series.guard:
            series.pending += (decision,)
        self.call_log.asked(decision)
        return decision

    def _end(self, decision: Record) -> None:
        with decision.series.guard:
            decision.series.pending = tuple(other for other in decision.series.pending if other is not decision)
        self._release_decision(decision)

    def _release_decision(self, decision: Record) -> None:
        self._release(decision.series, decision.position, decision.in_flight)

    def _release(self, series: Series, position: int, in_flight: InFlight | None) -> None:
        if series.in_flight_position == position:
            series.in_flight_position = None
        if in_flight is not None:
            in_flight.release()
