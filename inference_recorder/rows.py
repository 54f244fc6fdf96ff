"""The answers to one key, and how far a session has come with them."""

from __future__ import annotations

from dataclasses import dataclass

from .format.codec import decode
from .format.model_lists import model_list_start, union
from .format.recording import Recording
from .format.redacting import failure_given_back, given_back
from .identity.key_rules import KeyRules
from .identity.keys import older_keys
from .identity.request import Request
from .storage.files import Stored
from .storage.store import Store, row_name


@dataclass(slots=True)
class Row:
    """The answers to one key, as far as this session has come."""

    name: str
    """The key, or the older one under which the row lies."""
    asked: int = 0
    last: int | None = None
    """The last place that is filled, once a call asked for one beyond it."""
    is_own: bool = False
    """Whether this session found nothing there and records it: then a further call is a further answer."""
    stored: frozenset[int] = frozenset()
    """The places that this session has stored."""
    writer: int = 0
    """The process that stored them; a forked child leaves its parent's row alone."""
    flying: int | None = None
    """The place that is being asked of the API now, in record-if-missing."""

    def find(
        self, store: Store, request: Request, test_id: str | None, place: int, rules: KeyRules, *, may_grow: bool
    ) -> Recording | None:
        """Return the answer in this place (counted from 1), else the last one before it, else one under an older key.

        None where there is none at all, and for a place beyond the end of the session's own row. `may_grow` says that
        another worker may be adding to the row. Raises CorruptRecording.
        """
        if request.is_model_list:
            return self._models(store, request, test_id, rules)
        if self.last is not None and place > self.last:
            place = self.last
        stored = store.read(row_name(self.name, place))
        if stored is None and not self.is_own:
            while stored is None and place > 1:
                place -= 1
                stored = store.read(row_name(self.name, place))
            if not may_grow:
                self.last = place
        if stored is None and not self.is_own:
            for _, older_key in older_keys(request, test_id, self.name):
                if (stored := store.read(older_key)) is not None:
                    self.name, self.last = older_key, None
                    break
        return None if stored is None else _recording(stored, request, rules)

    def _models(self, store: Store, request: Request, test_id: str | None, rules: KeyRules) -> Recording | None:
        """Return what was recorded under the exact key; otherwise the union of the lists under all older keys.

        A failure under an older key answers only where there is no list: those keys were shared by all tests.
        """
        lists, failure = _outcomes(store, self.name, request, rules)
        if failure is not None and (not lists or store.is_before(failure.path, lists[0].path)):
            return failure
        if not lists:
            for _, older_key in older_keys(request, test_id, self.name):
                older_lists, older_failure = _outcomes(store, older_key, request, rules)
                lists = older_lists + lists  # of a model in several the newest stands
                failure = failure or older_failure
        return union(lists) if lists else failure


def _outcomes(store: Store, key: str, request: Request, rules: KeyRules) -> tuple[list[Recording], Recording | None]:
    """Return the lists of models that are recorded under a key, and the failure that is."""
    named_by_key = store.read(key)
    found = [*([] if named_by_key is None else [named_by_key]), *store.read_all(model_list_start(key))]
    recordings = [_recording(stored, request, rules) for stored in found]
    lists = [recording for recording in recordings if recording.answer.failure is None]
    return lists, next((recording for recording in recordings if recording.answer.failure is not None), None)


def _recording(stored: Stored, request: Request, rules: KeyRules) -> Recording:
    recording = decode(stored.content, stored.path)
    if not recording.answer.is_redacted:
        return recording
    path, answer = decode(given_back(stored.content, rules.secrets_of(request)), stored.path)
    failure = None if answer.failure is None else failure_given_back(answer.failure, request.credential)
    return Recording(path, answer._replace(failure=failure))
