"""What a run does once an SDK is imported; a run that imports none pays nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from ..packages import SDKS, sdk_of_module


def once_sdk_is_imported(config: pytest.Config, begin: Callable[[], Callable[[], None]]) -> None:
    """Call `begin` when an SDK is imported, or now if one is; what it returns is called when the run ends."""
    if any(sdk.package in sys.modules for sdk in SDKS):
        config.add_cleanup(begin())
    else:
        finder = _Finder(lambda: config.add_cleanup(begin()))
        sys.meta_path.insert(0, finder)
        config.add_cleanup(finder.remove)


class _Finder:
    """Notices the import, and finds nothing."""

    def __init__(self, notice: Callable[[], None]) -> None:
        self._notice: Callable[[], None] | None = notice

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if self._notice is not None and sdk_of_module(name) is not None:
            # It stays where it is: an import that is going through the finders would skip the next one.
            notice, self._notice = self._notice, None
            notice()

    def remove(self) -> None:
        """Notice nothing more."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
