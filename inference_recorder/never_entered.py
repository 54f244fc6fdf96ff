"""The warning for a recorder that was made and never used, as in a line that lacks its `with`."""

from __future__ import annotations

import sys
import warnings

from .errors import RecorderNotEntered


def calling_line() -> tuple[str, int] | None:
    """Return the file and line that called the caller of this function; None if that is a module of this package."""
    frame = sys._getframe(2)
    if frame.f_globals.get("__name__", "").partition(".")[0] == __name__.partition(".")[0]:
        return None
    return frame.f_code.co_filename, frame.f_lineno


class WarnsIfUnused:
    """Warns when it is collected as garbage without having been used; at the end of the process it was kept."""

    _unused_since: tuple[str, int] | None = None
    """The file and line that made it, until it is used."""

    def __del__(self) -> None:
        if self._unused_since is not None and not sys.is_finalizing():
            file, line = self._unused_since
            warnings.warn_explicit(RecorderNotEntered(file, line), None, file, line)
