"""The answers to one key, and how far their callers have come with them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .format.codec import decode
from .format.model_lists import union
from .format.recording import Recording
from .format.redacting import failure_given_back, given_back
from .identity.key_rules import KeyRules
from .identity.keys import older_keys
from .identity.request import Request, with_ids
from .storage.files import Stored
from .storage.store import Store, row_name

if TYPE_CHECKING:
    from .plans import Record

_NO_IDS: Mapping[str, str] = {}


@dataclass(slots=True, eq=False)
class Row:
    """The answers to one key, as far as the callers of one series book have come."""

    key: str
    name: str
    """The key, or the older one under which the row lies."""
    guard: threading.RLock
    """The lock of the series book that this row is in; held while a field of the row changes."""
    is_wide: bool = False
    """Whether tests beside the running one make this request: other workers may be adding answers to it."""
    is_kept: bool = False
    """Whether answers of earlier runs count although this run records: not all tests that need them run."""
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
    gaps: tuple[int, ...] = ()
    """The places of a wide row that calls gave up while later ones were being filled."""
    note: Callable[[Path, str, int], None] | None = None
    """Makes known to the run that a place of a wide row is filled."""
    own_ids: dict[str, str] = field(default_factory=dict)
    """The `ids` of the series book."""
    pending: tuple[Record, ...] = ()
    """The calls whose answers are yet to come."""
    flying: int | None = None
    """The place that is being asked of the API now, in record-if-missing."""

    def find(
        self,
        store: Store,
        request: Request,
        test_id: str | None,
        place: int,
        rules: KeyRules,
        *,
        may_grow: bool,
        ids: Mapping[str, str] = _NO_IDS,
    ) -> Recording | None:
        """Return the answer in this place (counted from 1), else the last one before it, else one under an older key.

        None where there is none at all, and for a place beyond the end of a row that this run records. `may_grow` says
        that another worker may be adding to the row; `ids` are to be replaced in the answer. Raises CorruptRecording.
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
        if stored is None:
            return None
        if ids:
            text = with_ids(stored.content.decode(errors="surrogateescape"), ids)
            stored = stored._replace(content=text.encode(errors="surrogateescape"))
        return _recording(stored, request, rules)

    def _models(self, store: Store, request: Request, test_id: str | None, rules: KeyRules) -> Recording | None:
        for name in (self.name, *(older_key for _, older_key in older_keys(request, test_id, self.name))):
            failed = store.read(name)
            found = store.read_all(f"models-{name}-") or ([] if failed is None else [failed])
            if found:
                return union([_recording(stored, request, rules) for stored in found])
        return None

    def finish(self, *, is_cut: bool) -> None:
        """Close the gaps that calls left which were given up; with `is_cut`, remove what the row held beyond its end.

        Raises UnwritableRecording.
        """
        if self.store is None or not self.stored:
            return
        if self.is_wide:
            self._close_wide_gaps(self.store)
            return
        last = max(self.stored)
        taken = sorted(self.stored | {plan.place for plan in self.pending})
        for place, taken_at in enumerate(taken, start=1):
            if place == taken_at:
                continue
            if taken_at in self.stored:
                self.store.rename(row_name(self.key, taken_at), row_name(self.key, place))
            for plan in self.pending:
                if plan.place == taken_at:
                    plan.place = place
        self.stored = frozenset(place for place, taken_at in enumerate(taken, start=1) if taken_at in self.stored)
        if is_cut and self.is_replaced:
            self.store.cut_row(self.key, len(taken), last)

    def _close_wide_gaps(self, store: Store) -> None:
        """Close what is still a gap: another test may have filled it, or be about to. Such a row is never cut."""

        def is_filled(place: int) -> bool:
            return os.path.lexists(store.path_of(row_name(self.key, place)))

        for gap in sorted(self.gaps, reverse=True):
            flight = store.locks.try_flight(row_name(self.key, gap), self)
            if flight is None:
                continue
            try:
                while not is_filled(gap) and is_filled(gap + 1):
                    store.rename(row_name(self.key, gap + 1), row_name(self.key, gap))
                    if self.note is not None:
                        self.note(store.places.written, self.key, gap)
                    gap += 1
            finally:
                flight.land()
        self.gaps = ()


def _recording(stored: Stored, request: Request, rules: KeyRules) -> Recording:
    recording = decode(stored.content, stored.path)
    if not recording.answer.is_redacted:
        return recording
    path, answer = decode(given_back(stored.content, rules.secrets_of(request)), stored.path)
    failure = None if answer.failure is None else failure_given_back(answer.failure, request.credential)
    return Recording(path, answer._replace(failure=failure))
