"""One use of a recorder: decides what happens to a call, keeps what came of it, and counts."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from .errors import UnusableFolder
from .format.codec import encode
from .format.model_lists import model_set_digest, models_in
from .format.recording import Answer, Recording
from .format.redacting import Hidden
from .format.usage import Usage
from .holders import running_task, runs_an_event_loop
from .identity.jsonable import JsonObject, JsonValue
from .identity.key_rules import KeyRules
from .identity.request import Request
from .kept_ids import WithKeptIds
from .ledger import Ledger
from .modes import InferenceMode
from .plans import Exchange, Outcome, Plan, Record, Wait
from .rows import Row
from .run_ledger import RunLedger
from .running_test import running_node_id, running_test_id, surroundings
from .series import SeriesBook
from .storage.locks import Flight, is_flying
from .storage.store import Store, row_name

# An enumeration's members are looked up slowly, and decide() runs for every call.
_RECORD, _RECORD_IF_MISSING, _REPLAY = InferenceMode.RECORD, InferenceMode.RECORD_IF_MISSING, InferenceMode.REPLAY

TRANSIENT_STATUS_CODES = frozenset({408, 409, 429})
_LONGEST_PAUSE_SECONDS = 0.05


class Session:
    """What `with inference_recording(...)` yields.

    Ask it for `counts`, `replayed`, `recorded`, `missed`, `passed`, `requests` and `usage`.
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
        self._keeps_transient_errors = mode is InferenceMode.RECORD if record_errors is None else record_errors
        self._keeps_errors = record_errors is not False
        self._has_own_id = is_shared or test_id is not None
        self._part = f"{mode} {store.places.written}"
        self._book = SeriesBook()
        """Where its calls are counted that are made outside test attempts."""
        run = surroundings()
        self._run: RunLedger = RunLedger() if run is None else run.ledger
        self._ledger = Ledger(store.places.written)
        self._saving: list[threading.Thread] = []
        self._unsaved: list[Exception] = []
        self._unfinished: set[Record] = set()

    @property
    def counts(self) -> Counter[Outcome]:
        """How many calls were replayed, recorded, missed and passed; what never happened is left out."""
        return self._ledger.counts()

    @property
    def replayed(self) -> tuple[Exchange, ...]:
        """The calls answered from a recording, in their order."""
        return self._ledger.exchanges("replayed")

    @property
    def recorded(self) -> tuple[Exchange, ...]:
        """The calls whose answer was stored, in the order of storing."""
        return self._ledger.exchanges("recorded")

    @property
    def missed(self) -> tuple[Exchange, ...]:
        """The calls that raised MissingRecording, whether or not the code under test let it through."""
        return self._ledger.exchanges("missed")

    @property
    def passed(self) -> tuple[Exchange, ...]:
        """The calls that went out without being recorded."""
        return self._ledger.exchanges("passed")

    @property
    def requests(self) -> tuple[Request, ...]:
        """What was asked, in its order, each as it was then; calls that passed are left out."""
        return self._ledger.requests()

    @property
    def usage(self) -> dict[str, Usage]:
        """Return the tokens that the answers replayed and recorded so far say were used, by the model asked for.

        Reads their recordings; raises CorruptRecording where one is gone or cannot be read.
        """
        return self._ledger.usage()

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in self.counts.items()) or "no calls yet"
        return f"<inference_recorder.Session {self.mode} in {self.store.places.written}: {counts}>"

    def decide(self, request: Request) -> Plan:
        """Return what is to be done with a call: answer it, let it go out and record it, or wait. Not for live mode.

        Raises MissingRecording in replay where no recording answers, CorruptRecording where one cannot be read.
        """
        __tracebackhide__ = True
        mode = self.mode
        run = surroundings()
        book = self._book if run is None else run.book or self._book
        if mode is not _REPLAY:
            self._rules.refreshed()
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
            row.asked += 1
            place = row.asked
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
            return self.decide(request)
        # Here, since only a miss has to pay for them.
        from .explaining.miss import missing_recording
        from .explaining.nearest import Question

        asked = asked._replace(body=asked.frozen_body())
        question = Question(asked, key, test_id, place, self._rules.normalizers)
        error = missing_recording(question, self.store.places, self._rules.scope(running_node_id(), request.credential))
        self._ledger.missed(asked, key, test_id, str(error))
        raise error

    def _new_row(self, key: str, test_id: str | None, book: SeriesBook) -> Row:
        run = surroundings()
        is_wide = run is not None and run.is_wide(test_id, self._has_own_id)
        # What is shared under another id than the fixture's own is not the fixture's alone.
        is_kept = run is not None and is_wide and test_id == run.test_id and self.mode is _RECORD and run.is_kept()
        return Row(key, key, book.guard, is_wide, is_kept, own_ids=book.ids)

    def _find_or_wait(self, request: Request, key: str, test_id: str | None, row: Row) -> Plan:
        if row.flying is not None and self.mode is _RECORD_IF_MISSING and not is_flying(running_task()):
            # Asked again before the first answer is there: both get that one. Asked again later is a new question, as a
            # loop that polls asks it.
            return Wait(request, key, test_id, row, row.flying)
        row.asked += 1
        recording = self._found(request, test_id, row, row.asked)
        if recording is not None:
            return self._counted(recording, request, key, test_id)
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

    def save(self, plan: Record, answer: Answer, *, wait: bool = True) -> bool:
        """Store what a call came to, once; False, with nothing stored, where a lock is taken and `wait` is False.

        Raises UnwritableRecording or UnrecordableValue; the plan is over then too.
        """
        with plan.row.guard:
            if plan.is_over:
                return True
            plan.is_over = True
        try:
            plan.is_over = self._write(plan, answer, wait=wait)
        finally:
            if plan.is_over:
                self._end(plan)
        return plan.is_over

    def expect(self, plan: Record, so_far: Callable[[], Answer]) -> None:
        """Remember a stream being read: one still open when the session closes is stored then, and again at its end."""
        plan.so_far, plan.reader = so_far, os.getpid()
        self._unfinished.add(plan)
        with plan.row.guard:
            plan.row.pending += (plan,)

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

    def abandon(self, plan: Record) -> None:
        """Give up on a call that came to nothing that can be stored. Its place in the row goes to the next."""
        with plan.row.guard:
            if plan.is_over:
                return
            plan.is_over = True
            if plan.row.asked == plan.place:
                plan.row.asked -= 1
            elif plan.row.is_wide:
                plan.row.gaps += (plan.place,)
        self._end(plan)

    def keeps_failure(self, status_code: int | None, is_connection_error: bool) -> bool:
        """Whether a failed call is worth a recording here: not if the next run had better ask again."""
        if not self._keeps_errors:
            return False
        is_transient = is_connection_error or (
            status_code is not None and (status_code in TRANSIENT_STATUS_CODES or status_code >= 500)
        )
        return self._keeps_transient_errors or not is_transient

    def note_passed(self, endpoint: str, model: str = "") -> None:
        """Count a call that went out without being recorded."""
        self._ledger.passed(endpoint, model)

    def close(self) -> None:
        """Wait for what is being stored, and finish the rows that no test attempt counts on in.

        Raises the first error of storing that no caller could be told of.
        """
        self.is_open = False
        while self._saving:
            self._saving.pop().join()
        for plan in [plan for plan in self._unfinished if plan.reader == os.getpid()]:
            try:
                if plan.so_far is not None:
                    self._write(plan, plan.so_far())
            except Exception as error:  # the others are to be stored all the same
                self._unsaved.append(error)
            finally:
                self._land(plan.row, plan.place, plan.flight)
        self._unsaved += self._book.finish(is_cut=True)
        self.store.sync()
        if self._unsaved:
            raise self._unsaved[0]

    def _write(self, plan: Record, answer: Answer, *, wait: bool = True) -> bool:
        self._rules.refreshed()  # the call itself may have put its key into the environment
        hidden = Hidden(self._rules.redactor_of(plan.request), plan.request.credential)
        request = hidden.request(_request_as_recorded(plan, self._rules.normalizers.declared_for(plan.body)))
        answer = hidden.answer(answer)
        content = encode(plan.test_id, request, answer)
        name, attachment = _file_name(plan, answer), answer.attachment
        if (run := surroundings()) is not None:
            run.about_to_record(self, plan, name)
        kept = WithKeptIds(plan, self._run, content)
        path = self.store.write(name, kept.content, attachment=attachment, wait=wait, is_same=kept.is_same)
        if path is None:
            return False
        row = plan.row
        if row.is_wide:
            row.note = self._run.note_recording
            self._run.note_answer(plan, self.store.places.written, kept.content)
        if not plan.request.is_model_list:
            row.stored |= {plan.place}
            row.store, row.writer, row.is_replaced = self.store, os.getpid(), self.mode is _RECORD
        if not plan.is_counted:
            plan.is_counted = True
            self._ledger.recorded(plan, path, request)
        return True

    def _counted(self, recording: Recording, request: Request, key: str, test_id: str | None) -> Recording:
        self._ledger.replayed(request, key, test_id, recording.path)
        return recording

    def _record(
        self, request: Request, key: str, test_id: str | None, row: Row, place: int, flight: Flight | None
    ) -> Record:
        plan = Record(request, request.frozen_body(), key, test_id, row, place, flight)
        self._ledger.asked(plan)
        return plan

    def _end(self, plan: Record) -> None:
        self._unfinished.discard(plan)
        with plan.row.guard:
            plan.row.pending = tuple(other for other in plan.row.pending if other is not plan)
        self._land(plan.row, plan.place, plan.flight)

    def _land(self, row: Row, place: int, flight: Flight | None) -> None:
        if row.flying == place:
            row.flying = None
        if flight is not None:
            flight.land()


def _request_as_recorded(plan: Record, normalizers: Sequence[JsonValue]) -> JsonObject:
    recorded: JsonObject = {
        "method": plan.request.method,
        "url": plan.request.url,
        "headers": {},
        "body": plan.body,
        "endpoint": plan.request.endpoint,
        "model": plan.request.model,
    }
    if normalizers:
        recorded["normalize"] = list(normalizers)
    return recorded


def _file_name(plan: Record, answer: Answer) -> str:
    if plan.request.is_model_list and answer.failure is None:
        names = [str(model.get("id")) for model in models_in(answer) if isinstance(model, dict)]
        return f"models-{plan.key}-{model_set_digest(names)}"
    return row_name(plan.key, plan.place)
