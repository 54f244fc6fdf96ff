"""One file of a folder of recordings: read without trusting what lies there, replaced whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ..errors import CorruptRecording, UnwritableRecording
from ..recording.layout import temporary_name

_USUAL_SIZE = 1 << 15
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
# Without waiting: opening a named pipe that nobody writes to would else hang the run.
_READ_FLAGS = os.O_RDONLY | _NO_LINKS
for _name in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
    _READ_FLAGS |= getattr(os, _name, 0)
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_IS_A_LINK = (errno.ELOOP, errno.EMLINK)


class Stored(NamedTuple):
    """A file as it was found."""

    path: str
    content: bytes


def read(path: str) -> Stored | None:
    """Return the file at `path`, None where there is none.

    A link is followed where it stays in its folder (whichever folder that folder itself is a link to). Raises
    CorruptRecording for a link that leaves it or leads nowhere, and for whatever is there and no readable file.
    """
    # Opened before it is looked at: a file that is a file costs nothing more.
    try:
        if not _NO_LINKS and os.path.islink(path):
            return Stored(path, _content_at(_link_target(path), path))
        return Stored(path, _content_at(path, path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in _IS_A_LINK and os.path.islink(path):
            try:
                return Stored(path, _content_at(_link_target(path), path))
            except OSError as other:
                error = other
        raise CorruptRecording(path, reason(error)) from error


def content_of(path: Path) -> bytes | None:
    """Return what lies at `path`; None for what is not there or cannot be read: it may be replaced."""
    try:
        stored = read(str(path))
    except CorruptRecording:
        return None
    return None if stored is None else stored.content


def replace(path: Path, content: bytes, owner: str) -> None:
    """Put `content` in the place of what is at `path`: whoever reads sees the old file or the new one, never a part.

    A link is replaced itself, never what it leads to. `owner` names the recording whose write lock is held: by it a
    temporary file that a killed writer left is told from one being written. The file's bytes have reached the disk
    before its name has; for the name see `sync_directory`. Raises OSError, leaving no such file.
    """
    with _temporary_file(path, content, owner) as temporary:
        os.replace(temporary, path)


def create(path: Path, content: bytes, owner: str) -> None:
    """Put `content` at `path` as `replace` does; raises FileExistsError, changing nothing, where something is there."""
    with _temporary_file(path, content, owner) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without links: no step that both looks and writes
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
            os.replace(temporary, path)
        else:
            temporary.unlink(missing_ok=True)


@contextmanager
def _temporary_file(path: Path, content: bytes, owner: str) -> Iterator[Path]:
    temporary = path.with_name(temporary_name(owner))
    descriptor = os.open(temporary, _WRITE_FLAGS, 0o666)
    try:
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield temporary
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_directory(directory: Path) -> None:
    """Have the names of a folder reach the disk, where the platform can."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError:
        return  # Windows opens no folders
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # a file system that cannot; the rename itself stands
    finally:
        os.close(descriptor)


def make_ignored(directory: Path) -> None:
    """Create a folder that git passes over, unless it is there; raises OSError.

    Not through a link: a stranger's recordings could otherwise have us make files wherever they like.
    """
    if directory.is_symlink() or directory.is_file():
        raise NotADirectoryError(errno.ENOTDIR, f"{directory} is a link or a file, not a folder")
    directory.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), open(directory / ".gitignore", "x", encoding="ascii") as ignoring:
        ignoring.write("*\n")


@contextmanager
def refusals_of(path: Path) -> Iterator[None]:
    """Raise UnwritableRecording, which names the recording at `path`, for an OSError of the block."""
    try:
        yield
    except UnwritableRecording:
        raise
    except OSError as error:
        raise UnwritableRecording(path, reason(error)) from error


def is_inside(path: str, directory: str) -> bool:
    """Whether `path`, with all links followed, lies in `directory`, with all links followed."""
    target, root = os.path.realpath(path), os.path.realpath(directory)
    return target == root or target.startswith(root.rstrip(os.sep) + os.sep)


def reason(error: OSError) -> str:
    """Return what the system says of an error, for people."""
    return error.strerror or str(error)


def _content_at(position: str, path: str) -> bytes:
    """Return the bytes of the file at `position`; raises CorruptRecording for `path` if it is not a regular file."""
    descriptor = os.open(position, _READ_FLAGS)
    try:
        content = os.read(descriptor, _USUAL_SIZE)
        # A regular file reads short only at its end; nothing at all is what a pipe without a writer gives too.
        if not content or len(content) == _USUAL_SIZE:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise CorruptRecording(path, "it is a pipe or a device, not a file")
            if content:
                content = _whole(descriptor, found.st_size)
        return content
    finally:
        os.close(descriptor)


def _whole(descriptor: int, size: int) -> bytes:
    # From the start again, since what has been read and the rest would have to be joined: twice the file in memory.
    os.lseek(descriptor, 0, os.SEEK_SET)
    content = os.read(descriptor, size + 1)
    while len(content) < size and (more := os.read(descriptor, size + 1 - len(content))):
        content += more
    return content


def _link_target(path: str) -> str:
    if not is_inside(path, os.path.dirname(path)):
        raise CorruptRecording(path, f"it is a link that leaves its folder, to {os.readlink(path)}")
    target = os.path.realpath(path)
    if not os.path.exists(target):
        raise CorruptRecording(path, f"it is a link to {os.readlink(path)}, which is not there")
    return target
