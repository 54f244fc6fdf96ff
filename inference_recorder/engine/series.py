"""The answers to one key in order, and how far calls have come with them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..children.positions import SharedPositions
from ..recording.layout import recording_name
from ..request.unshown import Unshown
from ..storage.locks import InFlight, Patience
from ..storage.store import Store, Stored

if TYPE_CHECKING:
    from .decisions import Record


@dataclass(slots=True, eq=False)
class Series:
    """The answers to one key, as far as the calls of one attempt have come with them.

    Hold `guard` to call its methods and to read or change the fields below it.
    """

    key: str
    guard: threading.Condition
    """The guard of the AttemptSeries that holds this series. It guards every field that follows."""
    is_wide: bool = False
    """Whether other tests make this request too: other workers may be adding answers."""
    is_kept: bool = False
    """Whether answers of earlier runs count although this run records, since not all tests that need them run."""
    own_ids: dict[str, str] = field(default_factory=dict)
    """The ids of the AttemptSeries."""
    sibling: Callable[[str], Series] | None = None
    """Returns the series of another key in the same AttemptSeries."""
    folded: Series | None = None
    """The series of the key that folds this request together with others, once that key was found to answer."""
    folded_for: Unshown[Mapping[str, object]] | None = None
    """The timeout and headers of the call that found it, which that key may hold."""
    turns: int = 0
    """How many calls of all requests that this key folds together it has answered."""
    position: int = 0
    """The last position that a call has."""
    shared: SharedPositions | None = None
    """What counts the calls if other processes may make them too."""
    path: str = ""
    """That of the latest replay. The log of a loop that replays one recording again and again holds one text."""
    last: int | None = None
    """The last position with a recording, once a call was made at a later one."""
    is_own: bool = False
    """Whether this run found nothing and records the series: then a further call is a further answer."""
    stored: frozenset[int] = frozenset()
    """The positions that were stored through this series."""
    writer: int = 0
    """The process that stored them; a forked child leaves its parent's series alone."""
    store: Store | None = None
    """Where they were stored."""
    is_replaced: bool = False
    """Whether they replace everything that was recorded before (mode record); known before the first is stored."""
    has_dropped: bool = False
    """Whether a call failed and was not recorded: then nobody knows which of the older answers are still needed."""
    freed: tuple[int, ...] = ()
    """Positions that calls gave up while later ones were being filled; the next calls get them."""
    gaps: tuple[int, ...] = ()
    """The same in a wide series; they are closed at its end."""
    note: Callable[[Path, str, int], None] | None = None
    """Informs the run that a position of a wide series is filled."""
    pending: tuple[Record, ...] = ()
    """The calls whose answers have not arrived."""
    writing: int = 0
    """How many of them are being written to the file of their position, which `finish` must not change meanwhile."""
    in_flight_position: int | None = None
    """The position whose call is in flight, in record-if-missing."""

    def next_position(self) -> int:
        """Return the position of a call that is made now."""
        if self.freed:
            position = min(self.freed)
            self.freed = tuple(freed for freed in self.freed if freed != position)
            return position
        return self.advance()

    def advance(self) -> int:
        """Count one more call and return its position."""
        self.position = self.position + 1 if self.shared is None else self.shared.claim(self.key)
        return self.position

    def give_back(self, position: int) -> None:
        """Give the position of a call that is not recorded to the next call."""
        if self.position == position and self.shared is None:
            self.position -= 1
        elif self.is_wide:
            self.gaps += (position,)
        else:
            self.freed += (position,)

    def end(self, decision: Record) -> None:
        """Note that a call is stored or given up, and let others make the same request."""
        self.pending = tuple(pending for pending in self.pending if pending is not decision)
        self.release(decision.state.position, decision.in_flight)

    def release(self, position: int, in_flight: InFlight | None) -> None:
        """Let others make the request again that is or was in flight."""
        if self.in_flight_position == position:
            self.in_flight_position = None
        if in_flight is not None:
            in_flight.release()

    def stored_at(self, store: Store, position: int, *, may_grow: bool, may_repeat: bool = True) -> Stored | None:
        """Return the recording at a position (from 1), otherwise, with `may_repeat`, the last one before it.

        None if there is neither, and beyond the end of a series that this run records. `may_grow`: another worker may
        be adding to it.
        """
        if self.last is not None and position > self.last:
            position = self.last
        stored = store.read(recording_name(self.key, position))
        if stored is None and may_repeat and not self.is_own:
            while stored is None and position > 1:
                position -= 1
                stored = store.read(recording_name(self.key, position))
            if not may_grow:
                self.last = position
        return stored

    def finish(self, patience: Patience, *, is_cut: bool) -> None:
        """Close the gaps that given-up calls left; with `is_cut`, remove the recordings after the end.

        Otherwise the recordings of earlier runs stay. Raises UnwritableRecording, and LockNotAvailable if warnings are
        errors.
        """
        # Not longer, since the writer may be this very thread, interrupted by garbage collection.
        self.guard.wait_for(lambda: not self.writing, timeout=patience.seconds)
        if self.store is None or not self.stored:
            return
        if self.is_wide:
            self._close_wide_gaps(self.store, patience)
            return
        position, new_positions, last = 0, {}, max(self.stored)
        keeps_old = not is_cut or not self.is_replaced
        for old_position in sorted(self.stored | {decision.state.position for decision in self.pending}):
            position += 1
            while keeps_old and position < old_position and self.store.holds(recording_name(self.key, position)):
                position += 1  # a recording of an earlier run
            new_positions[old_position] = position
            if position != old_position and old_position in self.stored:
                old_name = recording_name(self.key, old_position)
                self.store.rename(old_name, recording_name(self.key, position), patience)
        for decision in self.pending:
            decision.state.position = new_positions[decision.state.position]
        self.stored = frozenset(new_positions[old_position] for old_position in self.stored)
        if is_cut and self.is_replaced:
            self.store.cut_series(self.key, position, last, patience)

    def _close_wide_gaps(self, store: Store, patience: Patience) -> None:
        """Close the gaps that another test has not filled and is not about to fill. A wide series is never cut."""
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
