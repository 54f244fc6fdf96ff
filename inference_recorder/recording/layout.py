"""The names of our files in a directory of recordings; a file of any other name belongs to another tool."""

from __future__ import annotations

import re
from hashlib import sha256

_KEY = "(?:[0-9a-f]{64}|[0-9a-f]{12})"
_RECORDING = rf"{_KEY}(?:\.[1-9][0-9]*)?|models-{_KEY}-[0-9a-f]{{8}}"
_RECORDING_NAME = re.compile(_RECORDING)
_ATTACHMENT_NAME = re.compile(rf"(?P<owner>{_RECORDING})\.(?P<digits>[0-9a-f]{{16}})\.bin")
_TEMPORARY_NAME = re.compile(rf"\.(?P<owner>{_RECORDING})\.tmp-[0-9a-f]{{16}}\.tmp")
_LOCK_NAME = re.compile(rf"(?:{_RECORDING})\.(?:write|flight)|dropped-[A-Za-z0-9_-]*-[0-9a-f]{{16}}\.json\.write")
ATTACHED = "attached"
"""The "__type__" of a body whose "__data__" is the sha256 of the bytes beside the recording."""


def is_key_name(name: str) -> bool:
    """Whether a file's name, without ".json", is one under which a recording is looked for."""
    return _RECORDING_NAME.fullmatch(name) is not None


def attachment_parts(name: str) -> tuple[str, str] | None:
    """Return (recording, first digits of the sha256) for the name of an attachment, None for another name."""
    found = _ATTACHMENT_NAME.fullmatch(name)
    return None if found is None else (found["owner"], found["digits"])


def owner_of_temporary(name: str) -> str | None:
    """Return the recording that a temporary file was written for, None for a file that is not one of ours."""
    found = _TEMPORARY_NAME.fullmatch(name)
    return None if found is None else found["owner"]


def is_lock_name(name: str) -> bool:
    """Whether a file in `.locks` is a lock of ours."""
    return _LOCK_NAME.fullmatch(name) is not None


def digest_of(attachment: bytes) -> str:
    """Return what a recording names these bytes by."""
    return sha256(attachment).hexdigest()
