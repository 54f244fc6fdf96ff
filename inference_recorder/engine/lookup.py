"""Finds the recording that answers a request: under its exact key, otherwise under an older key version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import CorruptRecording
from ..fixture_ids import parsed_fixture_id
from ..recording.answer import Failed, Recording, Streamed, Value, failure_of
from ..recording.codec import decode
from ..recording.embeddings import in_base64
from ..recording.layout import model_list_start
from ..recording.model_lists import model_list_name, union
from ..redaction.requests import RequestRules
from ..redaction.restoring import given_back, restored_failure
from ..request.keys import body_text_as_keyed, request_key
from ..request.request import Request, with_ids
from ..request.sent_alike import ENCODING, ENCODING_ENDPOINT
from ..request.unshown import Unshown, is_same
from ..storage.catalogue import entry_in
from ..storage.store import Store, Stored
from .recorded_ids import RecordedIds
from .series import Series

_NO_IDS: Mapping[str, str] = {}


class Lookup:
    """Finds recordings in one store, with the rules of one session."""

    def __init__(
        self, store: Store, rules: RequestRules, ids: RecordedIds | None = None, *, may_repeat: bool = True
    ) -> None:
        """`may_repeat`: the last answer to a request answers it again."""
        self._store = store
        self.may_repeat = may_repeat
        self._rules = rules
        self._ids = ids or RecordedIds(None)

    def find(
        self,
        series: Series,
        request: Request,
        test_id: str | None,
        position: int,
        *,
        may_grow: bool,
        ids: Mapping[str, str] = _NO_IDS,
    ) -> Recording | None:
        """Return the answer at a position (from 1), the last one before it if it may repeat, or one under another key.

        None without any, and beyond the end of a series that this run records. `may_grow`: another worker may be
        adding to the series; `ids` are replaced in the answer. Hold the guard of the series. Raises CorruptRecording.
        """
        __tracebackhide__ = True
        if request.is_model_list:
            return self._models(series.key, request, test_id)
        if series.folded is None or not is_same(series.folded_for, request.call_options):
            stored = series.stored_at(self._store, position, may_grow=may_grow, may_repeat=self.may_repeat)
            if stored is not None and (
                not self._rules.is_llama_stacks or may_answer(stored, request, test_id, self._rules)
            ):
                return self._recording(stored, request, ids)
            if series.is_own:
                return None
            key = self._older_key(series.key, request, test_id)
            if key is None:
                return None
            series.folded_for = request.call_options
            series.folded = Series(key, series.guard) if series.sibling is None else series.sibling(key)
        # They repeat their last answer always: llama-stack's recorder keeps one for all.
        # Requests that are one under the older key are counted together, as when they were recorded.
        series.folded.turns += 1
        stored = series.folded.stored_at(self._store, series.folded.turns, may_grow=may_grow)
        return None if stored is None else _as_asked(self._recording(stored, request, ids), stored, request)

    def _older_key(self, key: str, request: Request, test_id: str | None) -> str | None:
        """Return the first older key under which a recording answers, or the key under another id of the same test.

        None if none does.
        """
        for further_id in self._ids_of(test_id):
            for _, older_key in self._rules.further_keys(request, further_id, key):
                stored = self._store.read(older_key)
                if stored is not None and may_answer(stored, request, further_id, self._rules):
                    return older_key
        return None

    def _models(self, key: str, request: Request, test_id: str | None) -> Recording | None:
        """Return what was recorded under the exact key; otherwise the union of the lists under all older keys.

        A failure under an older key answers only if there is no list: those keys were shared by all tests.
        """
        lists, failure = self._model_lists(key, request)
        if failure is not None and (not lists or self._store.is_before(failure.path, lists[0].path)):
            return failure
        if not lists:
            for older_key in self._older_keys(key, request, test_id):
                older_lists, older_failure = self._model_lists(older_key, request)
                lists = older_lists + lists  # the newest list decides about a model that is in several
                failure = failure or older_failure
        return union(lists) if lists else failure

    def _ids_of(self, test_id: str | None) -> tuple[str | None, ...]:
        """Return the ids under which a test may be recorded, its own first.

        llama-stack's recorder has no id for fixtures wider than a test, since its conftest.py names the running test in
        a fixture of each test (`_track_test_context` in tests/integration/conftest.py).
        """
        ids = (test_id, *self._ids.further(test_id))
        if test_id is None or not self._rules.is_llama_stacks or parsed_fixture_id(test_id) is None:
            return ids
        return (*ids, None)

    def _older_keys(self, key: str, request: Request, test_id: str | None) -> dict[str, None]:
        ids = self._ids_of(test_id)
        return dict.fromkeys(older for each in ids for _, older in self._rules.further_keys(request, each, key))

    def lists_by_name(self, key: str, request: Request, test_id: str | None) -> dict[str, str]:
        """Return the paths of all recorded lists, by the names that they would have under `key`."""
        keys = (key, *self._older_keys(key, request, test_id))
        lists = (each for one in keys for each in self._model_lists(one, request)[0])
        return {model_list_name(key, recording.answer): recording.path for recording in lists}

    def _model_lists(self, key: str, request: Request) -> tuple[list[Recording], Recording | None]:
        """Return the model lists that are recorded under a key, and the failure that is."""
        named_by_key = self._store.read(key)
        stored = [*([] if named_by_key is None else [named_by_key]), *self._store.read_all(model_list_start(key))]
        recordings = [self._recording(each, request) for each in stored]
        lists = [recording for recording in recordings if failure_of(recording.answer) is None]
        return lists, next((recording for recording in recordings if failure_of(recording.answer) is not None), None)

    def _recording(self, stored: Stored, request: Request, ids: Mapping[str, str] = _NO_IDS) -> Recording:
        """Return a recording with the request's own secrets in the place of their placeholders."""
        __tracebackhide__ = True
        if ids:
            stored = _with_ids(stored, ids)
        recording = decode(stored.content, stored.path)
        if not recording.answer.is_redacted:
            return recording
        secrets, failure = Unshown(self._rules.secrets_of(request)), failure_of(recording.answer)
        answer = decode(given_back(stored.content, secrets.value), stored.path).answer
        if failure is not None and isinstance(answer, (Streamed, Failed)):
            failure = restored_failure(failure, stored.content, secrets.value, request.credential)
            answer = replace(answer, failure=failure)
        return Recording(stored.path, answer)


