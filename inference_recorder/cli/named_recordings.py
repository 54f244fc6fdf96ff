"""The recordings named on a command line: by file, by key or its first digits, or as `ls` names them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from ..recording.layout import MODEL_LIST_START, file_of, name_of
from ..storage.catalogue import key_of, paths_in
from ..text import visible_line
from .directories import searched_directories

_MOST_LISTED = 10


def series_named(names: Sequence[str], directory: Path | None) -> list[list[Path]]:
    """Return, for each name, the file with that path, or the files of that key in the order of their answers.

    "792f5c2603ba" stands for all answers to the key that begins with these digits, "792f5c2603ba.2" for the second one.
    Raises click.UsageError if a name matches no recording or several keys, or if there is no directory to search.
    """
    if all(map(os.path.isfile, names)):
        return [[Path(name)] for name in names]
    directories = searched_directories(directory).searched
    paths = list(paths_in(directories))
    return [[Path(name)] if os.path.isfile(name) else _series(name, paths, directories) for name in names]


def _series(name: str, paths: Sequence[Path], directories: Sequence[Path]) -> list[Path]:
    stem = name_of(name)
    digits, _, position = stem.partition(".")
    matching = (
        [path for path in paths if path.name.startswith((digits, f"{MODEL_LIST_START}{digits}"))] if digits else []
    )
    if exact := [path for path in matching if path.name == file_of(stem) and key_of(path) != stem]:
        return exact[:1]
    keys = sorted({key_of(path) for path in matching})
    if digits in keys:
        keys = [digits]
    if len(keys) > 1:
        listed = "".join(f"\n  {visible_line(key)}" for key in keys[:_MOST_LISTED])
        more = f"\n  and {len(keys) - _MOST_LISTED} more" if len(keys) > _MOST_LISTED else ""
        raise click.UsageError(f"{name!r} matches {len(keys)} recordings; give more digits:{listed}{more}")
    series = [
        path for path in matching if [key_of(path)] == keys and (not position or path.stem.endswith(f".{position}"))
    ]
    if not series:
        searched = "".join(f"\n  {directory}" for directory in directories)
        raise click.UsageError(f"no recording is named {name!r}; name the directory with --dir; searched:{searched}")
    # From the first directory that has one, as in a replay; by length, since ".10" comes after ".2".
    first = series[0].parent
    return sorted((path for path in series if path.parent == first), key=lambda path: (len(path.name), path.name))
