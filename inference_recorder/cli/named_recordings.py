"""The recordings named on a command line: by file, by key or its first digits, by test, or as `ls` names them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from ..recording.layout import MODEL_LIST_START, RESPONSE_START, file_of, name_of
from ..storage.catalogue import entry_of, key_of, paths_in
from ..text import visible_line
from .directories import remark_unreadable
from .node_ids import is_node_id, recordings_of
from .suite_directories import searched_in

_MOST_LISTED = 10
_DIGITS = re.compile(r"(?:models-)?[0-9a-f]*(?:\.\d+)?|.*/.*")


class Named(NamedTuple):
    """What a name on the command line stands for."""

    paths: list[Path]
    """In the order of the calls."""
    is_test: bool
    """Whether the name is a node id, not that of a file or key."""


def recordings_named(names: Sequence[str], dirs: Sequence[Path], command: str) -> list[Named]:
    """Return, for each name, the file with that path, the answers to the key, or the calls of the test.

    "792f5c2603ba" stands for all answers to the key that begins with these digits, "792f5c2603ba.2" for the second one.
    Raises click.UsageError if a name matches no recording or several keys, or if there is no directory to search.
    """
    named = {name: [Path(name)] for name in names if os.path.isfile(name) and not name.endswith(".py")}
    node_ids = [name for name in names if name not in named and is_node_id(name)]
    if unknown := [name for name in names if name not in named and name not in node_ids]:
        directories = searched_in(dirs).searched
        paths = list(paths_in(directories))
        for name in unknown:
            if series := _series(name, paths):
                named[name] = series
            elif _DIGITS.fullmatch(name_of(name)):
                searched = "".join(f"\n  {directory}" for directory in directories)
                raise click.UsageError(
                    f"no recording is named {name!r}; name the directory with --dir; searched:{searched}"
                )
            else:
                node_ids.append(name)
    if node_ids:
        recordings = recordings_of(node_ids, dirs, command)
        for error in recordings.unreadable:
            remark_unreadable(error)
        named |= {node_id: in_order(recordings.of(node_id)) for node_id in node_ids}
    return [Named(named[name], name in node_ids) for name in names]


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Return recordings by test, and each test's by the length of their histories, which grow with an agent's calls.

    No file holds the time of its call. What has no history is in the order of its text, so that the calls of two
    similar tests correspond.
    """
    return [path for *_, path in sorted(map(_order, paths))]


def _order(path: Path) -> tuple[str, int, bytes, int, Path]:
    entry = entry_of(path)
    history = entry.body.get("messages", entry.body.get("input"))
    length = len(history) if isinstance(history, list) else 0
    return entry.test_id or "", length, entry.content.partition(RESPONSE_START)[0], entry.position, path


def _series(name: str, paths: Sequence[Path]) -> list[Path]:
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
        return []
    # From the first directory that has one, as in a replay; by length, since ".10" comes after ".2".
    first = series[0].parent
    return sorted((path for path in series if path.parent == first), key=lambda path: (len(path.name), path.name))
