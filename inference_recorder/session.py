"""One use of a recorder: decides what happens to a call, keeps what came of it, and counts."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path

from .engine.attempt_series import SeriesBook
from .engine.call_log import Ledger
from .engine.captures import Captures
from .engine.decisions import Exchange, Outcome, Plan, Record, Wait
from .engine.failure_rule import is_recorded
from .engine.kept_ids import WithKeptIds
from .engine.run_log import RunLedger
from .engine.series import Row
from .errors import LockNotAvailable, UnusableFolder
from .modes import InferenceMode
from .recording.codec import encode
from .recording.model_lists import model_list_name
from .recording.recording import Answer, Failure, Recording
from .recording.usage import Usage
from .redaction.recordings import Hidden
from .redaction.requests import KeyRules
from .request.jsonable import JsonObject
from .request.request import Request
from .storage.directories import check_writable
from .storage.locks import Flight, Patience, is_flying
from .storage.store import Store, row_name
from .tasks import is_interruption, running_task, runs_an_event_loop
from .test_run import running_node_id, running_test_id, surroundings

# An enumeration's members are looked up slowly, and decide() runs for every call.
_RECORD, _RECORD_IF_MISSING, _REPLAY = InferenceMode.RECORD, InferenceMode.RECORD_IF_MISSING, InferenceMode.REPLAY

_LONGEST_PAUSE_SECONDS = 0.05


@cache
def import_for_writing() -> None:
    """Import what storing an answer needs: while something is imported, a stream may be collected, and so stored."""
    from .recording import texts  # noqa: F401
    from .storage import rollback  # noqa: F401


class Session:
    """What `with inference_recording(...)` yields.

    Ask it for `counts`, `replayed`, `recorded`, `missed`, `dropped`, `passed`, `requests` and `usage`.
    """

    def __init__(
        self,
        mode: InferenceMode,
        store: Store,
        *,
        test_id: str | None = None,
        is_shared: bool = False,
        record_errors: bool | None = None,
        rules: KeyRules | None = None,
    ) -> None:
        self.mode = mode
        self.is_live = mode is InferenceMode.LIVE
        self.store = store
        self.is_open = True
        self._test_id = running_test_id if test_id is None and not is_shared else lambda: test_id
        self._rules = rules or KeyRules()
        self._record_errors = record_errors
        self._has_own_id = is_shared or test_id is not None
        self._part = f"{mode} {store.places.written}"
        self._book = SeriesBook()
        """Where its calls are counted that are made outside test attempts."""
        self._counts_on = False
        run = surroundings()
        self._run: RunLedger = RunLedger() if run is None else run.ledger
        self._ledger = Ledger(store, mode.value)
        self.captures = Captures(store, self._write, drops=self._drops, end=self._end, land=self._land_plan)

    @property
    def counts(self) -> Counter[Outcome]:
        """How many calls were replayed, recorded, missed, dropped and passed; what never happened is left out."""
        self.captures.store_put_off()
        return self._ledger.counts()

    @property
    def replayed(self) -> tuple[Exchange, ...]:
        """The calls answered from a recording, in their order."""
        return self._ledger.exchanges("replayed")

    @property
    def recorded(self) -> tuple[Exchange, ...]:
        """The calls whose answer was stored, in the order of storing."""
        self.captures.store_put_off()
        return self._ledger.exchanges("recorded")

    @property
    def missed(self) -> tuple[Exchange, ...]:
        """The calls that raised MissingRecording, whether or not the code under test let it through."""
        return self._ledger.exchanges("missed")

    @property
    def dropped(self) -> tuple[Exchange, ...]:
        """The calls that failed and were not recorded; `explanation` and `failure` say how they failed."""
        self.captures.store_put_off()
        return self._ledger.exchanges("dropped")

    @property
    def passed(self) -> tuple[Exchange, ...]:
        """The calls that went out without being recorded."""
        return self._ledger.exchanges("passed")

    @property
    def requests(self) -> tuple[Request, ...]:
        """What was asked, in its order, each as its key saw it, without secrets; calls that passed are left out."""
        return self._ledger.requests(self._rules)

    @property
    def usage(self) -> dict[str, Usage]:
        """Return the tokens that the answers replayed and recorded so far say were used, by the model asked for.

        Reads their recordings; raises CorruptRecording where one is gone or cannot be read.
        """
        self.captures.store_put_off()
        return self._ledger.usage()

    def current_test_id(self) -> str | None:
        """Return the test id of a call that is made now, without secrets."""
        return self._rules.scope(self._test_id())

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in self._ledger.counts().items()) or "no calls yet"
        return f"<inference_recorder.Session {self.mode} in {self.store.places.written}: {counts}>"

    def decide(self, request: Request, before_miss: Callable[[], None] | None = None) -> Plan:
        """Return what is to be done with a call: answer it, let it go out and record it, or wait. Not for live mode.

        Raises MissingRecording in replay where no recording answers, CorruptRecording where one cannot be read. What
        `before_miss` raises is raised in the place of the former, and then there was no miss.
        """
        __tracebackhide__ = True
        mode = self.mode
        run = surroundings()
        book = self._book if run is None else run.book or self._book
        if mode is not _REPLAY:
            self._rules.refreshed()
            self.captures.store_put_off(running_task())
            self._run.refresh()
            if self._run.ids:
                request = request.renamed(self._run.known_ids(book.ids))
        named = self._test_id()
        test_id = self._rules.scope(named, request.credential)
        asked, key = self._rules.keyed(request, test_id)
        with book.guard:
            row = book.rows.get((self._part, key))
            if row is None:
                row = book.rows[self._part, key] = self._new_row(key, named, book)
            if mode is _RECORD_IF_MISSING or (row.is_wide and mode is _RECORD):
                return self._find_or_wait(request, key, test_id, row)
            place = row.next_place()
        if mode is _RECORD:
            row.is_own = True
            return self._record(request, key, test_id, row, place, None)
        recording = row.find(self.store, request, test_id, place, self._rules, may_grow=False)
        if recording is not None:
            return self._counted(recording, request, key, test_id)
        self._rules.refreshed()
        scope = self._rules.scope(self._test_id(), request.credential)
        if self._rules.keyed(request, scope)[1] != key:  # a secret was put into the environment since
            row.asked -= 1
            return self.decide(request, before_miss)
        if before_miss is not None:
            try:
                before_miss()
            except BaseException:
                row.asked -= 1
                raise
        # Here, since only a miss has to pay for them.
        from .diagnosis.miss import missing_recording
        from .diagnosis.nearest import Question

        asked = asked._replace(body=asked.frozen_body(), credential=None)
        rules, names = self._rules, self._rules.variables_in(request)
        question = Question(asked, key, test_id, place, rules.normalizers, rules.written, names)
        node_id = rules.scope(running_node_id(), request.credential)
        # No name for what it is without the environment's secrets: pytest may show this frame.
        error = missing_recording(question, self.store.places, node_id, rules.without_environment(request))
        self._ledger.missed(asked, key, test_id, str(error))
        raise error

    def _new_row(self, key: str, test_id: str | None, book: SeriesBook) -> Row:
        run = surroundings()
        is_wide = run is not None and run.is_wide(test_id, self._has_own_id)
        # What is shared under another id than the fixture's own is not the fixture's alone.
        is_kept = run is not None and is_wide and test_id == run.test_id and self.mode is _RECORD and run.is_kept()
        return Row(key, book.guard, is_wide, is_kept, own_ids=book.ids, sibling=partial(self._folded_row, book))

    def _folded_row(self, book: SeriesBook, key: str) -> Row:
        """Return the row of a key that folds different requests together."""
        with book.guard:
            return book.rows.setdefault((self._part, key), Row(key, book.guard))

    def _find_or_wait(self, request: Request, key: str, test_id: str | None, row: Row) -> Plan:
        if row.flying is not None and self.mode is _RECORD_IF_MISSING and not is_flying(running_task()):
            # Asked again before the first answer is there: both get that one. Asked again later is a new question, as a
            # loop that polls asks it.
            return Wait(request, key, test_id, row, row.flying)
        row.asked += 1
        recording = self._found(request, test_id, row, row.asked)
        if recording is not None:
            return self._counted(recording, request, key, test_id)
        try:
            check_writable(self.store.places, request.summary)
        except UnusableFolder:
            row.asked -= 1
            raise
        row.flying = row.asked
        return self.decide_again(Wait(request, key, test_id, row, row.asked))

    def _found(self, request: Request, test_id: str | None, row: Row, place: int) -> Recording | None:
        """Return what answers a call while recording; of a wide row that is recorded again, only what this run did."""
        folder = self.store.places.written
        if row.is_wide and self.mode is _RECORD and not row.is_kept:
            row.is_own = True
            if not self._run.has(folder, row.key, place):
                return None
        elif row.is_wide:
            row.is_own = self._run.has(folder, row.key, 1)
        ids = self._run.new_ids
        recording = row.find(self.store, request, test_id, place, self._rules, may_grow=True, ids=ids)
        if recording is not None and row.is_kept and not row.is_own and (run := surroundings()) is not None:
            run.answered_from_kept(test_id)
        return recording

    def decide_again(self, wait: Wait, *, may_wait: bool = True) -> Plan:
        """Return what is to be done with a call that had no recording a moment ago.

        Whoever has a flight of its own under way does not wait for another's, and nobody waits for ever: such a call
        goes out too. Raises UnusableFolder where no lock can be made.
        """
        request, key, row = wait.request, wait.key, wait.row
        holder = running_task()
        try:
            flight = self.store.locks.try_flight(row_name(key, wait.place), holder)
        except OSError as error:
            self._land(row, wait.place, None)
            raise UnusableFolder(self.store.places.written, f"no lock can be made there ({error.strerror})") from error
        if flight is None and may_wait and not is_flying(holder) and time.monotonic() < wait.until:
            wait.pause_seconds = min(wait.pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
            return wait
        try:
            self._run.refresh()
            recording = self._found(request, wait.test_id, row, wait.place)
        except BaseException:
            self._land(row, wait.place, flight)
            raise
        if recording is not None:
            self._land(row, wait.place, flight)
            return self._counted(recording, request, key, wait.test_id)
        with row.guard:
            row.is_own = True
            row.flying = wait.place
            row.asked = max(row.asked, wait.place)  # whoever gave this place up gave its number back
        return self._record(request, key, wait.test_id, row, wait.place, flight)

    def is_held_up_by_this_thread(self, wait: Wait) -> bool:
        """Whether waiting without `await` would wait for ever: the one who asks needs this thread's event loop."""
        return runs_an_event_loop() and self.store.locks.is_under_way_here(row_name(wait.key, wait.place))

    def abandon(self, plan: Record) -> None:
        """Give up on a call that came to nothing that can be stored. Its place in the row goes to the next."""
        with plan.row.guard:
            if plan.is_over:
                return
            plan.is_over = True
            plan.row.give_back(plan.place)
        self.captures.forget(plan)
        self._end(plan)

    def note_passed(self, endpoint: str, model: str = "") -> None:
        """Count a call that went out without being recorded."""
        self._ledger.passed(endpoint, model)

    def count_on_in(self, around: Iterable[Session]) -> None:
        """Count calls outside test attempts on from those of the nearest session around with the same mode and files.

        Otherwise the inner one would begin at the first place again, and record over what the outer one has recorded.
        """
        outer = next((session for session in around if session.is_open and session._part == self._part), None)
        if outer is not None:
            self._book, self._counts_on = outer._book, True

    def close(self, left_by: BaseException | None = None) -> None:
        """Wait for what is being stored, and finish the rows that no test attempt counts on in.

        `left_by` is what its block was left by: where that is an interruption, streams that are still open replace
        nothing; whatever it is, rows keep what the block did not come to.
        Raises the first error of storing that no caller could be told of.
        """
        self.is_open, patience = False, Patience()
        unsaved = self.captures.close(patience, is_interrupted=is_interruption(left_by))
        if not self._counts_on:
            unsaved += self._book.finish(patience, is_cut=left_by is None)
        self.store.sync()
        if unsaved:
            raise unsaved[0]

    def _write(self, plan: Record, answer: Answer, *, wait: bool = True, patience: Patience | None = None) -> bool:
        hidden, request = self._hidden(plan)
        answer = hidden.answer(answer)
        content = encode(plan.test_id, request, answer)
        is_model_list, attachment = plan.request.is_model_list, answer.attachment
        name = model_list_name(plan.key, answer) if is_model_list else row_name(plan.key, plan.place)
        if plan.closed_as is not None and (self.store.written(name) or b"") != plan.closed_as:
            return True  # what the end of the session had stored was replaced or taken away since
        superseded = self.store.other_outcomes(plan.key, name) if is_model_list else ()
        if (run := surroundings()) is not None:
            for each in (name, *superseded):
                run.about_to_record(self, plan, each)
        kept = WithKeptIds(plan, self._run, content, hidden.is_clean)
        is_kept, warning = not plan.may_replace and self.store.holds(name), None
        path: Path | None = self.store.path_of(name)
        try:
            if not is_kept:
                path = self.store.write(
                    name, kept.content, attachment=attachment, wait=wait, patience=patience, revised=kept.revised,
                    may_replace=plan.may_replace,
                )  # fmt: skip
        except LockNotAvailable as error:  # in place all the same
            warning = error
        # After the new file is there, so that a crash leaves at least one of them.
        if path is None or not (is_kept or self.store.remove_all(superseded, patience, wait=wait)):
            return False
        row = plan.row
        if row.is_wide and not is_kept:
            row.note = self._run.note_recording
            self._run.note_answer(plan, self.store.places.written, kept.content)
        if not is_model_list:
            row.stored |= {plan.place}
            row.store, row.writer, row.is_replaced = self.store, os.getpid(), self.mode is _RECORD
        if not is_kept and not plan.is_counted:
            plan.is_counted = True
            self._ledger.recorded(plan, path, request, answer.failure or plan.event_failure)
        if warning is not None:
            raise warning
        return True

    def _hidden(self, plan: Record) -> tuple[Hidden, JsonObject]:
        """Return what hides the secrets of a call, and its recording's "request" object without them."""
        self._rules.refreshed()  # the call itself may have put its key into the environment
        hidden = Hidden(self._rules.redactor_of(plan.request), plan.request.credential, plan.sent)
        return hidden, self._rules.with_version(hidden.request(self._rules.as_recorded(plan.request, plan.body)))

    def _drops(self, plan: Record, failure: Failure) -> bool:
        """Return whether a failure is not to be recorded; then it is remembered, and its place goes to the next."""
        if is_recorded(failure, self._record_errors):
            return False
        with plan.row.guard:
            plan.row.has_dropped = True
            self._run.has_dropped = self._run.has_dropped or plan.row.is_wide
            plan.row.give_back(plan.place)
        hidden, request = self._hidden(plan)
        self._ledger.dropped(plan, request, hidden.answer(Answer(failure=failure)).failure or failure)
        return True

    def _counted(self, recording: Recording, request: Request, key: str, test_id: str | None) -> Recording:
        self._ledger.replayed(request, key, test_id, recording.path)
        return recording

    def _record(
        self, request: Request, key: str, test_id: str | None, row: Row, place: int, flight: Flight | None
    ) -> Record:
        self.store.locks.prepare()
        import_for_writing()
        plan = Record(request, request.frozen_body(), key, test_id, row, place, flight)
        with row.guard:
            row.pending += (plan,)
        self._ledger.asked(plan)
        return plan

    def _end(self, plan: Record) -> None:
        with plan.row.guard:
            plan.row.pending = tuple(other for other in plan.row.pending if other is not plan)
        self._land_plan(plan)

    def _land_plan(self, plan: Record) -> None:
        self._land(plan.row, plan.place, plan.flight)

    def _land(self, row: Row, place: int, flight: Flight | None) -> None:
        if row.flying == place:
            row.flying = None
        if flight is not None:
            flight.land()
