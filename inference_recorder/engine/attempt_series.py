"""How far the callers of one test attempt have come, in each series that they ask for."""

from __future__ import annotations

import os
import threading

from ..errors import LockNotAvailable, UnwritableRecording
from ..storage.locks import Patience
from .series import Series


class AttemptSeries:
    """The rows of one test attempt, of one wider fixture's life, or of one session outside of both.

    All sessions of an attempt share one book, so that their calls count on from each other. Sessions of different modes
    and directories count apart: a test may record first and then replay. Hold `guard` to change a row.
    """

    def __init__(self) -> None:
        # Reentrant: a stream that is collected as garbage is stored wherever that happens.
        self.guard = threading.RLock()
        self.series: dict[tuple[str, str], Series] = {}
        """(mode and directory, key) -> its row."""
        self.ids: dict[str, str] = {}
        """Ids that stand for other ones here than in the rest of the run (see `RunLog.ids`)."""

    @property
    def has_dropped(self) -> bool:
        """Whether a call failed and was not recorded."""
        return any(series.has_dropped for series in tuple(self.series.values()))

    def finish(
        self, patience: Patience | None = None, *, is_cut: bool, is_set_back: bool = False
    ) -> list[UnwritableRecording | LockNotAvailable]:
        """Close the gaps of the rows that this process stored; with `is_cut`, remove what they held beyond their end.

        They are not cut where a call was dropped: without its answer, others may not have been asked for. With
        `is_set_back`, only wide rows are looked at: the others are again what they were. To be called once nobody
        counts on. Returns the errors, since each row is finished whatever became of another.
        """
        errors: list[UnwritableRecording | LockNotAvailable] = []
        patience = patience or Patience()
        with self.guard:
            is_cut = is_cut and not self.has_dropped
            for series in self.series.values():
                if series.writer == os.getpid() and (series.is_wide or not is_set_back):
                    try:
                        series.finish(patience, is_cut=is_cut)
                    except (UnwritableRecording, LockNotAvailable) as error:
                        errors.append(error)
        return errors
