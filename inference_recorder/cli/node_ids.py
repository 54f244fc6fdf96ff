"""The recordings of tests that a command line names by their node ids."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from ..errors import CorruptRecording
from ..fixture_ids import moved_id
from ..storage.rollback import FAILED_DIRECTORY
from ..text import visible_line
from .directories import SearchedDirectories, directories_below, remark_unreadable, searched_directories, shown
from .rename_test import enclosing_ids, guesses, renamed, tests_are_listed_by
from .suite_directories import directories_of_tests, from_rootdir, other_directories, root_of_suite, searched_in

_MOST_GUESSES = 3
"""Unknown ids for which similar ones are suggested: among 10,000 ids, each takes a second."""


@dataclass(slots=True)
class TestRecordings:
    """The recordings of the tests that some node ids name."""

    node_ids: tuple[str, ...]
    """Relative to rootdir, each once."""
    directories: SearchedDirectories
    test_ids: dict[Path, str] = field(default_factory=dict)
    """The recordings, each with the id of its test."""
    unreadable: list[CorruptRecording] = field(default_factory=list)
    """All files that cannot be read; some may be answers of the same series as one of the recordings."""
    other_ids: set[str] = field(default_factory=set)
    """The ids of other tests, and of their files and functions."""
    _ids_there: dict[tuple[Path, str], tuple[str, ...]] = field(default_factory=dict)
    """(directory, node id) -> the ids by which recordings in that directory may have it."""

    @property
    def missing(self) -> list[str]:
        """The node ids that match nothing."""
        return [
            node_id
            for node_id in self.node_ids
            if not any(self.is_of(path, test_id, node_id) for path, test_id in self.test_ids.items())
        ]

    def of(self, node_id: str) -> dict[Path, str]:
        """Return the recordings of one of the node ids, given as on the command line."""
        wanted = from_rootdir(node_id)
        return {path: test_id for path, test_id in self.test_ids.items() if self.is_of(path, test_id, wanted)}

    def is_of(self, path: Path, test_id: str, node_id: str) -> bool:
        """Whether a recording is of what a node id names, there or where the project is that has its directory."""
        key = path.parent, node_id
        if key not in self._ids_there:
            self._ids_there[key] = self._ids_in(path.parent, node_id)
        return any(is_part_of(test_id, each) for each in self._ids_there[key])

    def _ids_in(self, directory: Path, node_id: str) -> tuple[str, ...]:
        """Return the id itself, unless it names another test in the project there, and the id relative to that."""
        root, project = root_of_suite(), (directory.parent if directory.name == FAILED_DIRECTORY else directory).parent
        file = node_id.partition("::")[0]
        is_chosen = len(self.directories.searched) == 1 or project == root
        is_another = not is_chosen and os.path.exists(root / file) and os.path.exists(project / file)
        there = moved_id(node_id, root, project)
        return (*(() if is_another else (node_id,)), *(() if there is None else (there,)))


def directories_named(names: Sequence[str], command: str, *, is_recursive: bool = False) -> SearchedDirectories:
    """Return what directories and node ids stand for: of tests, their recordings only, in the directories if any.

    A directory without recordings in or below it is one of tests. Raises click.UsageError, as `recordings_of` does.
    """
    node_ids = list(filter(_names_tests, names))
    dirs = [Path(name) for name in names if name not in node_ids]
    if node_ids:
        recordings = recordings_of(node_ids, dirs, command, dir_option="", is_recursive=is_recursive)
        for error in recordings.unreadable:
            remark_unreadable(error)
        return replace(recordings.directories, only=tuple(recordings.test_ids))
    if len(dirs) == 1:
        return searched_directories(dirs[0], is_recursive=is_recursive)
    return searched_in(dirs, is_recursive=is_recursive)


def _names_tests(name: str) -> bool:
    if os.path.isdir(name):
        return not any(directories_below(Path(name))) and any(Path(name).rglob("*.py"))
    return "::" in name or "@" in name or name.endswith(".py")


def recordings_of(
    node_ids: Sequence[str],
    dirs: Sequence[Path],
    command: str,
    effect: str = "",
    *,
    dir_option: str = "--dir",
    is_recursive: bool = False,
) -> TestRecordings:
    """Return the recordings of these tests, in `dirs`, or by default where recorders and these tests have them.

    A node id is that of a test, with or without parameters, of a class, file or directory, or of a fixture. It is
    relative to rootdir or to the working directory. Raises click.UsageError if one matches nothing: with similar ids,
    or if there are recordings elsewhere, with the `command` that finds them, given `dir_option`; `effect` says what was
    not done.
    """
    ids = tuple(dict.fromkeys(map(from_rootdir, node_ids)))
    recordings = recordings_in(directories_of_tests(dirs, ids, is_recursive=is_recursive), ids)
    if missing := recordings.missing:
        for error in recordings.unreadable:
            remark_unreadable(error)  # it may be what was meant
        other_places = () if dirs else other_directories(recordings.directories)
        advised, listing = (command, effect, dir_option), [tests_are_listed_by(dirs)]
        raise click.UsageError(not_found(missing, recordings, other_places, advised, listing))
    return recordings


def recordings_in(directories: SearchedDirectories, node_ids: Iterable[str]) -> TestRecordings:
    """Return the recordings of these tests in some directories, or of all; the node ids are relative to rootdir."""
    recordings = TestRecordings(tuple(node_ids), directories)
    for entry in directories.entries():
        if isinstance(entry, CorruptRecording):
            recordings.unreadable.append(entry)
            continue
        test_id = entry.test_id or ""
        if not recordings.node_ids or any(recordings.is_of(entry.path, test_id, each) for each in recordings.node_ids):
            recordings.test_ids[entry.path] = test_id
        elif test_id:
            recordings.other_ids.update(enclosing_ids(test_id))
    return recordings


def is_node_id(name: str) -> bool:
    """Whether a name on the command line has the form of a node id, which no key and no file of a recording has."""
    return not name.endswith(".json") and ("::" in name or "@" in name or "/" in name or name.endswith(".py"))


def is_part_of(test_id: str, node_id: str) -> bool:
    """Whether a test or fixture has this id, or is in the class, file or directory that has it."""
    if not test_id or (not test_id.startswith(node_id) and "@" not in test_id):  # saves most files the slower check
        return False
    if "[" in node_id.partition("::")[2] or "[" in node_id.rpartition("@")[2]:  # an id with parameters
        return test_id == node_id
    return renamed(test_id, node_id, node_id) is not None


def not_found(
    missing: Sequence[str],
    recordings: TestRecordings,
    other_places: Iterable[Path],
    advised: tuple[str, str, str],
    listing: Iterable[str],
) -> str:
    """Return the lines that say which ids match nothing, and what may have been meant; `listing` where nothing may."""
    command, effect, dir_option = advised
    directories = recordings.directories
    searched = ", ".join(map(shown, directories.searched or (directories.root,)))
    elsewhere = {directory: _found_in(directory, missing) for directory in other_places}
    lines: list[str] = []
    for index, node_id in enumerate(missing):
        lines.append(f"no recording in {searched} is of {node_id}{effect}")
        places: dict[str, list[Path]] = {}
        for directory, ids in elsewhere.items():
            if node_id in ids:
                places.setdefault(ids[node_id], []).append(directory)
        for id_there, containing in places.items():
            options = [part for directory in containing for part in (dir_option, shown(directory)) if part]
            words = shlex.join(["inference-recorder", *shlex.split(command), id_there, *options])
            lines.append(f"there are some elsewhere: {words}")
        if not places and index < _MOST_GUESSES:
            lines += guesses(node_id, recordings.other_ids)
    if len(lines) == len(missing):
        lines += listing
    return "\n".join(map(visible_line, lines))


def _found_in(directory: Path, node_ids: Sequence[str]) -> dict[str, str]:
    """Return which of these tests have recordings in a directory, and their ids there.

    Those of a project of its own are relative to the directory that holds its recordings.
    """
    ids = {node_id: (moved_id(node_id, root_of_suite(), directory.parent), node_id) for node_id in node_ids}
    wanted = [each for both in ids.values() for each in both if each]
    found = set(wanted) - {*recordings_in(SearchedDirectories(directory, (directory,)), wanted).missing}
    return {node_id: next(each for each in both if each in found) for node_id, both in ids.items() if found & {*both}}
