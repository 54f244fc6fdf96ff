"""One folder's recordings: found by name, written whole or not at all."""

from __future__ import annotations

import operator
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..errors import CorruptRecording, UnwritableRecording
from .locks import Locks
from .places import Places

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_USUAL_SIZE = 1 << 15
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Stored(NamedTuple):
    """A file as it was found."""

    path: str
    content: bytes


class Store:
    """The recordings of one session's places. Reading takes no lock and needs no right to write."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.locks = Locks(places.written)
        self._read_prefixes = tuple(f"{folder}{os.sep}" for folder in places.read)
        self._has_tidied = False

    def read(self, name: str) -> Stored | None:
        """Return the first file of this name in the places to read, None where there is none.

        Raises CorruptRecording where there is one that cannot be read.
        """
        for prefix in self._read_prefixes:
            if (stored := _read(f"{prefix}{name}.json")) is not None:
                return stored
        return None

    def read_all(self, name_start: str) -> list[Stored]:
        """Return every file whose name starts so, in the places' order and then by name. Scans the folders."""
        paths = [path for folder in self.places.read for path in sorted(folder.glob(f"{name_start}*.json"))]
        return [stored for path in paths if (stored := _read(str(path))) is not None]

    def write(
        self,
        name: str,
        content: bytes,
        *,
        attachment: bytes | None = None,
        wait: bool = True,
        is_same: Callable[[bytes, bytes], bool] = operator.eq,
    ) -> Path | None:
        """Store `content` under `name`: whoever reads sees the old file or the new one, never a part.

        An attachment goes to a file beside it, before it. A file that says the same already is left alone, its time
        of change included: recording a suite twice gives no diff.
        Returns the path; None, with nothing written, where another writer holds the lock and `wait` is False.
        Raises UnwritableRecording where the disk will not have it; what was there stays as it was.
        """
        path = self.path_of(name)
        try:
            with self.locks.writing(name, wait=wait) as is_held:
                if not is_held:
                    return None
                if not _holds(path, content, attachment, is_same):
                    if attachment is not None:
                        _replace(attachment_of(path), attachment)
                    _replace(path, content)
                    if attachment is None:
                        attachment_of(path).unlink(missing_ok=True)
            if not self._has_tidied:
                self._has_tidied = True
                self._remove_abandoned()
        except OSError as error:
            raise UnwritableRecording(path, _reason(error)) from error
        return path

    def cut_row(self, key: str, length: int) -> None:
        """Remove the answers to `key` after the first `length`: what a row held before it was recorded anew."""
        place = length + 1
        while True:
            path = self.path_of(row_name(key, place))
            try:
                path.unlink()
                attachment_of(path).unlink(missing_ok=True)
            except FileNotFoundError:
                return
            except OSError as error:
                raise UnwritableRecording(path, _reason(error)) from error
            place += 1

    def path_of(self, name: str) -> Path:
        """Return where `name` is written; raises ValueError for a name that is no plain file name."""
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is not a recording's name")
        return self.places.written / f"{name}.json"

    def _remove_abandoned(self) -> None:
        """Remove the temporary files of writers that died; one whose lock is held has a writer that lives."""
        for path in self.places.written.glob(".*.tmp"):
            name = path.name[1:].partition(".tmp-")[0]
            with self.locks.writing(name, wait=False) as is_held:
                if is_held:
                    path.unlink(missing_ok=True)


def attachment_of(path: Path) -> Path:
    """Return where the attachment of a recording lies: named after it, whatever the recording says."""
    return path.with_suffix(".bin")


def read_attachment(recording_path: str) -> bytes:
    """Return the bytes beside a recording; raises CorruptRecording where there are none."""
    path = attachment_of(Path(recording_path))
    stored = _read(str(path))
    if stored is None:
        raise CorruptRecording(
            Path(recording_path), f"its answer's bytes are missing: there is no {path.name} beside it"
        )
    return stored.content


def row_name(key: str, place: int) -> str:
    """Return the name of the `place`-th answer (counted from 1) to one key."""
    return key if place == 1 else f"{key}.{place}"


def _read(path: str) -> Stored | None:
    try:
        descriptor = os.open(path, _READ_FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CorruptRecording(Path(path), _reason(error)) from error
    try:
        content = os.read(descriptor, _USUAL_SIZE)
        if len(content) == _USUAL_SIZE:  # a regular file reads short only at its end
            content = _read_on(descriptor, content)
        return Stored(path, content)
    except OSError as error:
        raise CorruptRecording(Path(path), _reason(error)) from error
    finally:
        os.close(descriptor)


def _holds(path: Path, content: bytes, attachment: bytes | None, is_same: Callable[[bytes, bytes], bool]) -> bool:
    try:
        return is_same(path.read_bytes(), content) and (
            attachment is None or attachment_of(path).read_bytes() == attachment
        )
    except OSError:  # not there, or not to be read: it is replaced, or that fails with its reason
        return False


def _replace(path: Path, content: bytes) -> None:
    temporary = path.parent / f".{path.stem}.tmp-{secrets.token_hex(8)}.tmp"
    descriptor = os.open(temporary, _WRITE_FLAGS, 0o666)
    try:
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # Windows opens no folders
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # a file system that cannot; the rename itself stands
    finally:
        os.close(descriptor)


def _read_on(descriptor: int, content: bytes) -> bytes:
    rest = os.fstat(descriptor).st_size - len(content)
    parts = [content]
    while parts[-1]:
        parts.append(os.read(descriptor, max(rest, 0) + 1))
        rest -= len(parts[-1])
    return b"".join(parts)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
