"""Single files: read without trusting what is there, replaced completely or not at all."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from ..errors import CorruptRecording, UnwritableRecording
from ..recording.layout import temporary_name

_USUAL_SIZE = 1 << 15
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
# Non-blocking: opening a named pipe without a writer would otherwise hang the run.
_READ_FLAGS = os.O_RDONLY | _NO_LINKS
for _name in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
    _READ_FLAGS |= getattr(os, _name, 0)
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_IS_A_LINK = (errno.ELOOP, errno.EMLINK)
_LONGEST_USE_SECONDS = 1.0 if os.name == "nt" else 0.0
_POLL_SECONDS = 0.005
_Result = TypeVar("_Result")


def read(path: str | Path) -> bytes | None:
    """Return the content of the file at `path`, or None if it does not exist.

    A link is followed only if its target is in the same directory (which may be a link itself). Raises CorruptRecording
    for any other link, and for anything that is not a readable file.
    """
    # Opened without looking first: a regular file costs nothing more.
    try:
        return _content_unless_link(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in _IS_A_LINK and os.path.islink(path):
            try:
                return _content_at(_link_target(path), path)
            except OSError as target_error:
                error = target_error
        elif isinstance(error, PermissionError) and _LONGEST_USE_SECONDS and not os.path.isdir(path):
            try:
                return despite_others(lambda: _content_unless_link(path))
            except FileNotFoundError:
                return None
            except OSError as last_error:
                error = last_error
        raise CorruptRecording(path, reason(error)) from error


def content_of(path: Path) -> bytes | None:
    """Return the content of the file at `path`; None if it does not exist or cannot be read."""
    try:
        return read(path)
    except CorruptRecording:
        return None


def replace(path: Path, content: bytes, owner: str) -> None:
    """Replace the file at `path`; readers see the old file or the new one, never a part. Raises OSError.

    A link is replaced itself, not its target. `owner` is the recording whose write lock is held; it is part of the
    temporary file's name and shows whether a living process is writing that file. The content is flushed to disk
    before the file gets its name; to flush the name, call `sync_directory`.
    """
    with _temporary_file(path, content, owner) as temporary:
        despite_others(lambda: os.replace(temporary, path))


def remove(path: Path) -> None:
    """Remove a file, if there is one; raises OSError."""
    despite_others(lambda: path.unlink(missing_ok=True))


def despite_others(change: Callable[[], _Result], seconds: float = _LONGEST_USE_SECONDS) -> _Result:
    """Return what `change` returns; on Windows, try again for a while if it raises PermissionError.

    There a file cannot be replaced, moved or removed while another process reads it, which takes a moment.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return change()
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_SECONDS)


def create(path: Path, content: bytes, owner: str) -> None:
    """Create a file at `path` as `replace` does; raises FileExistsError if there is one already."""
    with _temporary_file(path, content, owner) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without links has no atomic create
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
            despite_others(lambda: os.replace(temporary, path))
        else:
            remove(temporary)


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
    """Flush the names in a directory to disk, if the platform can."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError:
        return  # Windows cannot open a directory
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # not supported by the file system; the rename itself has happened
    finally:
        os.close(descriptor)


def is_directory(path: Path) -> bool:
    """Whether there is a directory at `path`; raises NotADirectoryError for a link or a file.

    Follows no link: otherwise a stranger's recordings could make us create files anywhere.
    """
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            return True
    except FileNotFoundError:
        return False
    raise NotADirectoryError(errno.ENOTDIR, f"{path} is a link or a file, not a directory")


def make_ignored(directory: Path) -> None:
    """Create a directory that git ignores, unless it exists; raises OSError as `is_directory` does."""
    if not is_directory(directory):
        directory.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), open(directory / ".gitignore", "x", encoding="ascii") as ignoring:
        ignoring.write("*\n")


@contextmanager
def refusals_of(path: Path) -> Iterator[None]:
    """Raise UnwritableRecording for the recording at `path` instead of an OSError in the block."""
    try:
        yield
    except UnwritableRecording:
        raise
    except OSError as error:
        raise UnwritableRecording(path, reason(error)) from error


def is_inside(path: str | Path, directory: str | Path) -> bool:
    """Whether `path` is in `directory`, with all links of both followed."""
    target, root = os.path.realpath(path), os.path.realpath(directory)
    return target == root or target.startswith(root.rstrip(os.sep) + os.sep)


def reason(error: OSError) -> str:
    """Return the system's message for an error."""
    return error.strerror or str(error)


def _content_unless_link(path: str | Path) -> bytes:
    """Return the content of a file; where the system cannot refuse to open a link, look for one first."""
    if not _NO_LINKS and os.path.islink(path):
        return _content_at(_link_target(path), path)
    return _content_at(path, path)


def _content_at(target: str | Path, path: str | Path) -> bytes:
    """Return the content of the file at `target`; raises CorruptRecording for `path` if it is not a regular file."""
    descriptor = os.open(target, _READ_FLAGS)
    try:
        content = os.read(descriptor, _USUAL_SIZE)
        # A short read is the end of a regular file; an empty one may also come from a pipe without a writer.
        if not content or len(content) == _USUAL_SIZE:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise CorruptRecording(path, "it is a pipe or a device, not a file")
            if content:
                content = _whole(descriptor, status.st_size)
        return content
    finally:
        os.close(descriptor)


def _whole(descriptor: int, size: int) -> bytes:
    # From the start again: joining the first part with the rest would hold the file in memory twice.
    os.lseek(descriptor, 0, os.SEEK_SET)
    content = os.read(descriptor, size + 1)
    while len(content) < size and (more := os.read(descriptor, size + 1 - len(content))):
        content += more
    return content


def _link_target(path: str | Path) -> str:
    if not is_inside(path, os.path.dirname(path)):
        raise CorruptRecording(path, f"it is a link out of its directory, to {os.readlink(path)}")
    target = os.path.realpath(path)
    if not os.path.exists(target):
        raise CorruptRecording(path, f"it is a link to {os.readlink(path)}, which does not exist")
    return target
