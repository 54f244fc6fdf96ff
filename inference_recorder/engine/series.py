"""The answers to one key, and how far their callers have come with them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CorruptRecording
from ..recording.codec import decode
from ..recording.model_lists import model_list_start, union
from ..recording.recording import Recording
from ..redaction.recordings import failure_given_back, given_back
from ..redaction.requests import RequestRules
from ..request.keys import EXACT, body_text_as_keyed, request_key
from ..request.request import Request, with_ids
from ..request.unshown import Unshown
from ..storage.catalogue import entry_in
from ..storage.files import Stored
from ..storage.locks import Patience
from ..storage.store import Store, recording_name

if TYPE_CHECKING:
    from .decisions import Record

_NO_IDS: Mapping[str, str] = {}


@dataclass(slots=True, eq=False)
class Series:
    """The answers to one key, as far as the callers of one series book have come."""

    key: str
    guard: threading.RLock
    """The lock of the series book that this row is in; held while a field of the row changes."""
    is_wide: bool = False
    """Whether tests beside the running one make this request: other workers may be adding answers to it."""
    is_kept: bool = False
    """Whether answers of earlier runs count although this run records: not all tests that need them run."""
    sibling: Callable[[str], Series] | None = None
    """Returns the row of another key in the same series book."""
    folded: Series | None = None
    """That of the key which folds this one's request together with others, once it was found to answer."""
    turns: Iterator[int] | None = None
    """The places for requests that this key folds together. An iterator, since threads take them without a lock."""
    asked: int = 0
    last: int | None = None
    """The last place that is filled, once a call asked for one beyond it."""
    is_own: bool = False
    """Whether this run found nothing there and records it: then a further call is a further answer."""
    stored: frozenset[int] = frozenset()
    """The places that were stored through this row."""
    writer: int = 0
    """The process that stored them; a forked child leaves its parent's row alone."""
    store: Store | None = None
    """Where they were stored."""
    is_replaced: bool = False
    """Whether they take the place of all that was recorded before."""
    freed: tuple[int, ...] = ()
    """The places that calls gave up while later ones were being filled; the next calls take them."""
    has_dropped: bool = False
    """Whether a call failed and was not recorded: then nobody knows which of the older answers are still needed."""
    gaps: tuple[int, ...] = ()
    """The places of a wide row that calls gave up while later ones were being filled."""
    note: Callable[[Path, str, int], None] | None = None
    """Makes known to the run that a place of a wide row is filled."""
    own_ids: dict[str, str] = field(default_factory=dict)
    """The `ids` of the series book."""
    pending: tuple[Record, ...] = ()
    """The calls whose answers are yet to come."""
    in_flight_position: int | None = None
    """The place that is being asked of the API now, in record-if-missing."""

    def next_position(self) -> int:
        """Return the place of a call that is made now."""
        if self.freed:
            position = min(self.freed)
            self.freed = tuple(freed for freed in self.freed if freed != position)
            return position
        self.asked += 1
        return self.asked

    def give_back(self, position: int) -> None:
        """Take note that a call came to nothing that is recorded: its place goes to the next."""
        if self.asked == position:
            self.asked -= 1
        elif self.is_wide:
            self.gaps += (position,)
        else:
            self.freed += (position,)

    def find(
        self,
        store: Store,
        request: Request,
        test_id: str | None,
        position: int,
        rules: RequestRules,
        *,
        may_grow: bool,
        ids: Mapping[str, str] = _NO_IDS,
    ) -> Recording | None:
        """Return the answer in this place (counted from 1), or the last one before it, or one under another key.

        None where there is none at all, and for a place beyond the end of a row that this run records. `may_grow` says
        that another worker may be adding to the row; `ids` are to be replaced in the answer. Raises CorruptRecording.
        """
        if request.is_model_list:
            return self._models(store, request, test_id, rules)
        if self.folded is None:
            stored = self._in_position(store, position, may_grow=may_grow)
            if stored is not None and rules.written is not EXACT and not may_answer(stored, request, test_id, rules):
                stored = None
            if stored is not None:
                return _recording(_with_ids(stored, ids), request, rules)
            if self.is_own:
                return None
            for _, name in rules.further_keys(request, test_id, self.key):
                stored = store.read(name)
                if stored is not None and may_answer(stored, request, test_id, rules):
                    self.folded = Series(name, self.guard) if self.sibling is None else self.sibling(name)
                    self.folded.turns = self.folded.turns or count(1)
                    break
            else:
                return None
        # The requests that are one under this key are counted together, as when they were recorded.
        position = next(self.folded.turns or iter([position]))
        stored = self.folded._in_position(store, position, may_grow=may_grow)
        return None if stored is None else _recording(_with_ids(stored, ids), request, rules)

    def _in_position(self, store: Store, position: int, *, may_grow: bool) -> Stored | None:
        if self.last is not None and position > self.last:
            position = self.last
        stored = store.read(recording_name(self.key, position))
        if stored is None and not self.is_own:
            while stored is None and position > 1:
                position -= 1
                stored = store.read(recording_name(self.key, position))
            if not may_grow:
                self.last = position
        return stored

    def _models(self, store: Store, request: Request, test_id: str | None, rules: RequestRules) -> Recording | None:
        """Return what was recorded under the exact key; otherwise the union of the lists under all older keys.

        A failure under an older key answers only where there is no list: those keys were shared by all tests.
        """
        lists, failure = _outcomes(store, self.key, request, rules)
        if failure is not None and (not lists or store.is_before(failure.path, lists[0].path)):
            return failure
        if not lists:
            for _, older_key in rules.further_keys(request, test_id, self.key):
                older_lists, older_failure = _outcomes(store, older_key, request, rules)
                lists = older_lists + lists  # of a model in several the newest stands
                failure = failure or older_failure
        return union(lists) if lists else failure

    def finish(self, patience: Patience, *, is_cut: bool) -> None:
        """Close the gaps that calls left which were given up; with `is_cut`, remove what the row held beyond its end.

        Otherwise what is there from before stays. Raises UnwritableRecording, and LockNotAvailable where warnings are
        errors.
        """
        if self.store is None or not self.stored:
            return
        if self.is_wide:
            self._close_wide_gaps(self.store, patience)
            return
        position, directories, last = 0, {}, max(self.stored)
        for taken_at in sorted(self.stored | {decision.position for decision in self.pending}):
            position += 1
            while not is_cut and position < taken_at and self.store.holds(recording_name(self.key, position)):
                position += 1  # what is there from before
            directories[taken_at] = position
            if position != taken_at and taken_at in self.stored:
                self.store.rename(recording_name(self.key, taken_at), recording_name(self.key, position), patience)
        for decision in self.pending:
            decision.position = directories[decision.position]
        self.stored = frozenset(directories[taken_at] for taken_at in self.stored)
        if is_cut and self.is_replaced:
            self.store.cut_series(self.key, position, last, patience)

    def _close_wide_gaps(self, store: Store, patience: Patience) -> None:
        """Close what is still a gap: another test may have filled it, or be about to. Such a row is never cut."""
        for gap in sorted(self.gaps, reverse=True):
            in_flight = store.locks.try_in_flight(recording_name(self.key, gap), self)
            if in_flight is None:
                continue
            try:
                while not store.holds(recording_name(self.key, gap)) and store.holds(recording_name(self.key, gap + 1)):
                    store.rename(recording_name(self.key, gap + 1), recording_name(self.key, gap), patience)
                    if self.note is not None:
                        self.note(store.directories.written, self.key, gap)
                    gap += 1
            finally:
                in_flight.release()
        self.gaps = ()


