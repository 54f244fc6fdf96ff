"""What a run does once the SDK is imported; a run that does not import it pays nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest


def once_sdk_is_imported(config: pytest.Config, begin: Callable[[], Callable[[], None]]) -> None:
    """Call `begin` when the SDK is imported, or now if it is; what it returns is called when the run ends."""
    finder = _Finder(begin)
    config.add_cleanup(finder.end)
    if "openai" in sys.modules:
        finder.begin()
    else:
        sys.meta_path.insert(0, finder)


class _Finder:
    """Notices the import, and finds nothing."""

    def __init__(self, begin: Callable[[], Callable[[], None]]) -> None:
        self._begin = begin
        self._end: Callable[[], None] | None = None

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "openai":
            self._remove()
            self.begin()

    def begin(self) -> None:
        self._end = self._begin()

    def end(self) -> None:
        self._remove()
        if self._end is not None:
            self._end()

    def _remove(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)
