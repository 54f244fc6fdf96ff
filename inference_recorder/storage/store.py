"""One folder's recordings: found by name, written whole or not at all."""

from __future__ import annotations

import operator
import os
import re
import secrets
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ..errors import CorruptRecording, UnwritableRecording
from .locks import Locks
from .places import Places

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ATTACHED = re.compile(rb'"__type__":\s*"attached",\s*"__data__":\s*"([0-9a-f]{64})"')
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
                old = _content(path)
                beside = None if attachment is None else attachment_of(path, sha256(attachment).hexdigest())
                if beside is not None and not beside.exists():
                    _replace(beside, attachment or b"")
                if old is None or not is_same(old, content):
                    _replace(path, content)
                    _remove_attachment(path, old, beside)
            if not self._has_tidied:
                self._has_tidied = True
                self._remove_abandoned()
        except OSError as error:
            raise UnwritableRecording(path, _reason(error)) from error
        return path

    def cut_row(self, key: str, length: int, last: int = 0) -> None:
        """Remove the answers to `key` after the first `length`: what a row held before it was recorded anew.

        A row has no gaps, but up to its place `last` it may have them now.
        """
        place = length + 1
        while True:
            path = self.path_of(row_name(key, place))
            try:
                content = _content(path)
                path.unlink()
                _remove_attachment(path, content, None)
            except FileNotFoundError:
                if place > last:
                    return
            except OSError as error:
                raise UnwritableRecording(path, _reason(error)) from error
            place += 1

    def remove(self, name: str) -> None:
        """Remove a recording and what lies beside it, if it is there; raises UnwritableRecording."""
        path = self.path_of(name)
        try:
            with self.locks.writing(name):
                content = _content(path)
                path.unlink(missing_ok=True)
                _remove_attachment(path, content, None)
        except OSError as error:
            raise UnwritableRecording(path, _reason(error)) from error

    def rename(self, name: str, new_name: str) -> None:
        """Have a recording take another name, in the place of what was there; raises UnwritableRecording."""
        path, new_path = self.path_of(name), self.path_of(new_name)
        try:
            content = path.read_bytes()
            found = _ATTACHED.search(content)
            if found is not None:
                digest = found.group(1).decode()
                os.replace(attachment_of(path, digest), attachment_of(new_path, digest))
            old = _content(new_path)
            os.replace(path, new_path)
            _remove_attachment(new_path, old, None if found is None else attachment_of(new_path, digest))
        except OSError as error:
            raise UnwritableRecording(new_path, _reason(error)) from error

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


def attachment_of(path: Path, digest: str) -> Path:
    """Return where the bytes of this sha256 lie beside a recording; raises ValueError for what is no sha256.

    Named after their content too, so that a reader of the old recording does not find the new one's.
    """
    if _DIGEST.fullmatch(digest) is None:
        raise ValueError(f"{digest!r} is not a sha256")
    return path.with_suffix(f".{digest[:16]}.bin")


def attached_to(path: Path, content: bytes) -> Path | None:
    """Return where the bytes lie that a recording with this content keeps beside itself, None where it keeps none."""
    found = _ATTACHED.search(content)
    return None if found is None else attachment_of(path, found.group(1).decode())


def read_attachment(recording_path: str, digest: str) -> bytes:
    """Return the bytes of this sha256 beside a recording; raises CorruptRecording where they are not."""
    path = Path(recording_path)
    try:
        beside = attachment_of(path, digest)
    except (TypeError, ValueError):
        raise CorruptRecording(path, "$.response.body.__data__ must be a sha256") from None
    stored = _read(str(beside))
    if stored is None:
        before = _identity(path)
        now = _ATTACHED.search(_content(path) or b"")
        if now is not None and now.group(1).decode() != digest:  # recorded anew since the recording was read
            return read_attachment(recording_path, now.group(1).decode())
        # Recorded anew twice since then, it may name the same bytes again, which are there now.
        stored = _read(str(beside))
        if stored is None and now is not None and before != _identity(path):
            return read_attachment(recording_path, digest)
    if stored is None:
        raise CorruptRecording(path, f"its answer's bytes are missing: there is no {beside.name} beside it")
    if sha256(stored.content).hexdigest() != digest:
        raise CorruptRecording(path, f"{beside.name} beside it is not what was recorded with it")
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


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells one file of this name from the next."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:  # not there, or not to be read: it is replaced, or that fails with its reason
        return None


def _remove_attachment(path: Path, content: bytes | None, successor: Path | None) -> None:
    """Remove what lay beside a recording that held `content`, now that it is replaced."""
    found = _ATTACHED.search(content or b"")
    if found is not None and (beside := attachment_of(path, found.group(1).decode())) != successor:
        beside.unlink(missing_ok=True)


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