def may_answer(stored: Stored, request: Request, test_id: str | None, rules: RequestRules) -> bool:
    """Return whether a recording answers this request, found under a key that folds different requests together.

    A recording with a key version answers only a request equal to its own. One named by the exact key of its own
    request, which no folding changes, answers requests with the same body; others only if the session itself records
    under the key that led to it. All others answer whatever their name folds together.
    """
    try:
        entry = entry_in(Path(stored.path), stored.content)
        recorded = entry.asked
        own_key = None if recorded is None else request_key(recorded, entry.test_id)
    except (CorruptRecording, RecursionError):  # decoding its answer reports what is wrong
        return True
    forms = rules.forms(request)
    # A request that holds the literal "__REDACTED__" looks like one with a secret that the key saw.
    exact_forms = (*(forms if len(forms) < 3 else forms[:1]), *rules.other_forms(request))
    if recorded is None or own_key is None or own_key in (request_key(form, test_id) for form in exact_forms):
        return True
    if entry.is_exact:
        return False
    if entry.key != own_key or entry.key == request_key(forms[0], test_id, rules.key_version):
        return True
    return body_text_as_keyed(recorded) in map(body_text_as_keyed, (*forms, *exact_forms))


def _as_asked(recording: Recording, stored: Stored, request: Request) -> Recording:
    """Return embeddings in base64 to a caller who asks for it, if they were recorded for one who named no format."""
    answer, (name, value) = recording.answer, ENCODING
    if request.endpoint != ENCODING_ENDPOINT or request.body.get(name) != value or not isinstance(answer, Value):
        return recording
    if name in entry_in(Path(stored.path), stored.content).body:
        return recording
    return replace(recording, answer=replace(answer, body=in_base64(answer.body)))


def _with_ids(stored: Stored, ids: Mapping[str, str]) -> Stored:
    """Return a recording with ids replaced in it, {recorded: current}."""
    text = with_ids(stored.content.decode(errors="surrogateescape"), ids)
    return stored._replace(content=text.encode(errors="surrogateescape"))
