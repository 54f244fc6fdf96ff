"""The directories of one session: where it writes recordings and where it reads them."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import UnusableDirectory
from ..modes import InferenceMode
from .files import is_inside

LLAMA_STACK_DIRECTORIES = ("recordings", "responses")
"""Where newer and older versions of llama-stack keep their files, below the directory they are given."""


@dataclass(frozen=True, slots=True)
class Roots:
    """The directories that test ids are relative to."""

    of_run: Path
    """pytest's rootdir, for the ids of the tests that run."""
    of_recordings: tuple[Path, ...]
    """For the ids in recordings, the first for those that are written."""


@dataclass(frozen=True, slots=True)
class Directories:
    """`written` takes new recordings; `read` are searched for a recording, in this order."""

    written: Path
    read: tuple[Path, ...]
    roots: Roots | None = None
    """None if the ids of all recordings are those that the tests have in this run."""


def roots_from(rootdir: Path, roots: Iterable[Path]) -> Roots | None:
    """Return the roots of recordings, the first for what is written, and rootdir; None if there is no other one."""
    of_recordings = tuple(dict.fromkeys((*roots, rootdir)))
    return None if of_recordings == (rootdir,) else Roots(rootdir, of_recordings)


def directories_from(directory: Path, *others: Path, roots: Roots | None = None) -> Directories:
    """Return the directories of a session that records into `directory` and searches the others too."""
    read = dict.fromkeys(path for each in (directory, *others) for path in _searched(each))
    return Directories(directory, tuple(read), roots)


def check_usable(directories: Directories, mode: InferenceMode) -> None:
    """Raise UnusableDirectory if `mode` cannot work in these directories; creates nothing.

    A directory that does not exist counts as an empty one; to record, it must be possible to create it. Whether
    record-if-missing can write is checked only at a miss, by `check_writable`.
    """
    directory = directories.written
    try:
        is_directory = stat.S_ISDIR(os.stat(directory).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        _check_creatable(directory, mode)
        return
    except (OSError, ValueError) as error:  # the name is too long or has a NUL, or links form a circle
        raise UnusableDirectory(directory, getattr(error, "strerror", None) or str(error)) from error
    if not is_directory:
        raise UnusableDirectory(directory, "it is a file, not a directory")
    if not os.access(directory, os.R_OK | os.X_OK):
        raise UnusableDirectory(directory, "it cannot be read (permission denied)")
    if mode is InferenceMode.RECORD and not os.access(directory, os.W_OK):
        raise UnusableDirectory(directory, "it cannot be written (permission denied or a read-only file system)")
    for below in directories.read:
        if below != directory and os.path.islink(below) and not is_inside(below, directory):
            raise UnusableDirectory(below, f"it is a link out of {directory}")


def _check_creatable(directory: Path, mode: InferenceMode) -> None:
    if directory.is_symlink():
        raise UnusableDirectory(directory, f"it is a link to {os.readlink(directory)}, which does not exist")
    parent = next((parent for parent in directory.parents if parent.exists()), directory)
    if not parent.is_dir():
        raise UnusableDirectory(directory, f"{parent} is a file, not a directory")
    if mode is InferenceMode.RECORD and not os.access(parent, os.W_OK | os.X_OK):
        raise UnusableDirectory(directory, f"{parent} cannot be written (permission denied or a read-only file system)")


def check_writable(directories: Directories, request: str) -> None:
    """Raise UnusableDirectory if no recording can be written; creates nothing. `request` is for the message."""
    directory = next(
        directory for directory in (directories.written, *directories.written.parents) if directory.exists()
    )
    if os.access(directory, os.W_OK | os.X_OK):
        return
    is_read_only = hasattr(os, "statvfs") and os.statvfs(directory).f_flag & os.ST_RDONLY
    reason = os.strerror(errno.EROFS if is_read_only else errno.EACCES)
    raise UnusableDirectory(
        directories.written, f"it holds no recording of {request}, and {directory} cannot be written ({reason})"
    )


def _searched(directory: Path) -> tuple[Path, ...]:
    return directory, *(directory / name for name in LLAMA_STACK_DIRECTORIES)
