"""The directories of a whole suite: the one that its recorders use, those beside its tests, others below its root."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from ..fixture_ids import parsed_fixture_id
from ..storage.directories import Directories, directories_from
from ..storage.walk import unhidden
from .configured import chosen_directory, nearest_rootdir
from .directories import (
    SearchedDirectories,
    directories_below,
    directories_beside,
    inside_root,
    searched_directories,
    why_no_directory,
)


def searched_in(dirs: Sequence[Path], *, is_recursive: bool = False) -> SearchedDirectories:
    """Return the directories given, or by default those that recorders would use; raises click.UsageError."""
    if not dirs:
        return searched_directories(None, is_recursive=is_recursive)
    given = [searched_directories(directory, is_recursive=is_recursive) for directory in dirs]
    return _combined(given[0].root, [path for directories in given for path in inside_root(directories)])


def directories_of_tests(dirs: Sequence[Path], node_ids: Iterable[str], *, is_recursive: bool) -> SearchedDirectories:
    """Return the directories given, or by default those that recorders would use and those beside these tests.

    The result is empty if the suite has recordings only elsewhere. Raises click.UsageError if it has none.
    """
    if dirs:
        return searched_in(dirs, is_recursive=is_recursive)
    root = root_of_suite()
    beside = [path for node_id in node_ids for path in _beside(root, node_id)]
    if is_recursive:
        beside += directories_below(Path.cwd())
    configured = chosen_directory(None).value
    if not configured.is_dir() and (beside or any(directories_below(root))):
        return _combined(configured, beside)
    common = searched_directories(None, is_recursive=is_recursive)
    return _combined(common.root, [*inside_root(common), *beside])


def directories_of_sessions(directory: Path | None, test_ids: Iterable[str]) -> Directories:
    """Return where sessions of these tests look: in the directory given, or in the common one and beside the tests."""
    setting = chosen_directory(directory)
    root = root_of_suite()
    beside = [] if setting.is_explicit else [path for test_id in test_ids for path in _beside(root, test_id)]
    return directories_from(setting.value, *beside)


def from_rootdir(node_id: str) -> str:
    """Return an id as recordings have it, relative to pytest's rootdir.

    An id that names a file or directory may also be relative to the working directory, as pytest accepts and prints it.
    Raises click.UsageError if both exist and are different files.
    """
    file, separator, names = node_id.partition("::")
    root = root_of_suite()
    here, there = (Path(os.path.abspath(start / file)) for start in (Path.cwd(), root))
    if not node_id or not os.path.exists(here) or not here.is_relative_to(root):
        return node_id.removeprefix("./").rstrip("/") or node_id
    if here != there and os.path.exists(there):
        raise click.UsageError(f"{node_id} may mean {here} or {there}; run this in {root}, with the id from there")
    return here.relative_to(root).as_posix() + separator + names


def other_directories(directories: SearchedDirectories) -> list[Path]:
    """Return the directories of recordings below the suite's root that are not among these."""
    return [directory for directory in directories_below(root_of_suite()) if directory not in directories.searched]


def directories_with(name: str, dirs: Sequence[Path]) -> list[Path]:
    """Return the directories that hold one of this name, among those given and below, by default those of the suite.

    Raises click.UsageError if one that is given does not exist.
    """
    for directory in dirs:
        if not directory.is_dir():
            reason = why_no_directory(directory)
            raise click.UsageError(f"the directory {directory} {reason}; leave it out to search the whole suite")
    roots = [Path(os.path.abspath(directory)) for directory in dirs] or [chosen_directory(None).value, root_of_suite()]
    walked = (found for root in roots for found in unhidden(root))
    return list(dict.fromkeys(directory for directory, names, _ in walked if name in names))


def _combined(root: Path, searched: Iterable[Path]) -> SearchedDirectories:
    return SearchedDirectories(root, tuple(dict.fromkeys(searched)))


def root_of_suite() -> Path:
    """Return pytest's rootdir as it is in the working directory."""
    return nearest_rootdir(Path.cwd()) or Path.cwd()


def _beside(root: Path, node_id: str) -> Iterator[Path]:
    """Yield the directories of recordings beside a test's file, or beside all test files below a directory."""
    fixture = parsed_fixture_id(node_id)
    return directories_beside(root / (node_id if fixture is None else fixture.node_id).partition("::")[0])
