"""The directories below a root that are searched for recordings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_NEVER_ENTERED = frozenset({"__pycache__", "node_modules", "venv"})


def unhidden(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield (directory, names of its directories, names of its files) for `root` and all unhidden ones below."""
    for directory, names, files in os.walk(root):
        yield Path(directory), list(names), files
        names[:] = sorted(filter(_is_entered, names))


def is_reached(directory: Path, root: Path) -> bool:
    """Whether `unhidden(root)` yields this directory: neither it nor one above it is hidden or a link."""
    if not directory.is_relative_to(root):
        return False
    names = directory.relative_to(root).parts
    return all(map(_is_entered, names)) and os.path.realpath(directory) == os.path.join(os.path.realpath(root), *names)


def common_parent(directories: Iterable[Path]) -> Path | None:
    """Return the directory that holds all of these, or is one; None if they are on different drives."""
    try:
        return Path(os.path.commonpath(list(directories)))
    except ValueError:
        return None


def _is_entered(name: str) -> bool:
    return not name.startswith(".") and name not in _NEVER_ENTERED
