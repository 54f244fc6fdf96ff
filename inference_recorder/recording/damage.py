"""What is wrong with a file that cannot be read, for people."""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import GIT_CONFLICT, NOT_FETCHED
from .json_bytes import DuplicateNames, byte_offset
from .layout import CONFLICT_MARKERS, LFS_POINTER_START, RESPONSE_MEMBER


def unreadable(content: bytes, error: ValueError | RecursionError) -> str:
    """Return why a file is not JSON, given the error of parsing it."""
    if isinstance(error, RecursionError):
        return "its JSON is nested too deep to read"
    if not content.strip():
        return "it is empty"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 at byte {error.start}"
    if isinstance(error, DuplicateNames):
        return f"{error}, as after a bad merge"
    if content.startswith(LFS_POINTER_START):
        return f"it is {NOT_FETCHED}"
    if isinstance(error, json.JSONDecodeError):
        if (conflict := _conflict(content)) is not None:
            return conflict
        two = "it holds two recordings, as after a bad merge; " if content.count(RESPONSE_MEMBER) > 1 else ""
        return f"{two}its JSON breaks off or is malformed at byte {byte_offset(error)}: {error}"
    return f"its JSON cannot be read: {error}"


def conflict_in(path: Path | str) -> str | None:
    """Return where a file has an unresolved git conflict, None if it has none or is gone."""
    try:
        return _conflict(Path(path).read_bytes())
    except OSError:
        return None


def _conflict(content: bytes) -> str | None:
    """Return the first line that is a marker of a merge conflict, for people, None if no line is."""
    lines = b"\n" + content
    start = min((at for marker in CONFLICT_MARKERS if (at := lines.find(marker)) >= 0), default=None)
    if start is None:
        return None
    line = lines.count(b"\n", 0, start + 1)
    return f"{GIT_CONFLICT} at line {line}; take one side"
