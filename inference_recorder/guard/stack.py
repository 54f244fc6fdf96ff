"""Who makes a connection: read from the stack, only once one is opened."""

from __future__ import annotations

import os
import sys
import sysconfig
from contextlib import suppress
from functools import cache
from traceback import walk_stack

from ..sdk.websockets import MODULES

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def line_of_caller() -> str | None:
    """Return the line of the user's own code that is nearest to here, as "tests/test_a.py:12 in test_b"."""
    directory = ""
    with suppress(OSError):  # it may have been removed
        directory = os.getcwd() + os.sep
    for frame, line in walk_stack(sys._getframe()):
        path = frame.f_code.co_filename
        if not _is_library(path):
            return f"{path.removeprefix(directory)}:{line} in {frame.f_code.co_name}"
    return None


def is_counted_above() -> bool:
    """Return whether the standard library's HTTP client or the SDK opens this connection, and counts what it is for."""
    names = (str(frame.f_globals.get("__name__")) for frame, _ in walk_stack(sys._getframe()))
    return any(name == "http.client" or name.endswith("urllib3.connection") or name in MODULES for name in names)


def _is_library(path: str) -> bool:
    return path.startswith(_library_directories()) or any(part in path for part in _INSTALLED)


@cache
def _library_directories() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    names = ("stdlib", "platstdlib", "purelib", "platlib", "scripts")
    return "<", _PACKAGE + os.sep, *(paths[name] + os.sep for name in names if name in paths)
