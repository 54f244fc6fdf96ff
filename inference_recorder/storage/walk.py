"""The directories below one in which recordings are looked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_NEVER_ENTERED = frozenset({"__pycache__", "node_modules"})


def unhidden(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield `root` and the folders below it, each with the names of its folders and files; enters no hidden one."""
    for directory, names, files in os.walk(root):
        yield Path(directory), list(names), files
        names[:] = sorted(filter(_is_entered, names))


def is_reached(directory: Path, root: Path) -> bool:
    """Whether `unhidden(root)` yields this folder: none above it is hidden, or a link."""
    if not directory.is_relative_to(root):
        return False
    names = directory.relative_to(root).parts
    return all(map(_is_entered, names)) and os.path.realpath(directory) == os.path.join(os.path.realpath(root), *names)


def _is_entered(name: str) -> bool:
    return not name.startswith(".") and name not in _NEVER_ENTERED
