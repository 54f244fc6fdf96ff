"""The folders of one session: where it writes and where it looks."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ..errors import UnusableFolder
from ..modes import InferenceMode
from .files import is_inside

FOLDER_VARIABLES = ("LLAMA_STACK_TEST_RECORDING_DIR", "OGX_TEST_RECORDING_DIR")
DEFAULT_FOLDER = "recordings"
_ANCESTOR_FOLDERS = ("recordings", "responses")
"""Where llama-stack's newer and older generation keep their files, below the folder they are given."""


@dataclass(frozen=True, slots=True)
class Places:
    """`written` takes new recordings; `read` are the folders in which one is looked for, in order."""

    written: Path
    read: tuple[Path, ...]


def places_from(storage_dir: str | os.PathLike[str] | None = None) -> Places:
    """Return the places of a session whose folder is `storage_dir`, else the environment's, else "recordings".

    The folder is made absolute at once: a test that changes the working directory keeps its recordings.
    """
    return chosen_places(storage_dir)[0]


def chosen_places(storage_dir: str | os.PathLike[str] | None = None) -> tuple[Places, str]:
    """Return the places as `places_from` does, and what chose them: "storage_dir", a variable's name, or "default"."""
    chosen, source = storage_dir, "storage_dir"
    if not chosen:
        named = ((value, name) for name in FOLDER_VARIABLES if (value := os.environ.get(name)))
        chosen, source = next(named, (DEFAULT_FOLDER, "default"))
    folder = Path(os.path.abspath(os.path.expanduser(chosen)))
    return Places(written=folder, read=(folder, *(folder / name for name in _ANCESTOR_FOLDERS))), source


def check_usable(places: Places, mode: InferenceMode) -> None:
    """Raise UnusableFolder where `mode` could not do its work in `places`; creates nothing.

    A folder that does not exist yet is usable if it can be made; in replay it is one that holds nothing.
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
    if mode.writes and not os.access(folder, os.W_OK):
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
    if mode.writes and not os.access(parent, os.W_OK | os.X_OK):
        raise UnusableFolder(folder, f"{parent} cannot be written (permission denied or a read-only file system)")
