"""The recordings of tests that a command line names by their node ids."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from ..errors import CorruptRecording
from ..storage.catalogue import Entry
from ..text import visible_line
from .directories import SearchedDirectories, shown
from .rename_test import enclosing_ids, guesses, renamed
from .suite_directories import directories_of_tests, from_rootdir, other_directories

_MOST_GUESSES = 3
"""Unknown ids for which similar ones are suggested: among 10,000 ids, each takes a second."""


@dataclass(slots=True)
class TestRecordings:
    """The recordings of some tests."""

    node_ids: tuple[str, ...]
    """Relative to rootdir, each once."""
    dirs: tuple[Path, ...]
    """As the command line names them."""
    directories: SearchedDirectories
    entries: list[Entry] = field(default_factory=list)
    unreadable: list[CorruptRecording] = field(default_factory=list)
    """All files that cannot be read; some may be answers of the same series as one of the entries."""
    matched_ids: set[str] = field(default_factory=set)
    """The node ids that match something."""
    other_ids: set[str] = field(default_factory=set)
    """The ids of other tests, and of their files and functions."""

    def of(self, node_id: str) -> list[Entry]:
        """Return the entries of one of the node ids, which may be relative to the working directory."""
        wanted = from_rootdir(node_id)
        return [entry for entry in self.entries if is_part_of(entry.test_id or "", wanted)]

    def check_all_found(self, command: str, effect: str = "", *, dir_option: str = "--dir") -> None:
        """Raise click.UsageError, with similar ids, if one of the node ids matches nothing.

        `command` is what to run with `dir_option` if there are recordings elsewhere; `effect` ends the first line.
        """
        missing = [node_id for node_id in self.node_ids if node_id not in self.matched_ids]
        if not missing:
            return
        searched = ", ".join(map(shown, self.directories.searched or (self.directories.root,)))
        elsewhere = {
            directory: _read(missing, SearchedDirectories(directory, (directory,))).matched_ids
            for directory in (() if self.dirs else other_directories(self.directories))
        }
        lines: list[str] = []
        for index, node_id in enumerate(missing):
            lines.append(f"no recording in {searched} is of {node_id}{effect}")
            if containing := [directory for directory, matched_ids in elsewhere.items() if node_id in matched_ids]:
                options = [part for directory in containing for part in (dir_option, shown(directory)) if part]
                words = ["inference-recorder", command, node_id, *options]
                lines.append(f"there are some elsewhere: {shlex.join(words)}")
            elif index < _MOST_GUESSES:
                lines += guesses(node_id, self.other_ids)
        raise click.UsageError("\n".join(map(visible_line, lines)))


def recordings_of(node_ids: Sequence[str], dirs: Sequence[Path], *, is_recursive: bool = False) -> TestRecordings:
    """Return the recordings of these tests, in `dirs` or where the suite's recorders and its tests have them.

    A node id is that of a test, with or without parameters, of a class, file or directory, or of a fixture. It is
    relative to rootdir or to the working directory. Raises click.UsageError if there is no directory to search.
    """
    ids = tuple(dict.fromkeys(map(from_rootdir, node_ids)))
    return _read(ids, directories_of_tests(dirs, ids, is_recursive=is_recursive), dirs)


def is_part_of(test_id: str, node_id: str) -> bool:
    """Whether a test or fixture has this id, or is in the class, file or directory that has it."""
    if not test_id or (not test_id.startswith(node_id) and "@" not in test_id):  # saves most files the slower check
        return False
    if "[" in node_id.partition("::")[2] or "[" in node_id.rpartition("@")[2]:  # an id with parameters
        return test_id == node_id
    return renamed(test_id, node_id, node_id) is not None


def _read(node_ids: Iterable[str], directories: SearchedDirectories, dirs: Sequence[Path] = ()) -> TestRecordings:
    recordings = TestRecordings(tuple(node_ids), tuple(dirs), directories)
    for entry in directories.entries():
        if isinstance(entry, CorruptRecording):
            recordings.unreadable.append(entry)
            continue
        test_id = entry.test_id or ""
        matched = {node_id for node_id in recordings.node_ids if is_part_of(test_id, node_id)}
        if matched:
            recordings.entries.append(entry)
            recordings.matched_ids |= matched
        elif test_id:
            recordings.other_ids.update(enclosing_ids(test_id))
    return recordings
