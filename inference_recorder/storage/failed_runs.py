"""Which recordings in place were made while their test failed: a note for each such test.

The notes hold names and digests. A recording that has changed since counts as another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ..recording.layout import digest_of, file_of, is_writable_name
from . import files
from .notes import Notes

NOTES = Notes(".failed-runs", "recordings")
_MOST_RECORDINGS = 200
"""For each test: the newest."""


def note(directory: Path, test_id: str | None, contents: Mapping[str, bytes]) -> None:
    """Note that a test failed while it made recordings with these names and contents. Raises nothing."""
    if not contents:
        return
    digests = _digests(directory, test_id) | {name: digest_of(content) for name, content in contents.items()}
    with suppress(OSError):  # a full disk, a stranger's link in its place
        NOTES.write(directory, test_id, dict([*digests.items()][-_MOST_RECORDINGS:]))


def recorded_in_failed_run(directory: Path, test_id: str | None) -> set[str]:
    """Return the paths of the recordings in a directory that were made while this test failed. Raises nothing."""
    recorded: set[str] = set()
    for name, digest in _digests(directory, test_id).items():
        path = directory / file_of(name)
        if is_writable_name(name) and (content := files.content_of(path)) is not None and digest_of(content) == digest:
            recorded.add(str(path))
    return recorded


def forget(directory: Path, test_id: str | None) -> None:
    """Forget what is noted of a test: it has passed with its recordings. Raises nothing."""
    with suppress(OSError):
        NOTES.write(directory, test_id, {})


def _digests(directory: Path, test_id: str | None) -> dict[str, str]:
    """Return {name of a recording: its sha256} as noted of a test."""
    noted = NOTES.read(directory, test_id)
    return {name: each for name, each in noted.items() if isinstance(each, str)} if isinstance(noted, dict) else {}
