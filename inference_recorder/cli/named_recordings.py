"""The recordings that somebody names on a command line: by file, by key or its first digits, or as `ls` names them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from ..storage.catalogue import key_of, paths_in
from ..text import visible_line
from .directories import directories_from

_MOST_LISTED = 10

takes_dir = click.option(
    "--dir", "directory", type=click.Path(path_type=Path), help="Look for keys here, not where recorders would."
)


def series_named(names: Sequence[str], directory: Path | None) -> list[list[Path]]:
    """Return of each name the file that it is, or the files of its key in the order of their answers.

    "792f5c2603ba" stands for all answers to the key that begins so, "792f5c2603ba.2" for the second one. Raises
    click.UsageError where a name fits no recording or several keys, or where there is no folder to look in.
    """
    if all(map(os.path.isfile, names)):
        return [[Path(name)] for name in names]
    directories = directories_from(directory).read
    paths = list(paths_in(directories))
    return [[Path(name)] if os.path.isfile(name) else _row_of(name, paths, directories) for name in names]


def _row_of(name: str, paths: Sequence[Path], directories: Sequence[Path]) -> list[Path]:
    wanted = name.removesuffix(".json")
    digits, _, position = wanted.partition(".")
    fitting = [path for path in paths if path.name.startswith((digits, f"models-{digits}"))] if digits else []
    if exact := [path for path in fitting if path.name == f"{wanted}.json" and key_of(path) != wanted]:
        return exact[:1]
    keys = sorted({key_of(path) for path in fitting})
    if digits in keys:
        keys = [digits]
    if len(keys) > 1:
        listed = "".join(f"\n  {visible_line(key)}" for key in keys[:_MOST_LISTED])
        more = f"\n  and {len(keys) - _MOST_LISTED} more" if len(keys) > _MOST_LISTED else ""
        raise click.UsageError(f"{name!r} fits {len(keys)} recordings; give more digits:{listed}{more}")
    row = [path for path in fitting if [key_of(path)] == keys and (not position or path.stem.endswith(f".{position}"))]
    if not row:
        looked_in = "".join(f"\n  {directory}" for directory in directories)
        raise click.UsageError(f"no recording is named {name!r}; name the folder with --dir; looked in{looked_in}")
    # In the first folder that has any, as a replay finds them; by length, since ".10" comes after ".2".
    return sorted((path for path in row if path.parent == row[0].parent), key=lambda path: (len(path.name), path.name))
