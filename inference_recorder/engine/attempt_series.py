"""The series that the calls of one test attempt have used, and how far they have come in each."""

from __future__ import annotations

import os
import threading
from functools import partial
from secrets import token_hex

from ..children.positions import SharedPositions
from ..errors import LockNotAvailable, UnwritableRecording
from ..storage.locks import Patience
from ..storage.store import Store
from .series import Series


class AttemptSeries:
    """The series of one test attempt, of one wider fixture, or of one session outside of both.

    All sessions of an attempt share it, so that their calls count on from each other. Sessions with different modes or
    directories count apart: a test may record first and then replay.
    """

    def __init__(self, token: str = "") -> None:
        self.token = token or token_hex(8)
        """Names the attempt, fixture or session to servers in other processes."""
        self.guard = threading.RLock()
        """Guards the fields here and in each series. Reentrant: garbage collection may store a stream anywhere."""
        self._written = threading.Condition(self.guard)
        """The same lock, as its series have it: notified when a recording has been written."""
        self._series: dict[tuple[str, str], Series] = {}
        """(mode and directory, key) -> its series. Guarded by `guard`."""
        self._ids: dict[str, str] = {}
        """Ids that stand for other ones here than in the rest of the run (see `RunLog.ids`). Guarded by `guard`."""
        self.positions: dict[str, SharedPositions] = {}
        """Mode and directory -> what counts there once other processes make calls too. Guarded by `guard`."""
        self._shared: set[str] = set()
        """The modes and directories where they do. Guarded by `guard`."""

    def get(self, part: str, key: str) -> Series | None:
        """Return the series of a key in this mode and directory, None if there is none yet. Hold `guard`."""
        return self._series.get((part, key))

    def added(self, part: str, key: str, *, is_wide: bool = False, is_kept: bool = False) -> Series:
        """Add and return the series of a key in this mode and directory. Hold `guard`."""
        sibling = partial(self._sibling, part)
        series = self._series[part, key] = Series(key, self._written, is_wide, is_kept, self._ids, sibling)
        series.shared = self.positions[part] if part in self._shared else None
        return series

    def share(self, part: str) -> None:
        """Count with other processes from now on; raises OSError if the positions cannot be written."""
        with self.guard:
            if part not in self._shared and part in self.positions:
                positions = self.positions[part]
                own = [series for (of_part, _), series in self._series.items() if of_part == part]
                positions.begin_with({series.key: series.position for series in own})
                self._shared.add(part)
                for series in own:
                    series.shared = positions

    def note_elsewhere(self, part: str, key: str, store: Store, position: int, *, is_replaced: bool) -> None:
        """Note what a child process recorded at a position, 0 for a call that failed and was not recorded."""
        with self.guard:
            series = self.get(part, key) or self.added(part, key)
            if not position:
                series.has_dropped = True
                return
            series.stored |= {position}
            series.store, series.writer, series.is_replaced = store, os.getpid(), is_replaced

    def _sibling(self, part: str, key: str) -> Series:
        return self.get(part, key) or self.added(part, key)

    def holds(self, series: Series) -> bool:
        """Return whether a series is one of these."""
        return series.guard is self._written

    def ids(self) -> dict[str, str]:
        """Return the ids that stand for other ones here than in the rest of the run."""
        with self.guard:
            return self._ids.copy()

    @property
    def has_dropped(self) -> bool:
        """Whether a call failed and was not recorded."""
        with self.guard:
            return any(series.has_dropped for series in self._series.values())

    def finish(
        self, patience: Patience | None = None, *, is_cut: bool, is_rolled_back: bool = False
    ) -> list[UnwritableRecording | LockNotAvailable]:
        """Close the gaps in the series that this process stored; with `is_cut`, remove what follows their ends.

        Nothing is removed if a call was dropped: without its answer, later requests may not have been made. With
        `is_rolled_back`, the series of a test in mode record are left alone: they have been restored. Call it once no
        further calls will be counted. Returns the errors, since each series is finished whatever happened to another.
        """
        errors: list[UnwritableRecording | LockNotAvailable] = []
        patience = patience or Patience()
        with self.guard:
            is_cut = is_cut and not self.has_dropped
            for series in tuple(self._series.values()):
                is_restored = is_rolled_back and series.is_replaced and not series.is_wide
                if series.writer == os.getpid() and not is_restored:
                    try:
                        series.finish(patience, is_cut=is_cut)
                    except (UnwritableRecording, LockNotAvailable) as error:
                        errors.append(error)
        return errors
