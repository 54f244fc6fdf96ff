"""The bytes of a big binary answer: in a file of their own beside the recording, which names them by their sha256."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import CorruptRecording
from ..recording import json_bytes
from ..recording.layout import ATTACHMENT_REFERENCE, attachment_name, attachment_parts, digest_of, file_of, name_of
from . import files


def path_of(recording: Path, digest: str) -> Path:
    """Return the path of the attachment with this sha256 beside a recording; raises ValueError for an invalid one."""
    return recording.with_name(attachment_name(name_of(recording.name), digest))


def digest_in(content: bytes) -> str | None:
    """Return the sha256 that a recording with this content names, None where it names none."""
    found = ATTACHMENT_REFERENCE.search(content)
    return None if found is None else found.group(1).decode()


def named_in(recording: Path, content: bytes | None) -> Path | None:
    """Return where the attachment lies that a recording with this content names, None where it names none."""
    found = ATTACHMENT_REFERENCE.search(content or b"")
    return None if found is None else path_of(recording, found.group(1).decode())


def owner_of(attachment: Path) -> str:
    """Return the name of the recording that a file would be the attachment of, "" for what is none by its name."""
    parts = attachment_parts(attachment.name)
    return "" if parts is None else parts[0]


def is_whole(attachment: Path) -> bool:
    """Whether a file holds the bytes that its name says."""
    parts, content = attachment_parts(attachment.name), files.content_of(attachment)
    return parts is not None and content is not None and digest_of(content).startswith(parts[1])


def is_orphan(attachment: Path) -> bool:
    """Whether a file is an attachment that no recording names: its own is not there, or is whole and does not."""
    parts = attachment_parts(attachment.name)
    if parts is None:
        return False
    recording = attachment.with_name(file_of(parts[0]))
    content = files.content_of(recording)
    if content is None:
        return not os.path.lexists(recording)
    return parts[1].encode() not in content and _is_json(content)


def read_attachment(recording_path: str, digest: str) -> bytes:
    """Return the bytes of this sha256 beside a recording; raises CorruptRecording where they are not."""
    path = Path(recording_path)
    try:
        position = path_of(path, digest)
    except (TypeError, ValueError):
        raise CorruptRecording(path, "$.response.body.__data__ must be a sha256") from None
    stored = files.read(str(position))
    if stored is None:
        before = _identity(path)
        now = ATTACHMENT_REFERENCE.search(files.content_of(path) or b"")
        if now is not None and now.group(1).decode() != digest:  # recorded anew since the recording was read
            return read_attachment(recording_path, now.group(1).decode())
        # Recorded anew twice since then, it may name the same bytes again, which are there now.
        stored = files.read(str(position))
        if stored is None and now is not None and before != _identity(path):
            return read_attachment(recording_path, digest)
    if stored is None:
        raise CorruptRecording(path, f"its answer's bytes are missing: there is no {position.name} beside it")
    if digest_of(stored.content) != digest:
        raise CorruptRecording(path, f"{position.name} beside it is not what was recorded with it")
    return stored.content


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells one file of this name from the next."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _is_json(content: bytes) -> bool:
    """Whether a recording is whole: a damaged one may have named what it no longer names."""
    try:
        json_bytes.loads(content)
    except (ValueError, RecursionError):
        return False
    return True
