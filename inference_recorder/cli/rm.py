"""`inference-recorder rm`: move the recordings of tests to the trash."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from ..errors import CorruptRecording, UnwritableRecording
from ..storage.catalogue import Entry, series_of
from ..storage.key_versions import is_shared, key_version
from ..storage.trash import Deletion
from ..text import visible_line
from .console import Column, counted, remark, show_json, show_table
from .directories import SearchedDirectories, remark_refusal, remark_unreadable, shown
from .rename_test import enclosing_ids, guesses, renamed
from .suite_directories import directories_of_tests, from_rootdir, other_directories

_COLUMNS = (Column("recording", gives_way=True), Column("test", gives_way=True))
_MOST_GUESSES = 3
"""Unknown ids for which similar ones are suggested: among 10,000 ids, each takes a second."""


@dataclass(slots=True)
class _Matches:
    """The recordings of some tests."""

    entries: list[Entry] = field(default_factory=list)
    unreadable: list[CorruptRecording] = field(default_factory=list)
    """All files that cannot be read; some may be answers of the same series as one of the entries."""
    matched_ids: set[str] = field(default_factory=set)
    """The node ids that match something."""
    other_ids: set[str] = field(default_factory=set)
    """The ids of other tests, and of their files and functions."""


@click.command()
@click.argument("node_ids", metavar="NODEID...", nargs=-1, required=True)
@click.option("-d", "--dir", "dirs", metavar="DIR", multiple=True, type=click.Path(path_type=Path), help="Search DIR.")
@click.option("-r", "--recursive", is_flag=True, help="Search all directories of recordings below DIR.")
@click.option("--dry-run", is_flag=True, help="Print what would be moved.")
@click.option("--json", "is_json", is_flag=True, help="Print a JSON array, as described above.")
def rm(node_ids: tuple[str, ...], dirs: tuple[Path, ...], recursive: bool, dry_run: bool, is_json: bool) -> None:
    """Move the recordings of these tests to the trash.

    NODEID is pytest's id of a test, with its parameters, or without, for all of them; or of a class, a file or a
    directory, for all tests and fixtures in it; or a fixture's id as `ls` shows it ("test_a.py@answer"). It is relative
    to pytest's rootdir or to the working directory. Without --dir, the directory that your tests' recorders use is
    searched, and `recordings` beside the tests.

    The trash is the directory .trash beside the recordings; git ignores it, nothing is replayed from it, and
    `inference-recorder undo` brings the recordings back. What was deleted more than 14 days ago is removed for good.

    Recordings made outside a test never match. A recording that also answers other tests stays, and is listed on
    stderr.

    \b
    --json gives one object a recording:
      path, test_id, trash (where it is now, or null if it stays), refusal (why it stays, or null)

    \b
    Exit codes:
      0  all were moved (with --dry-run: can be)
      1  a recording stays, or cannot be moved
      2  an id matches nothing (then nothing is moved), the directory does not exist, or the options are wrong
    """
    ids = tuple(dict.fromkeys(map(from_rootdir, node_ids)))
    directories = directories_of_tests(dirs, ids, is_recursive=recursive)
    matches = _matches(directories, ids)
    refusals = {
        entry.path: "it answers other tests too" for entry in matches.entries if is_shared(entry, key_version(entry))
    }
    paths = [entry.path for entry in matches.entries if entry.path not in refusals]
    series = set(map(series_of, paths))
    unreadable = [error for error in matches.unreadable if series_of(error.path) in series]
    for error in matches.unreadable:
        if error not in unreadable:
            remark_unreadable(error)
    if missing := [node_id for node_id in ids if node_id not in matches.matched_ids]:
        raise click.UsageError(_not_found(missing, directories, matches.other_ids, dirs))
    deletion, failure = Deletion(), None
    try:
        deletion.discard([*paths, *(error.path for error in unreadable)], directories.searched, is_dry_run=dry_run)
    except UnwritableRecording as error:
        failure = error
    refusals |= dict.fromkeys(
        deletion.kept, "a later answer to its request stays, which would be replayed in its place"
    )
    tests = {error.path: "" for error in unreadable} | {entry.path: entry.test_id or "" for entry in matches.entries}
    _show(deletion, refusals, dict(sorted(tests.items())), is_dry_run=dry_run, is_json=is_json)
    if failure is not None:
        remark(str(failure), "bold red")
    sys.exit(1 if refusals or failure else 0)


def _matches(directories: SearchedDirectories, node_ids: Iterable[str]) -> _Matches:
    matches = _Matches()
    for entry in directories.entries():
        if isinstance(entry, CorruptRecording):
            matches.unreadable.append(entry)
            continue
        test_id = entry.test_id or ""
        matched = {node_id for node_id in node_ids if test_id and _is_part_of(test_id, node_id)}
        if matched:
            matches.entries.append(entry)
            matches.matched_ids |= matched
        elif test_id:
            matches.other_ids.update(enclosing_ids(test_id))
    return matches


def _is_part_of(test_id: str, node_id: str) -> bool:
    """Whether a test or fixture has this id, or is in the class, file or directory that has it."""
    if not test_id.startswith(node_id) and "@" not in test_id:  # saves most files the slower check
        return False
    if "[" in node_id.partition("::")[2] or "[" in node_id.rpartition("@")[2]:  # an id with parameters
        return test_id == node_id
    return renamed(test_id, node_id, node_id) is not None


def _not_found(
    missing: list[str], directories: SearchedDirectories, other_ids: set[str], dirs: tuple[Path, ...]
) -> str:
    searched = ", ".join(map(shown, directories.searched or (directories.root,)))
    elsewhere = {
        directory: _matches(SearchedDirectories(directory, (directory,)), missing).matched_ids
        for directory in (() if dirs else other_directories(directories))
    }
    lines: list[str] = []
    for index, node_id in enumerate(missing):
        lines.append(f"no recording in {searched} is of {node_id}; nothing was moved")
        if containing := [directory for directory, matched_ids in elsewhere.items() if node_id in matched_ids]:
            options = [part for directory in containing for part in ("--dir", shown(directory))]
            lines.append(f"there are some elsewhere: {shlex.join(['inference-recorder', 'rm', node_id, *options])}")
        elif index < _MOST_GUESSES:
            lines += guesses(node_id, other_ids)
    return "\n".join(map(visible_line, lines))


def _show(
    deletion: Deletion, refusals: Mapping[Path, str], tests: Mapping[Path, str], *, is_dry_run: bool, is_json: bool
) -> None:
    moved = [path for path in tests if path in deletion.moved or (is_dry_run and path not in refusals)]
    if is_json:
        show_json(
            [
                {
                    "path": shown(path),
                    "test_id": test_id or None,
                    "trash": shown(deletion.moved[path]) if path in deletion.moved else None,
                    "refusal": refusals.get(path),
                }
                for path, test_id in tests.items()
            ]
        )
    else:
        show_table(_COLUMNS, [(shown(path), tests[path]) for path in moved])
    for path, refusal in refusals.items():
        remark_refusal(path, tests[path], refusal)
    if is_dry_run:
        remark(f"{counted(len(moved), 'recording')} would be moved to the trash")
    elif moved:
        undo = deletion.undo_command(Path.cwd())
        remark(f"{counted(len(moved), 'recording')} moved to the trash; {undo} brings them back")
    else:
        remark("nothing was moved")
