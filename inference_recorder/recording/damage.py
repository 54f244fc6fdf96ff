"""What is wrong with a file that cannot be read, for people."""

from __future__ import annotations

import json

from .json_bytes import DuplicateNames, byte_offset
from .layout import CONFLICT_MARKERS, RESPONSE_MEMBER


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
    if isinstance(error, json.JSONDecodeError):
        reason = f"its JSON breaks off or is malformed at byte {byte_offset(error)}: {error}"
        return f"{_left_by_a_merge(content)}{reason}"
    return f"its JSON cannot be read: {error}"


def _left_by_a_merge(content: bytes) -> str:
    if any(marker in b"\n" + content for marker in CONFLICT_MARKERS):
        return "it holds the conflict markers of a merge; "
    return "it holds two recordings, as after a bad merge; " if content.count(RESPONSE_MEMBER) > 1 else ""
