"""What a test recorded, and what was there before: if it fails, the new ones may move to `.failed` again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import NamedTuple

from ..recording.layout import recording_name
from . import attachments, failed_runs, files
from .directories import Directories
from .store import Store

FAILED_DIRECTORY = ".failed"
"""Holds the failed recordings, below the directory of recordings; ignored by git."""


class Files(NamedTuple):
    """The content of a recording and of its attachment."""

    content: bytes
    attachment: bytes | None


class Rollback:
    """The recordings of some keys as they were before a test recorded them."""

    def __init__(self, store: Store, old: Mapping[str, Files | None] | None = None) -> None:
        """`old` is what another process has remembered, by name; None for a name without a file."""
        self._store = store
        self._failed = Store(Directories(store.directories.written / FAILED_DIRECTORY, ()))
        self._keys: set[str] = set()
        self._old: dict[str, Files | None] = {**(old or {})}

    def remember(self, key: str, name: str) -> list[tuple[str, Files | None]]:
        """Remember a recording that is about to be written, and the whole series of its key, the first time only.

        Returns what is remembered now: (name, files), with None for a name without a file.
        """
        known = len(self._old)
        if key not in self._keys:
            self._keys.add(key)
            for position in count(1):
                name_in_series = recording_name(key, position)
                old = files_at(self._store.path_of(name_in_series))
                self._old.setdefault(name_in_series, old)  # another process may have overwritten it before
                if old is None:
                    break
        if name not in self._old:
            self._old[name] = files_at(self._store.path_of(name))
        return list(self._old.items())[known:]

    def add(self, other: Rollback) -> None:
        """Remember what another process overwrote, unless a recording of that name is remembered already."""
        self._old = {**other._old, **self._old}

    def is_new(self, key: str) -> bool:
        """Whether nothing was recorded under this key before."""
        return self._old.get(key) is None

    def roll_back(self) -> dict[Path, Path]:
        """Move what was written since to `.failed` and restore what was there before; raises UnwritableRecording.

        Each file is copied before it is replaced, in one step. Returns {where a file was: where it is now}.
        """
        moved: dict[Path, Path] = {}
        for name, new in self._changed():
            old, path = self._old[name], self._store.path_of(name)
            if new is not None:
                with files.refusals_of(path):
                    files.make_ignored(self._failed.directories.written)
                self._failed.write(name, new.content, attachment=new.attachment)
                moved[path] = self._failed.path_of(name)
            if old is None:
                self._store.remove(name)
            else:
                self._store.write(name, old.content, attachment=old.attachment)
        return moved

    def note_failed(self, test_id: str | None) -> int:
        """Note that what was written since and is in place was recorded while its test failed; returns its number."""
        contents = {name: new.content for name, new in self._changed() if new is not None}
        failed_runs.note(self._store.directories.written, test_id, contents)
        return len(contents)

    def _changed(self) -> Iterator[tuple[str, Files | None]]:
        for name, old in self._old.items():
            if (new := files_at(self._store.path_of(name))) != old:
                yield name, new

    def remove_failed(self) -> None:
        """Remove earlier failed recordings with these names: the test has recorded them and did not fail."""
        for name in self._old:
            if os.path.exists(self._failed.path_of(name)):  # also False if the path is too long
                self._failed.remove(name)


def files_at(path: Path) -> Files | None:
    """Return the content of a recording and its attachment; None if it is absent or unreadable."""
    content = files.content_of(path)
    if content is None:  # absent, or unreadable and so impossible to restore
        return None
    attachment_path = attachments.named_in(path, content)
    if attachment_path is None or not attachment_path.exists():
        return Files(content, None)
    return Files(content, attachment_path.read_bytes())
