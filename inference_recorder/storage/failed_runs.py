"""Which recordings in place were made while their test failed: a small file for each such test.

The files are in `.failed-runs` of the directory of recordings, and git ignores them. They hold names and digests, are
never replayed or trusted, and a recording that has changed since counts as another one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ..recording.layout import digest_of, file_of, is_writable_name
from . import files
from .dropped import file_name_of

NOTES_DIRECTORY = ".failed-runs"
"""Below the directory of recordings; git ignores it."""
_MOST_RECORDINGS = 200
"""For each test: the newest."""
_MOST_BYTES = 1 << 16


def note(directory: Path, test_id: str | None, contents: Mapping[str, bytes]) -> None:
    """Note that a test failed while it made recordings with these names and contents. Raises nothing."""
    if not contents:
        return
    path = _path(directory, test_id)
    with suppress(OSError):  # a full disk, a stranger's link in its place
        files.make_ignored(path.parent)
        digests = _digests(path) | {name: digest_of(content) for name, content in contents.items()}
        newest = dict([*digests.items()][-_MOST_RECORDINGS:])
        files.replace(path, json.dumps({"test_id": test_id, "recordings": newest}, indent=1).encode(), path.stem)


def recorded_in_failed_run(directory: Path, test_id: str | None) -> set[str]:
    """Return the paths of the recordings in a directory that were made while this test failed. Raises nothing."""
    recorded: set[str] = set()
    for name, digest in _digests(_path(directory, test_id)).items():
        path = directory / file_of(name)
        if is_writable_name(name) and (content := files.content_of(path)) is not None and digest_of(content) == digest:
            recorded.add(str(path))
    return recorded


def has_notes(directory: Path) -> bool:
    """Whether any test failed while it made recordings that are in this directory."""
    return os.path.lexists(directory / NOTES_DIRECTORY)


def forget(directory: Path, test_id: str | None) -> None:
    """Forget what is noted of a test: it has passed with its recordings. Raises nothing."""
    path = _path(directory, test_id)
    with suppress(OSError):
        if files.is_directory(path.parent):
            path.unlink(missing_ok=True)


def _path(directory: Path, test_id: str | None) -> Path:
    return directory / NOTES_DIRECTORY / file_name_of(test_id)


def _digests(path: Path) -> dict[str, str]:
    """Return {name of a recording: its sha256} of a file; {} where it is not there or is not one of ours."""
    try:
        if not files.is_directory(path.parent) or os.stat(path).st_size > _MOST_BYTES:
            return {}
        noted = json.loads(files.content_of(path) or b"{}")["recordings"]
        return {str(name): str(digest) for name, digest in noted.items()}
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return {}