def _outcomes(
    store: Store, key: str, request: Request, rules: RequestRules
) -> tuple[list[Recording], Recording | None]:
    """Return the lists of models that are recorded under a key, and the failure that is."""
    named_by_key = store.read(key)
    found = [*([] if named_by_key is None else [named_by_key]), *store.read_all(model_list_start(key))]
    recordings = [_recording(stored, request, rules) for stored in found]
    lists = [recording for recording in recordings if recording.answer.failure is None]
    return lists, next((recording for recording in recordings if recording.answer.failure is not None), None)


def may_answer(stored: Stored, request: Request, test_id: str | None, rules: RequestRules) -> bool:
    """Whether a recording answers this request, found under a key that folds different requests together.

    A recording with a key version answers only a request equal to its own. One named by the exact key of its own
    request, which no folding changes, answers requests with the same body; others only where the session itself
    records under the key that led to it. All others answer whatever their name folds together.
    """
    try:
        entry = entry_in(Path(stored.path), stored.content)
        recorded, own_key = entry.asked, entry.exact_key
    except (CorruptRecording, RecursionError):  # decoding its answer says what is wrong
        return True
    forms = rules.forms(request)
    # The literal "__REDACTED__" in a request as it is looks like a secret that a key saw.
    asked_as = forms if len(forms) < 3 else forms[:1]
    if recorded is None or own_key is None or own_key in (request_key(form, test_id) for form in asked_as):
        return True
    if entry.is_exact:
        return False
    if entry.key != own_key or entry.key == request_key(forms[0], test_id, rules.written):
        return True
    return body_text_as_keyed(recorded) in map(body_text_as_keyed, forms)


def _recording(stored: Stored, request: Request, rules: RequestRules) -> Recording:
    recording = decode(stored.content, stored.path)
    if not recording.answer.is_redacted:
        return recording
    secrets, failure = Unshown(rules.secrets_of(request)), recording.answer.failure
    path, answer = decode(given_back(stored.content, secrets.value), stored.path)
    if failure is not None:
        failure = failure_given_back(failure, stored.content, secrets.value, request.credential)
    return Recording(path, answer._replace(failure=failure))


def _with_ids(stored: Stored, ids: Mapping[str, str]) -> Stored:
    """Return a recording with ids replaced in it, {there: here}."""
    if not ids:
        return stored
    text = with_ids(stored.content.decode(errors="surrogateescape"), ids)
    return stored._replace(content=text.encode(errors="surrogateescape"))
