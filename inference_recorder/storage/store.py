"""The recordings of one session: found by name, written completely or not at all."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..errors import LockNotAvailable
from ..recording.layout import (
    ATTACHMENT_ENDING,
    RECORDING_ENDING,
    digest_of,
    file_of,
    is_writable_name,
    model_list_start,
    name_of,
    owner_of_temporary,
    recording_name,
)
from . import attachments, files
from .directories import Directories
from .locks import LONGEST_WAIT_SECONDS, Locks, Patience


class Stored(NamedTuple):
    """The path and content of a recording's file."""

    path: str
    content: bytes


class Store:
    """The recordings in one session's directories. Reading takes no lock and needs no write permission."""

    def __init__(self, directories: Directories) -> None:
        self.directories = directories
        self.locks = Locks(directories.written)
        self._read_prefixes = tuple(f"{directory}{os.sep}" for directory in directories.read)
        self._has_removed_abandoned = False
        self._is_synced = True

    def read(self, name: str) -> Stored | None:
        """Return the first file with this name in the directories to read, or None; raises CorruptRecording."""
        for prefix in self._read_prefixes:
            path = f"{prefix}{name}{RECORDING_ENDING}"
            if (content := files.read(path)) is not None:
                return Stored(path, content)
        return None

    def read_all(self, name_start: str) -> list[Stored]:
        """Return the files whose names start with this, by directory and then by name. Scans the directories.

        If several files have the same name, only the first is returned, as by `read`.
        """
        paths: dict[str, Path] = {}
        for directory in self.directories.read:
            for path in sorted(directory.glob(f"{name_start}*{RECORDING_ENDING}")):
                paths.setdefault(path.name, path)
        return [Stored(str(path), content) for path in paths.values() if (content := files.read(path)) is not None]

    def is_before(self, path: str, other_path: str) -> bool:
        """Whether the directory of one recording is searched before that of another."""
        order = [str(directory) for directory in self.directories.read]
        return order.index(os.path.dirname(path)) < order.index(os.path.dirname(other_path))

    def other_outcomes(self, key: str, name: str) -> list[str]:
        """Return the names of the model lists or failures that a new outcome of `models.list` replaces.

        `name` is that of the new recording; see `model_list_name`.
        """
        start = model_list_start(key) if name == key else key
        return sorted(name_of(path.name) for path in self.directories.written.glob(f"{start}*{RECORDING_ENDING}"))

    def holds(self, name: str) -> bool:
        """Whether the directory for new recordings has a file with this name, readable or not."""
        return os.path.lexists(self.path_of(name))

    def written(self, name: str) -> bytes | None:
        """Return the content of the file with this name in the directory for new recordings.

        None if there is none or if it cannot be read.
        """
        return files.content_of(self.path_of(name))

    def write(
        self,
        name: str,
        content: bytes,
        *,
        attachment: bytes | None = None,
        wait: bool = True,
        patience: Patience | None = None,
    ) -> Path | None:
        """Store a recording and return its path, or None if `wait` is False and another writer holds the lock.

        See `replacing` and `Slot.put`.
        """
        with self.replacing(name, wait=wait, patience=patience) as slot:
            if slot.is_blocked:
                return None
            slot.put(content, attachment)
        return slot.path

    @contextmanager
    def replacing(self, name: str, *, wait: bool = True, patience: Patience | None = None) -> Iterator[Slot]:
        """Hold the write lock of a recording while the caller decides what to store; yields its slot.

        Waits as long as `patience` allows, then goes on without the lock and warns with LockNotAvailable at the end. If
        `wait` is False and another writer holds the lock, the slot is blocked and nothing may be stored.
        Raises UnwritableRecording for an OSError of the block.
        """
        path = self.path_of(name)
        with files.refusals_of(path):
            if not self._has_removed_abandoned:
                self._has_removed_abandoned = True
                self._remove_abandoned()
            with self.locks.writing(name, wait=wait, patience=patience) as is_held:
                is_blocked = not is_held and not wait
                slot = Slot(name, path, not os.path.lexists(path), files.content_of(path), is_blocked)
                yield slot
                self._is_synced = self._is_synced and not slot.is_changed
        self._warn_without(is_held or is_blocked, name)

    def _warn_without(self, is_held: bool, name: str) -> None:
        if not is_held:
            warning = LockNotAvailable(self.path_of(name), self.locks.path_of(name), LONGEST_WAIT_SECONDS)
            warnings.warn(warning, stacklevel=5)

    def sync(self) -> None:
        """Flush the names of all written files to disk. Once a session, since it takes as long as a write."""
        if not self._is_synced:
            self._is_synced = True
            files.sync_directory(self.directories.written)

    def cut_series(self, key: str, length: int, last: int = 0, patience: Patience | None = None) -> None:
        """Remove the answers to `key` after the first `length`, left from an earlier recording of the series.

        A series has no gaps, except that now it may have some up to position `last`.
        """
        position, patience = length + 1, patience or Patience()
        while (is_there := self.holds(recording_name(key, position))) or position <= last:
            if is_there:
                self.remove(recording_name(key, position), patience)
            position += 1

    def remove(self, name: str, patience: Patience | None = None, *, wait: bool = True) -> bool:
        """Remove a recording, if there is one, and its attachment; raises UnwritableRecording.

        Returns False, with nothing removed, if `wait` is False and another writer holds the lock. Otherwise waits for
        the lock, and warns, as `replacing` does.
        """
        path = self.path_of(name)
        with files.refusals_of(path), self.locks.writing(name, wait=wait, patience=patience) as is_held:
            if not is_held and not wait:
                return False
            content = files.content_of(path)
            files.remove(path)
            _remove_attachment(path, content, None)
        self._warn_without(is_held, name)
        return True

    def rename(self, name: str, new_name: str, patience: Patience | None = None) -> None:
        """Rename a recording, replacing the one that has the new name; raises UnwritableRecording.

        The attachment is copied first, so that a killed process leaves no recording without its attachment. Waits for
        the lock, and warns, as `replacing` does.
        """
        path, new_path = self.path_of(name), self.path_of(new_name)
        if name == new_name:
            return
        with files.refusals_of(new_path), self.locks.writing(new_name, patience=patience) as is_held:
            content, replaced = files.content_of(path), files.content_of(new_path)
            attachment_path = attachments.named_in(path, content)
            new_attachment_path = attachments.named_in(new_path, content)
            attachment = None if attachment_path is None else files.content_of(attachment_path)
            if new_attachment_path is not None and attachment is not None:
                files.replace(new_attachment_path, attachment, new_name)
            files.despite_others(lambda: os.replace(path, new_path))
            files.sync_directory(new_path.parent)
            _remove_attachment(new_path, replaced, new_attachment_path)
            if attachment_path is not None:
                files.remove(attachment_path)
        self._warn_without(is_held, new_name)

    def path_of(self, name: str) -> Path:
        """Return where a recording with this name is written; raises ValueError if it is not a plain file name."""
        if not is_writable_name(name):
            raise ValueError(f"{name!r} is not a recording's name")
        return self.directories.written / file_of(name)

    def _remove_abandoned(self) -> None:
        """Remove what killed writers left behind: temporary files, and attachments without a recording.

        Only files with names of ours, since other tools keep temporary files too, and only if their lock is free: a
        held one has a living writer. Called before anything is written, since they may fill the disk.
        """
        try:
            names = os.listdir(self.directories.written)
        except FileNotFoundError:
            return
        for name in names:
            path = self.directories.written / name
            if (owner := owner_of_temporary(name)) is not None:
                with self.locks.writing(owner, wait=False) as is_held:
                    if is_held:
                        _unlink(path)
            elif name.endswith(ATTACHMENT_ENDING) and attachments.is_orphan(path):
                with self.locks.writing(attachments.owner_of(path), wait=False) as is_held:
                    if is_held and attachments.is_orphan(path):
                        _unlink(path)
        self.locks.remove_abandoned()


