"""How paths and lists are written at the end of a run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ..text import visible_line

MOST_LINES = 10


def shown_path(path: Path, root: Path) -> str:
    """Return a path relative to `root` if it is below it, otherwise in full."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def from_here(node_id: str, config: pytest.Config) -> str:
    """Return a node id as pytest takes it where it was started, which may be another directory than rootdir."""
    file, separator, names = node_id.partition("::")
    path = config.rootpath / file
    return path_from_here(path, config) + separator + names if path.exists() else node_id


def path_from_here(path: Path, config: pytest.Config) -> str:
    """Return a path relative to where pytest was started; in full if it is on another drive."""
    try:
        return Path(os.path.relpath(path, config.invocation_params.dir)).as_posix()
    except ValueError:
        return path.as_posix()


def line_limit(config: pytest.Config) -> int | None:
    """Return how many lines of a list are written; None, with -v, for all."""
    return None if config.option.verbose > 0 else MOST_LINES


def write_list(
    terminal: pytest.TerminalReporter, limit: int | None, title: str, lines: list[str], **colour: bool
) -> None:
    """Write a title and at most `limit` lines below it; nothing for an empty list."""
    if not lines:
        return
    terminal.write_line(f"  {title}:", **colour)
    for line in lines[:limit]:
        terminal.write_line(visible_line(f"    {line}"))
    if limit is not None and len(lines) > limit:
        terminal.write_line(f"    and {len(lines) - limit} more (-v shows all)")
