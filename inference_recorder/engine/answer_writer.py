"""Writes the answers of one session to their files, without secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from ..errors import LockNotAvailable
from ..json_tree import JsonObject
from ..recording.answer import Answer, Failed, Failure, Value, failure_of
from ..recording.codec import encode
from ..recording.layout import recording_name
from ..recording.model_lists import model_list_name
from ..redaction.recordings import RecordingRedactor
from ..redaction.requests import RequestRules, with_version
from ..storage.locks import Patience
from ..storage.store import Store
from .call_log import CallLog
from .decisions import Record
from .failure_rule import is_recorded
from .kept_ids import WithKeptIds
from .run_log import RunLog
from .test_run import TestRun


@cache
def import_for_writing() -> None:
    """Import what storing an answer needs: garbage collection may store a stream while another module is imported."""
    from ..recording import texts  # noqa: F401
    from ..storage import rollback  # noqa: F401


class AnswerWriter:
    """Writes the answers of one session, or notes why one is not recorded."""

    def __init__(
        self,
        store: Store,
        rules: RequestRules,
        record_errors: bool | None,
        call_log: CallLog,
        test_run: TestRun,
    ) -> None:
        self.test_run = test_run
        self._store = store
        self._rules = rules
        self._record_errors = record_errors
        self._call_log = call_log
        self._run_log: RunLog = test_run.run_log

    def write(self, decision: Record, answer: Answer, *, wait: bool = True, patience: Patience | None = None) -> bool:
        """Write the recording of an answer; return False, with nothing written, if a lock is held and `wait` is False.

        Hold the `storing` lock of the decision. Raises UnwritableRecording.
        """
        redactor, request = self._redacted(decision)
        answer = redactor.answer(answer)
        content = encode(decision.test_id, request, answer)
        with self._fixed_position(decision) as position:
            return self._write(decision, answer, request, content, redactor, position, wait, patience)

    def _write(
        self,
        decision: Record,
        answer: Answer,
        request: JsonObject,
        content: bytes,
        redactor: RecordingRedactor,
        position: int,
        wait: bool,
        patience: Patience | None,
    ) -> bool:
        state, is_model_list = decision.state, decision.request.is_model_list
        name = model_list_name(decision.key, answer) if is_model_list else recording_name(decision.key, position)
        if state.closed_as is not None and (self._store.written(name) or b"") != state.closed_as:
            return True  # what the end of the session stored has been replaced or removed since
        if (known := state.known_lists.get(name)) is not None:
            self._call_log.recorded(decision, Path(known), request, None)
            return True
        superseded = self._store.other_outcomes(decision.key, name) if is_model_list else ()
        for changed in (name, *superseded):
            self.test_run.about_to_record(self._store, decision, changed)
        kept = WithKeptIds(decision, self._run_log, content, redactor.is_clean)
        is_kept, warning = not state.may_replace and self._store.holds(name), None
        path = self._store.path_of(name)
        try:
            if not is_kept:
                with self._store.replacing(name, wait=wait, patience=patience) as slot:
                    if slot.is_blocked:
                        return False
                    if slot.is_new or state.may_replace:
                        old, new = slot.old, kept.content
                        attachment = answer.attachment if isinstance(answer, Value) else None
                        slot.put(new if old is None else kept.revised(old, new), attachment)
        except LockNotAvailable as error:  # the recording is in place all the same
            warning = error
        # After the new file is there, so that a crash leaves at least one of them.
        if not is_kept and not all(self._store.remove(changed, patience, wait=wait) for changed in superseded):
            return False
        self._note_stored(decision, position, None if is_kept else kept.content)
        if not is_kept and not state.is_counted:
            state.is_counted = True
            self._call_log.recorded(decision, path, request, state.failure_in(answer))
        if warning is not None:
            raise warning
        return True

    @contextmanager
    def _fixed_position(self, decision: Record) -> Iterator[int]:
        """Yield the position of a call in its series, which `Series.finish` leaves alone during the block."""
        series = decision.series
        with series.guard:
            series.writing += 1
            position = decision.state.position
        try:
            yield position
        finally:
            with series.guard:
                series.writing -= 1
                series.guard.notify_all()

    def _note_stored(self, decision: Record, position: int, content: bytes | None) -> None:
        """Note that the file of a call is there; `content` is None if an older one was kept."""
        series = decision.series
        if series.is_wide and content is not None:
            self._run_log.note_answer(decision, position, self._store.directories.written, content)
        with series.guard:
            if series.is_wide and content is not None:
                series.note = self._run_log.note_recording
            if not decision.request.is_model_list:
                series.stored |= {position}
                series.store, series.writer = self._store, os.getpid()

    def drops(self, decision: Record, failure: Failure) -> bool:
        """Return whether a failure is not to be recorded; if so, log it and give its position to the next call.

        No failure is recorded where a list of models is.
        """
        if is_recorded(failure, self._record_errors) and not decision.state.known_lists:
            return False
        with decision.series.guard:
            decision.series.has_dropped = True
            decision.series.give_back(decision.state.position)
        if decision.series.is_wide:
            self._run_log.has_dropped = True
        redactor, request = self._redacted(decision)
        self._call_log.dropped(decision, request, failure_of(redactor.answer(Failed(failure))) or failure)
        return True

    def _redacted(self, decision: Record) -> tuple[RecordingRedactor, JsonObject]:
        """Return what redacts the answer to a call, and the redacted "request" object of its recording."""
        self._rules.refresh()  # the call itself may have put its key into the environment
        request = decision.request
        redactor = RecordingRedactor(self._rules.redactor_of(request), request.credential, decision.sent)
        recorded = redactor.request(self._rules.as_recorded(request, decision.body))
        return redactor, with_version(recorded, self._rules.key_version)
