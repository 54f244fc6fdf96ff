"""The folders of a whole suite: the one that its recorders take, those beside its tests, and others below its root."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from ..config import DEFAULT_DIRECTORY, absolute
from ..fixture_ids import parsed_fixture_id
from ..storage.directories import directories_from as directories_at
from ..storage.files import is_inside
from ..storage.trash import TRASH_DIRECTORY
from ..storage.walk import unhidden
from .configured import directory_for, nearest_rootdir
from .directories import ChosenDirectories, directories_from, folders_below


def directories_of_tests(dirs: Sequence[Path], node_ids: Iterable[str], *, is_recursive: bool) -> ChosenDirectories:
    """Return the folders given, else the one that recorders would take and those beside these tests.

    Empty if the suite has recordings elsewhere only; raises click.UsageError if it has none.
    """
    if dirs:
        given = [directories_from(directory, is_recursive=is_recursive) for directory in dirs]
        return ChosenDirectories(
            given[0].chosen, tuple(dict.fromkeys(one for directories in given for one in _own(directories)))
        )
    beside = tuple(one for node_id in node_ids for one in _beside(_root(), node_id))
    usual = directory_for(None)[0].written
    if not usual.is_dir() and (beside or any(folders_below(_root()))):
        return ChosenDirectories(usual, tuple(dict.fromkeys(beside)))
    common = directories_from(None, is_recursive=is_recursive)
    return ChosenDirectories(common.chosen, tuple(dict.fromkeys((*_own(common), *beside))))


def from_rootdir(node_id: str) -> str:
    """Return an id as recordings hold it: it starts at pytest's rootdir.

    One that names a file or folder may also start at the working directory, as pytest takes and prints it. Raises
    click.UsageError where the two are not the same file.
    """
    position, separator, names = node_id.partition("::")
    root = _root()
    here, there = (Path(os.path.abspath(start / position)) for start in (Path.cwd(), root))
    if not node_id or not os.path.exists(here) or not here.is_relative_to(root):
        return node_id.removeprefix("./").rstrip("/") or node_id
    if here != there and os.path.exists(there):
        raise click.UsageError(f"{node_id} may mean {here} or {there}; run this in {root}, with the id from there")
    return here.relative_to(root).as_posix() + separator + names


def other_directories(directories: ChosenDirectories) -> list[Path]:
    """Return the folders of recordings below the suite's root that are not among these."""
    return [directory for directory in folders_below(_root()) if directory not in directories.read]


def directories_with_trash(dirs: Sequence[Path]) -> list[Path]:
    """Return the folders that have a trash, in those given and below, else in the suite's. Raises click.UsageError."""
    for directory in dirs:
        if not directory.is_dir():
            raise click.UsageError(f"the folder {directory} does not exist")
    roots = [Path(os.path.abspath(directory)) for directory in dirs] or [directory_for(None)[0].written, _root()]
    return list(
        dict.fromkeys(directory for root in roots for directory, names, _ in unhidden(root) if TRASH_DIRECTORY in names)
    )


def _root() -> Path:
    return nearest_rootdir(Path.cwd()) or Path.cwd()


def _beside(root: Path, node_id: str) -> Iterator[Path]:
    """Yield the folders of recordings beside a test's file, or beside all that are below a folder."""
    fixture = parsed_fixture_id(node_id)
    position = root / (node_id if fixture is None else fixture.node_id).partition("::")[0]
    if os.path.isdir(position):  # False for what no folder can be called
        beside = [directory for directory, _, _ in unhidden(position) if directory.name == DEFAULT_DIRECTORY]
    else:
        beside = [position.parent / DEFAULT_DIRECTORY]
    for directory in beside:
        yield from _own(
            ChosenDirectories(
                directory, tuple(one for one in directories_at(absolute(directory)).read if os.path.isdir(one))
            )
        )


def _own(directories: ChosenDirectories) -> Iterator[Path]:
    """Yield the folders that are looked in, but for links that leave the chosen one: recorders refuse those too."""
    for directory in directories.read:
        if directory == directories.chosen or is_inside(str(directory), str(directories.chosen)):
            yield directory
