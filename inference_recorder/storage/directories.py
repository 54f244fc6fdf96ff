"""The folders of one session: where it writes and where it looks."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ..errors import UnusableFolder
from ..modes import InferenceMode
from ..test_run import surroundings
from .files import is_inside

FOLDER_VARIABLES = ("LLAMA_STACK_TEST_RECORDING_DIR", "OGX_TEST_RECORDING_DIR")
FOLDER_OPTION = "--inference-recordings"
DEFAULT_FOLDER = "recordings"
_ANCESTOR_FOLDERS = ("recordings", "responses")
"""Where llama-stack's newer and older generation keep their files, below the folder they are given."""


@dataclass(frozen=True, slots=True)
class Places:
    """`written` takes new recordings; `read` are the folders in which one is looked for, in order."""

    written: Path
    read: tuple[Path, ...]


def places_from(storage_dir: str | os.PathLike[str] | None = None, *, is_shared: bool = False) -> Places:
    """Return the places of a session whose folder is `storage_dir`, else the environment's, else "recordings".

    The folder is made absolute at once: a test that changes the working directory keeps its recordings. In a test run
    that did not get a `storage_dir`, its options choose the folder, and recordings are looked for beside the test file
    too. What tests share (`is_shared`) is never written beside one of them.
    """
    return chosen_places(storage_dir, is_shared=is_shared)[0]


def chosen_places(storage_dir: str | os.PathLike[str] | None = None, *, is_shared: bool = False) -> tuple[Places, str]:
    """Return the places as `places_from` does, and what chose them.

    That is "storage_dir", an option, a variable's name, "beside the test" or "default".
    """
    if storage_dir:
        folder = _absolute(storage_dir)
        return Places(folder, _looked_in(folder)), "storage_dir"
    folder, source = common_folder()
    run = surroundings()
    if run is None or run.test_folder is None:
        return Places(folder, _looked_in(folder)), source
    beside = run.test_folder / DEFAULT_FOLDER
    if run.settings.is_beside_tests and not is_shared:
        return Places(beside, tuple(dict.fromkeys((*_looked_in(beside), *_looked_in(folder))))), "beside the test"
    return Places(folder, tuple(dict.fromkeys((*_looked_in(folder), *_looked_in(beside))))), source


def common_folder() -> tuple[Path, str]:
    """Return the folder of recorders that are given none, and what chose it: an option, a variable or "default"."""
    run = surroundings()
    if run is not None and run.settings.forced_folder is not None:
        return run.settings.forced_folder, FOLDER_OPTION
    for variable in FOLDER_VARIABLES:
        if named := os.environ.get(variable):
            return _absolute(named), variable
    if run is not None and run.settings.folder is not None:
        return run.settings.folder, run.settings.folder_source
    return _absolute(DEFAULT_FOLDER), "default"


def check_usable(places: Places, mode: InferenceMode) -> None:
    """Raise UnusableFolder where `mode` could not do its work in `places`; creates nothing.

    A folder that does not exist yet is usable if it can be made; where calls may be replayed, it is one that holds
    nothing. Whether record-if-missing can write is asked only at a miss, by `check_writable`.
    """
    folder = places.written
    try:
        is_folder = stat.S_ISDIR(os.stat(folder).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        _check_makeable(folder, mode)
        return
    except (OSError, ValueError) as error:  # a name too long, links in a circle, a NUL
        raise UnusableFolder(folder, getattr(error, "strerror", None) or str(error)) from error
    if not is_folder:
        raise UnusableFolder(folder, "it is a file, not a folder")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise UnusableFolder(folder, "it cannot be read (permission denied)")
    if mode is InferenceMode.RECORD and not os.access(folder, os.W_OK):
        raise UnusableFolder(folder, "it cannot be written (permission denied or a read-only file system)")
    for below in places.read:
        if below != folder and os.path.islink(below) and not is_inside(str(below), str(folder)):
            raise UnusableFolder(below, f"it is a link that leaves {folder}")


def _check_makeable(folder: Path, mode: InferenceMode) -> None:
    if folder.is_symlink():
        raise UnusableFolder(folder, f"it is a link to {os.readlink(folder)}, which is not there")
    parent = next((parent for parent in folder.parents if parent.exists()), folder)
    if not parent.is_dir():
        raise UnusableFolder(folder, f"{parent} is a file, not a folder")
    if mode is InferenceMode.RECORD and not os.access(parent, os.W_OK | os.X_OK):
        raise UnusableFolder(folder, f"{parent} cannot be written (permission denied or a read-only file system)")


def check_writable(places: Places, request: str) -> None:
    """Raise UnusableFolder where the answer to a `request` (in a few words) could not be written; creates nothing."""
    folder = next(folder for folder in (places.written, *places.written.parents) if folder.exists())
    if os.access(folder, os.W_OK | os.X_OK):
        return
    is_mounted_so = hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY
    reason = os.strerror(errno.EROFS if is_mounted_so else errno.EACCES)
    raise UnusableFolder(
        places.written, f"it holds no recording of {request}, and {folder} cannot be written ({reason})"
    )


def _absolute(folder: str | os.PathLike[str]) -> Path:
    return Path(os.path.abspath(os.path.expanduser(folder)))


def _looked_in(folder: Path) -> tuple[Path, ...]:
    return folder, *(folder / name for name in _ANCESTOR_FOLDERS)