@dataclass(slots=True)
class Slot:
    """The file of one recording while its writer decides what to store."""

    name: str
    path: Path
    is_new: bool
    """Whether there is no file yet."""
    old: bytes | None
    """The content of the file; None if there is none or if it cannot be read."""
    is_blocked: bool = False
    """Whether another writer holds the lock: then nothing may be stored."""
    is_changed: bool = False

    def put(self, content: bytes, attachment: bytes | None = None) -> None:
        """Store the content; readers see the old file or the new one, never a part. Raises OSError.

        The attachment gets a file of its own, written first. A file with this content already is not touched, so that
        recording a suite twice gives no diff. A file that another writer created meanwhile, without the lock, stays.
        """
        attachment_path = None
        if attachment is not None:
            attachment_path = attachments.path_of(self.path, digest_of(attachment))
            if files.content_of(attachment_path) != attachment:
                files.replace(attachment_path, attachment, self.name)
        if self.is_new:
            try:
                files.create(self.path, content, self.name)
            except FileExistsError:  # that answer is as good as this one
                stays = attachments.named_in(self.path, files.content_of(self.path))
                _remove_attachment(self.path, content, stays)
                return
        elif content == self.old:
            return
        else:
            files.replace(self.path, content, self.name)
        self.is_changed = True
        _remove_attachment(self.path, self.old, attachment_path)


def _remove_attachment(path: Path, replaced: bytes | None, current: Path | None) -> None:
    """Remove the attachment of a recording's replaced content, unless it is the current one."""
    attachment_path = attachments.named_in(path, replaced)
    if attachment_path is not None and attachment_path != current:
        files.remove(attachment_path)


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        pass  # it does no harm; the recording matters more
