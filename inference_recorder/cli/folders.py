"""The folders that a command looks through: the argument DIR, and what it stands for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from ..storage.catalogue import paths_in
from ..storage.places import chosen_places

_NEVER_ENTERED = frozenset({"__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True)
class Folders:
    """What DIR stands for."""

    chosen: Path
    """Absolute."""
    read: tuple[Path, ...]
    """The folders whose files are looked at, in order; all exist."""


def folders_from(folder: Path | None) -> Folders:
    """Return what DIR stands for: the folders that `inference_recording()` would read.

    A folder without recordings of its own stands for those below it. Raises click.UsageError where there is no folder.
    """
    places, source = chosen_places(folder)
    root = places.written
    if not root.is_dir():
        reason = "is a file, not a folder" if root.exists() else "does not exist"
        told = "" if folder else f" (chosen by {source})"
        raise click.UsageError(f"the folder {root}{told} {reason}; name the folder of recordings as DIR")
    own = tuple(place for place in places.read if place.is_dir())
    if next(paths_in(own), None) is not None:
        return Folders(root, own)
    return Folders(root, tuple(_folders_below(root)) or own)


def _folders_below(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith(".") and name not in _NEVER_ENTERED)
        if any(name.endswith(".json") for name in files):
            yield Path(folder)
