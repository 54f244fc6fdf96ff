"""The folders of one session: where it writes and where it looks."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ..errors import UnusableDirectory
from ..modes import InferenceMode
from .files import is_inside

_LLAMA_STACK_DIRECTORIES = ("recordings", "responses")
"""Where llama-stack's newer and older generation keep their files, below the folder they are given."""


@dataclass(frozen=True, slots=True)
class Directories:
    """`written` takes new recordings; `read` are the folders in which one is looked for, in order."""

    written: Path
    read: tuple[Path, ...]


def directories_from(directory: Path, beside: Path | None = None, *, is_beside: bool = False) -> Directories:
    """Return the directories of a session that records into `directory`.

    Recordings are also looked for in `beside`, the directory next to the test file; with `is_beside` they are written
    there.
    """
    if beside is None:
        return Directories(directory, _looked_in(directory))
    directories = (beside, directory) if is_beside else (directory, beside)
    return Directories(directories[0], tuple(dict.fromkeys(path for each in directories for path in _looked_in(each))))


def check_usable(directories: Directories, mode: InferenceMode) -> None:
    """Raise UnusableDirectory where `mode` could not do its work in `directories`; creates nothing.

    A folder that does not exist yet is usable if it can be made; where calls may be replayed, it is one that holds
    nothing. Whether record-if-missing can write is asked only at a miss, by `check_writable`.
    """
    directory = directories.written
    try:
        is_directory = stat.S_ISDIR(os.stat(directory).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        _check_makeable(directory, mode)
        return
    except (OSError, ValueError) as error:  # a name too long, links in a circle, a NUL
        raise UnusableDirectory(directory, getattr(error, "strerror", None) or str(error)) from error
    if not is_directory:
        raise UnusableDirectory(directory, "it is a file, not a folder")
    if not os.access(directory, os.R_OK | os.X_OK):
        raise UnusableDirectory(directory, "it cannot be read (permission denied)")
    if mode is InferenceMode.RECORD and not os.access(directory, os.W_OK):
        raise UnusableDirectory(directory, "it cannot be written (permission denied or a read-only file system)")
    for below in directories.read:
        if below != directory and os.path.islink(below) and not is_inside(str(below), str(directory)):
            raise UnusableDirectory(below, f"it is a link that leaves {directory}")


def _check_makeable(directory: Path, mode: InferenceMode) -> None:
    if directory.is_symlink():
        raise UnusableDirectory(directory, f"it is a link to {os.readlink(directory)}, which is not there")
    parent = next((parent for parent in directory.parents if parent.exists()), directory)
    if not parent.is_dir():
        raise UnusableDirectory(directory, f"{parent} is a file, not a folder")
    if mode is InferenceMode.RECORD and not os.access(parent, os.W_OK | os.X_OK):
        raise UnusableDirectory(directory, f"{parent} cannot be written (permission denied or a read-only file system)")


def check_writable(directories: Directories, request: str) -> None:
    """Raise UnusableDirectory where the answer to a `request` (in a few words) cannot be written; creates nothing."""
    directory = next(
        directory for directory in (directories.written, *directories.written.parents) if directory.exists()
    )
    if os.access(directory, os.W_OK | os.X_OK):
        return
    is_mounted_so = hasattr(os, "statvfs") and os.statvfs(directory).f_flag & os.ST_RDONLY
    reason = os.strerror(errno.EROFS if is_mounted_so else errno.EACCES)
    raise UnusableDirectory(
        directories.written, f"it holds no recording of {request}, and {directory} cannot be written ({reason})"
    )


def _looked_in(directory: Path) -> tuple[Path, ...]:
    return directory, *(directory / name for name in _LLAMA_STACK_DIRECTORIES)
