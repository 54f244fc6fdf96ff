"""The folders of a whole suite: the one that its recorders take, those beside its tests, and others below its root."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from ..errors import RecorderError
from ..fixture_ids import parsed_fixture_id
from ..project_files import root_of
from ..storage.directories import DEFAULT_FOLDER, chosen_places
from ..storage.files import is_inside
from ..storage.trash import TRASH_FOLDER
from ..storage.walk import unhidden
from .configured import folder_for
from .folders import Folders, folders_below, folders_from


def folders_of_tests(dirs: Sequence[Path], node_ids: Iterable[str], *, is_recursive: bool) -> Folders:
    """Return the folders given, else the one that recorders would take and those beside these tests.

    Empty if the suite has recordings elsewhere only; raises click.UsageError if it has none.
    """
    if dirs:
        given = [folders_from(folder, is_recursive=is_recursive) for folder in dirs]
        return Folders(given[0].chosen, tuple(dict.fromkeys(one for folders in given for one in _own(folders))))
    beside = tuple(one for node_id in node_ids for one in _beside(_root(), node_id))
    usual = folder_for(None)[0].written
    if not usual.is_dir() and (beside or any(folders_below(_root()))):
        return Folders(usual, tuple(dict.fromkeys(beside)))
    common = folders_from(None, is_recursive=is_recursive)
    return Folders(common.chosen, tuple(dict.fromkeys((*_own(common), *beside))))


def from_rootdir(node_id: str) -> str:
    """Return an id as recordings hold it: it starts at pytest's rootdir.

    One that names a file or folder may also start at the working directory, as pytest takes and prints it. Raises
    click.UsageError where the two are not the same file.
    """
    place, separator, names = node_id.partition("::")
    root = _root()
    here, there = (Path(os.path.abspath(start / place)) for start in (Path.cwd(), root))
    if not node_id or not os.path.exists(here) or not here.is_relative_to(root):
        return node_id.removeprefix("./").rstrip("/") or node_id
    if here != there and os.path.exists(there):
        raise click.UsageError(f"{node_id} may mean {here} or {there}; run this in {root}, with the id from there")
    return here.relative_to(root).as_posix() + separator + names


def other_folders(folders: Folders) -> list[Path]:
    """Return the folders of recordings below the suite's root that are not among these."""
    return [folder for folder in folders_below(_root()) if folder not in folders.read]


def folders_with_trash(dirs: Sequence[Path]) -> list[Path]:
    """Return the folders that have a trash, in those given and below, else in the suite's. Raises click.UsageError."""
    for folder in dirs:
        if not folder.is_dir():
            raise click.UsageError(f"the folder {folder} does not exist")
    roots = [Path(os.path.abspath(folder)) for folder in dirs] or [folder_for(None)[0].written, _root()]
    return list(dict.fromkeys(folder for root in roots for folder, names, _ in unhidden(root) if TRASH_FOLDER in names))


def _root() -> Path:
    try:
        return root_of(Path.cwd()) or Path.cwd()
    except RecorderError as error:
        raise click.UsageError(str(error)) from None


def _beside(root: Path, node_id: str) -> Iterator[Path]:
    """Yield the folders of recordings beside a test's file, or beside all that are below a folder."""
    fixture = parsed_fixture_id(node_id)
    place = root / (node_id if fixture is None else fixture.node_id).partition("::")[0]
    if os.path.isdir(place):  # False for what no folder can be called
        beside = [folder for folder, _, _ in unhidden(place) if folder.name == DEFAULT_FOLDER]
    else:
        beside = [place.parent / DEFAULT_FOLDER]
    for folder in beside:
        yield from _own(Folders(folder, tuple(one for one in chosen_places(folder)[0].read if os.path.isdir(one))))


def _own(folders: Folders) -> Iterator[Path]:
    """Yield the folders that are looked in, but for links that leave the chosen one: recorders refuse those too."""
    for folder in folders.read:
        if folder == folders.chosen or is_inside(str(folder), str(folders.chosen)):
            yield folder
