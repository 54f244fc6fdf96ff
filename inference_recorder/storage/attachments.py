"""Attachments: a large binary answer is a file of its own beside the recording, which names it by its sha256."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import NOT_FETCHED, CorruptRecording
from ..recording import json_bytes
from ..recording.layout import (
    ATTACHMENT_REFERENCE,
    LFS_POINTER_START,
    attachment_name,
    attachment_parts,
    digest_of,
    file_of,
    name_of,
)
from . import files


def path_of(recording: Path, digest: str) -> Path:
    """Return the path of a recording's attachment with this sha256; raises ValueError if it is not a sha256.

    The name contains the digest, so that a reader of the old recording does not read the new attachment.
    """
    return recording.with_name(attachment_name(name_of(recording.name), digest))


def digest_in(content: bytes | None) -> str | None:
    """Return the sha256 of the attachment that a recording with this content names, or None."""
    match = ATTACHMENT_REFERENCE.search(content or b"")
    return None if match is None else match.group(1).decode()


def named_in(recording: Path, content: bytes | None) -> Path | None:
    """Return the path of the attachment that a recording with this content names, or None."""
    digest = digest_in(content)
    return None if digest is None else path_of(recording, digest)


def owner_of(attachment: Path) -> str:
    """Return the name of the recording that an attachment belongs to, "" for a file that is not an attachment."""
    parts = attachment_parts(attachment.name)
    return "" if parts is None else parts[0]


def is_whole(attachment: Path) -> bool:
    """Whether a file's content has the digest in its name."""
    parts, content = attachment_parts(attachment.name), files.content_of(attachment)
    return parts is not None and content is not None and digest_of(content).startswith(parts[1])


def is_orphan(attachment: Path) -> bool:
    """Whether a file is an attachment whose recording is absent, or is readable and names another attachment."""
    parts = attachment_parts(attachment.name)
    if parts is None:
        return False
    recording = attachment.with_name(file_of(parts[0]))
    content = files.content_of(recording)
    if content is None:
        return not os.path.lexists(recording)
    return parts[1].encode() not in content and _is_json(content)


def read_attachment(recording_path: str, digest: str) -> bytes:
    """Return a recording's attachment with this sha256; raises CorruptRecording if it is missing or damaged."""
    __tracebackhide__ = True
    recording = Path(recording_path)
    try:
        path = path_of(recording, digest)
    except (TypeError, ValueError):
        raise CorruptRecording(recording, "$.response.body.__data__ must be a sha256") from None
    content = files.read(path)
    if content is None:
        identity = _identity(recording)
        current = digest_in(files.content_of(recording))
        if current is not None and current != digest:  # replaced since the recording was read
            return read_attachment(recording_path, current)
        # If it was replaced twice since then, it may name the same attachment again, which is there by now.
        content = files.read(path)
        if content is None and current is not None and identity != _identity(recording):
            return read_attachment(recording_path, digest)
    if content is None:
        raise CorruptRecording(recording, f"its attachment {path.name} is missing")
    if digest_of(content) != digest:
        is_pointer = content.startswith(LFS_POINTER_START)
        what = f"is {NOT_FETCHED}" if is_pointer else "has other content than was recorded"
        raise CorruptRecording(recording, f"its attachment {path.name} {what}")
    return content


def _identity(path: Path) -> tuple[int, int] | None:
    """Return a value that differs between successive files of this name."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _is_json(content: bytes) -> bool:
    """Whether a recording is undamaged; a damaged one may have lost the name of its attachment."""
    try:
        json_bytes.loads(content)
    except (ValueError, RecursionError):
        return False
    return True
