"""The folders of one session: where it writes and where it looks."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ..errors import UnusableDirectory
from ..modes import InferenceMode
from ..test_run import current_test_run
from .files import is_inside

DIRECTORY_VARIABLES = ("LLAMA_STACK_TEST_RECORDING_DIR", "OGX_TEST_RECORDING_DIR")
DIRECTORY_OPTION = "--inference-recordings"
DEFAULT_DIRECTORY = "recordings"
_LLAMA_STACK_DIRECTORIES = ("recordings", "responses")
"""Where llama-stack's newer and older generation keep their files, below the folder they are given."""


@dataclass(frozen=True, slots=True)
class Directories:
    """`written` takes new recordings; `read` are the folders in which one is looked for, in order."""

    written: Path
    read: tuple[Path, ...]


def directories_from(storage_dir: str | os.PathLike[str] | None = None, *, is_shared: bool = False) -> Directories:
    """Return the places of a session whose folder is `storage_dir`, else the environment's, else "recordings".

    The folder is made absolute at once: a test that changes the working directory keeps its recordings. In a test run
    that did not get a `storage_dir`, its options choose the folder, and recordings are looked for beside the test file
    too. What tests share (`is_shared`) is never written beside one of them.
    """
    return chosen_directories(storage_dir, is_shared=is_shared)[0]


def chosen_directories(
    storage_dir: str | os.PathLike[str] | None = None, *, is_shared: bool = False
) -> tuple[Directories, str]:
    """Return the places as `directories_from` does, and what chose them.

    That is "storage_dir", an option, a variable's name, "beside the test" or "default".
    """
    if storage_dir:
        directory = _absolute(storage_dir)
        return Directories(directory, _looked_in(directory)), "storage_dir"
    directory, source = common_directory()
    run = current_test_run()
    if run is None or run.test_directory is None:
        return Directories(directory, _looked_in(directory)), source
    beside = run.test_directory / DEFAULT_DIRECTORY
    if run.settings.is_beside_tests and not is_shared:
        return Directories(
            beside, tuple(dict.fromkeys((*_looked_in(beside), *_looked_in(directory))))
        ), "beside the test"
    return Directories(directory, tuple(dict.fromkeys((*_looked_in(directory), *_looked_in(beside))))), source


def common_directory() -> tuple[Path, str]:
    """Return the folder of recorders that are given none, and what chose it: an option, a variable or "default"."""
    run = current_test_run()
    if run is not None and run.settings.forced_directory is not None:
        return run.settings.forced_directory, DIRECTORY_OPTION
    for variable in DIRECTORY_VARIABLES:
        if named := os.environ.get(variable):
            return _absolute(named), variable
    if run is not None and run.settings.directory is not None:
        return run.settings.directory, run.settings.directory_source
    return _absolute(DEFAULT_DIRECTORY), "default"


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


def _absolute(directory: str | os.PathLike[str]) -> Path:
    return Path(os.path.abspath(os.path.expanduser(directory)))


def _looked_in(directory: Path) -> tuple[Path, ...]:
    return directory, *(directory / name for name in _LLAMA_STACK_DIRECTORIES)
