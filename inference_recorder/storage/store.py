"""One folder's recordings: found by name, written whole or not at all."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

from ..errors import LockNotAvailable
from ..recording.layout import (
    ATTACHMENT_ENDING,
    RECORDING_ENDING,
    attachment_name,
    digest_of,
    file_of,
    is_writable_name,
    model_list_start,
    name_of,
    owner_of_temporary,
)
from ..recording.layout import recording_name as recording_name
from . import attachments, files
from .directories import Directories
from .files import Stored
from .locks import LONGEST_WAIT_SECONDS, Locks, Patience


class Store:
    """The recordings of one session's places. Reading takes no lock and needs no right to write."""

    def __init__(self, directories: Directories) -> None:
        self.directories = directories
        self.locks = Locks(directories.written)
        self._read_prefixes = tuple(f"{directory}{os.sep}" for directory in directories.read)
        self._has_tidied = False
        self._is_synced = True

    def read(self, name: str) -> Stored | None:
        """Return the first file of this name in the places to read, None where there is none.

        Raises CorruptRecording where there is one that cannot be read.
        """
        for prefix in self._read_prefixes:
            if (stored := files.read(f"{prefix}{name}{RECORDING_ENDING}")) is not None:
                return stored
        return None

    def read_all(self, name_start: str) -> list[Stored]:
        """Return the files whose names start so, in the places' order and then by name. Scans the folders.

        Of several files of one name the first is returned, as by `read`.
        """
        paths: dict[str, Path] = {}
        for directory in self.directories.read:
            for path in sorted(directory.glob(f"{name_start}*{RECORDING_ENDING}")):
                paths.setdefault(path.name, path)
        return [stored for path in paths.values() if (stored := files.read(str(path))) is not None]

    def is_before(self, path: str, other_path: str) -> bool:
        """Whether the folder of one recording is looked in before that of another."""
        order = [str(directory) for directory in self.directories.read]
        return order.index(os.path.dirname(path)) < order.index(os.path.dirname(other_path))

    def other_outcomes(self, key: str, name: str) -> list[str]:
        """Return what a new recording of a list of models replaces where it is written: lists for a failure and so on.

        `name` is that of the new one; see `model_list_name`.
        """
        start = model_list_start(key) if name == key else key
        return sorted(name_of(path.name) for path in self.directories.written.glob(f"{start}*{RECORDING_ENDING}"))

    def holds(self, name: str) -> bool:
        """Return whether anything has this name where recordings are written, readable or not."""
        return os.path.lexists(self.path_of(name))

    def written(self, name: str) -> bytes | None:
        """Return what has this name where recordings are written; None for nothing, or what cannot be read."""
        return files.content_of(self.path_of(name))

    def write(
        self,
        name: str,
        content: bytes,
        *,
        attachment: bytes | None = None,
        wait: bool = True,
        patience: Patience | None = None,
        may_replace: bool = True,
        revised: Callable[[bytes, bytes], bytes] = lambda old, content: content,
    ) -> Path | None:
        """Store `content` under `name`: whoever reads sees the old file or the new one, never a part.

        An attachment goes to a file beside it, before it. If there is a file already, `revised` is given its content
        and the new one, and returns what to store. A file whose content stays is left alone, its time of change
        included: recording a suite twice gives no diff. So is any file if `may_replace` is False.
        Returns the path; None, with nothing written, where another writer holds the lock and `wait` is False. Otherwise
        waits as long as `patience` has it, then writes without the lock: a new file is never written over another one.
        Raises UnwritableRecording where the disk will not have it; what was there stays as it was. Warns with
        LockNotAvailable, once the file is in place, where it did not get the lock.
        """
        path = self.path_of(name)
        with files.refusals_of(path):
            if not self._has_tidied:
                self._has_tidied = True
                self._remove_abandoned()
            with self.locks.writing(name, wait=wait, patience=patience) as is_held:
                if not is_held and not wait:
                    return None
                self._put(name, content, attachment, revised, may_replace=may_replace)
        self._warn_without(is_held, name)
        return path

    def _put(
        self,
        name: str,
        content: bytes,
        attachment: bytes | None,
        revised: Callable[[bytes, bytes], bytes],
        *,
        may_replace: bool,
    ) -> None:
        path = self.path_of(name)
        is_new = not os.path.lexists(path)
        if not is_new and not may_replace:
            return
        old, beside = files.content_of(path), None
        if attachment is not None:
            beside = path.with_name(attachment_name(name, digest_of(attachment)))
            if files.content_of(beside) != attachment:
                files.replace(beside, attachment, name)
        if is_new:
            try:
                files.create(path, content, name)
            except FileExistsError:  # written meanwhile, without the lock: that answer is as good as this one
                _remove_attachment(path, content, attachments.named_in(path, files.content_of(path)))
                return
        elif old is None or old != (content := revised(old, content)):
            files.replace(path, content, name)
        else:
            return
        self._is_synced = False
        _remove_attachment(path, old, beside)

    def _warn_without(self, is_held: bool, name: str) -> None:
        if not is_held:
            warning = LockNotAvailable(self.path_of(name), self.locks.path_of(name), LONGEST_WAIT_SECONDS)
            warnings.warn(warning, stacklevel=3)

    def sync(self) -> None:
        """Have the names of all that was written reach the disk; once a session, since it takes as long as a write."""
        if not self._is_synced:
            self._is_synced = True
            files.sync_directory(self.directories.written)

    def cut_series(self, key: str, length: int, last: int = 0, patience: Patience | None = None) -> None:
        """Remove the answers to `key` after the first `length`: what a row held before it was recorded anew.

        A row has no gaps, but up to its place `last` it may have them now.
        """
        position, patience = length + 1, patience or Patience()
        while (is_there := self.holds(recording_name(key, position))) or position <= last:
            if is_there:
                self.remove(recording_name(key, position), patience)
            position += 1

    def remove(self, name: str, patience: Patience | None = None, *, wait: bool = True) -> bool:
        """Remove a recording and what lies beside it, if it is there; raises UnwritableRecording.

        Returns False, with nothing removed, where another writer holds the lock and `wait` is False. Otherwise waits
        for the lock, and warns, as `write` does.
        """
        path = self.path_of(name)
        with files.refusals_of(path), self.locks.writing(name, wait=wait, patience=patience) as is_held:
            if not is_held and not wait:
                return False
            content = files.content_of(path)
            path.unlink(missing_ok=True)
            _remove_attachment(path, content, None)
        self._warn_without(is_held, name)
        return True

    def remove_all(self, names: Iterable[str], patience: Patience | None, *, wait: bool) -> bool:
        """Remove recordings as `remove` does; returns whether all are gone."""
        return all(self.remove(name, patience, wait=wait) for name in names)

    def rename(self, name: str, new_name: str, patience: Patience | None = None) -> None:
        """Have a recording take another name, in the place of what was there; raises UnwritableRecording.

        Its attachment is copied first, so that whoever is killed on the way leaves no recording without its bytes.
        Waits for the lock, and warns, as `write` does.
        """
        path, new_path = self.path_of(name), self.path_of(new_name)
        if name == new_name:
            return
        with files.refusals_of(new_path), self.locks.writing(new_name, patience=patience) as is_held:
            content, old = files.content_of(path), files.content_of(new_path)
            beside, new_beside = attachments.named_in(path, content), attachments.named_in(new_path, content)
            attachment = None if beside is None else files.content_of(beside)
            if new_beside is not None and attachment is not None:
                files.replace(new_beside, attachment, new_name)
            os.replace(path, new_path)
            files.sync_directory(new_path.parent)
            _remove_attachment(new_path, old, new_beside)
            if beside is not None:
                beside.unlink(missing_ok=True)
        self._warn_without(is_held, new_name)

    def path_of(self, name: str) -> Path:
        """Return where `name` is written; raises ValueError for a name that is no plain file name."""
        if not is_writable_name(name):
            raise ValueError(f"{name!r} is not a recording's name")
        return self.directories.written / file_of(name)

    def _remove_abandoned(self) -> None:
        """Remove what writers left that died: temporary files, and attachments whose recording never came.

        Only what has a name of ours; other tools keep temporary files too. One whose lock is held has a writer that
        lives. Before anything is written, since they may fill the disk.
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


def _remove_attachment(path: Path, content: bytes | None, successor: Path | None) -> None:
    """Remove what lay beside a recording that held `content`, now that it is replaced."""
    beside = attachments.named_in(path, content)
    if beside is not None and beside != successor:
        beside.unlink(missing_ok=True)


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        pass  # what cannot be removed does no harm; the recording is what counts
