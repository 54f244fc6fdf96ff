"""What a test's recordings replaced: of a test that fails, the new ones are set aside and the old ones come back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import NamedTuple

from ..recording.layout import recording_name
from . import attachments, files
from .directories import Directories
from .store import Store

FAILED_DIRECTORY = ".failed"
"""Below the folder of the recordings; git is told to pass over it."""


class Files(NamedTuple):
    """The bytes of a recording and of the attachment beside it."""

    content: bytes
    attachment: bytes | None


class Before:
    """The files of some keys as they were before a test wrote them."""

    def __init__(self, store: Store, old: Mapping[str, Files | None] | None = None) -> None:
        """`old` are files that another process has remembered, by name."""
        self._store = store
        self._aside = Store(Directories(store.directories.written / FAILED_DIRECTORY, ()))
        self._keys: set[str] = set()
        self._old: dict[str, Files | None] = {**(old or {})}

    def remember(self, key: str, name: str) -> list[tuple[str, Files | None]]:
        """Remember the file `name`, about to be written, and the whole row of its key; the first time counts.

        Returns what was not remembered yet: (name, files), None for none.
        """
        known = len(self._old)
        if key not in self._keys:
            self._keys.add(key)
            for position in count(1):
                old = self._old[recording_name(key, position)] = _files_at(
                    self._store.path_of(recording_name(key, position))
                )
                if old is None:
                    break
        if name not in self._old:
            self._old[name] = _files_at(self._store.path_of(name))
        return list(self._old.items())[known:]

    def is_new(self, key: str) -> bool:
        """Whether nothing was recorded under this key when it was first written."""
        return self._old.get(key) is None

    def set_back(self) -> dict[Path, Path]:
        """Move what was written since to the folder of the failed, and have what was there before there again.

        Each file is copied before it goes, and the old one takes its place in one step. Returns where each file that
        was written lies now, by where it was. Raises UnwritableRecording.
        """
        moved: dict[Path, Path] = {}
        for name, old in self._old.items():
            path = self._store.path_of(name)
            new = _files_at(path)
            if new == old:
                continue
            if new is not None:
                with files.refusals_of(path):
                    files.make_ignored(self._aside.directories.written)
                self._aside.write(name, new.content, attachment=new.attachment)
                moved[path] = self._aside.path_of(name)
            if old is None:
                self._store.remove(name)
            else:
                self._store.write(name, old.content, attachment=old.attachment)
        return moved

    def drop_set_back(self) -> None:
        """Remove what was set aside earlier under these names: the test has recorded them and did not fail."""
        for name in self._old:
            if os.path.exists(self._aside.path_of(name)):  # False also for a path that is too long
                self._aside.remove(name)


def _files_at(path: Path) -> Files | None:
    content = files.content_of(path)
    if content is None:  # not there, or not to be read: then it cannot come back either
        return None
    beside = attachments.named_in(path, content)
    if beside is None or not beside.exists():
        return Files(content, None)
    return Files(content, beside.read_bytes())
