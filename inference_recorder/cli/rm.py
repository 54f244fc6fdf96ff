"""`inference-recorder rm`: moves the recordings of tests to the trash."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import click

from ..errors import CorruptRecording, UnwritableRecording
from ..storage.catalogue import Entry, series_of
from ..storage.trash import Deletion, remove_expired
from ..text import visible_line
from .console import Column, counted, remark, show_json, show_table
from .directories import ChosenDirectories
from .orphans import is_shared, naming_rule
from .rename_test import renamed
from .suite_directories import directories_of_tests, from_rootdir, other_directories

_COLUMNS = (Column("recording", gives_way=True), Column("test", gives_way=True))
_MOST_GUESSES = 3
"""Ids that match nothing for which near ones are looked for: among 10,000 others that takes a second each."""


@dataclass(slots=True)
class _Found:
    """What the folders hold of some tests."""

    entries: list[Entry] = field(default_factory=list)
    damaged: list[CorruptRecording] = field(default_factory=list)
    """Files that cannot be read; some may be answers of the same series as one of the entries."""
    matched: set[str] = field(default_factory=set)
    """Those of the node ids that match something."""
    others: set[str] = field(default_factory=set)
    """The ids of other tests, of their files and functions."""


@click.command()
@click.argument("node_ids", metavar="NODEID...", nargs=-1, required=True)
@click.option("-d", "--dir", "dirs", metavar="DIR", multiple=True, type=click.Path(path_type=Path), help="Look there.")
@click.option("-r", "--recursive", is_flag=True, help="Look through all folders of recordings below DIR.")
@click.option("--dry-run", is_flag=True, help="Say what would be moved.")
@click.option("--json", "is_json", is_flag=True, help="One JSON array, as described above.")
def rm(node_ids: tuple[str, ...], dirs: tuple[Path, ...], recursive: bool, dry_run: bool, is_json: bool) -> None:
    """Move the recordings of these tests to the trash.

    NODEID is pytest's id of a test, with its parameters or without, which means all of them; or of a class, a file or a
    folder, which means all tests and fixtures in it; or a fixture's id as `ls` shows it ("test_a.py@answer"). It starts
    at pytest's rootdir, or at the working directory. Without --dir it is looked for in the folder that your tests'
    recorders would take, and in `recordings` beside the tests.

    The trash is the folder .trash beside the recordings; git passes over it, nothing is replayed from it, and
    `inference-recorder undo` brings the recordings back. What was deleted more than 14 days ago is removed for good.

    What was recorded outside a test is never matched. What also answers other tests stays, and is named.

    \b
    --json gives one object a recording:
      path, test_id, trash (where it is now, null if it stays), refusal (why it stays, else null)

    \b
    Exit codes:
      0  all were moved (with --dry-run: can be)
      1  a recording stays, or the disk refuses
      2  an id matches nothing (then nothing is moved), there is no such folder, or the options are wrong
    """
    given = tuple(dict.fromkeys(map(from_rootdir, node_ids)))
    directories = directories_of_tests(dirs, given, is_recursive=recursive)
    found = _found(directories, given)
    refusals = {
        entry.path: "it answers other tests too" for entry in found.entries if is_shared(entry, naming_rule(entry))
    }
    going = [entry.path for entry in found.entries if entry.path not in refusals]
    series = set(map(series_of, going))
    damaged = [error for error in found.damaged if series_of(error.path) in series]
    for error in found.damaged:
        if error not in damaged:
            remark(f"passed over: {directories.shown(error.path)} cannot be read ({error.reason})", "bold red")
    if missing := [node_id for node_id in given if node_id not in found.matched]:
        raise click.UsageError(_not_found(missing, directories, found.others, dirs))
    deletion, failure = Deletion(), None
    try:
        if not dry_run:
            remove_expired(directories.read)
        deletion.discard([*going, *(error.path for error in damaged)], is_dry_run=dry_run)
    except UnwritableRecording as error:
        failure = error
    refusals |= dict.fromkeys(deletion.kept, "a later answer to its request stays, which would be taken for its own")
    tests = {error.path: "" for error in damaged} | {entry.path: entry.test_id or "" for entry in found.entries}
    _show(directories, deletion, refusals, dict(sorted(tests.items())), is_dry_run=dry_run, is_json=is_json)
    if failure is not None:
        remark(str(failure), "bold red")
    sys.exit(1 if refusals or failure else 0)


def _found(directories: ChosenDirectories, node_ids: Iterable[str]) -> _Found:
    found = _Found()
    for entry in directories.entries():
        if isinstance(entry, CorruptRecording):
            found.damaged.append(entry)
            continue
        test_id = entry.test_id or ""
        matching = {node_id for node_id in node_ids if test_id and _is_part_of(test_id, node_id)}
        if matching:
            found.entries.append(entry)
            found.matched |= matching
        elif test_id:
            found.others |= {test_id, test_id.partition("::")[0], test_id.partition("[")[0]}
    return found


def _is_part_of(test_id: str, node_id: str) -> bool:
    """Whether a test or fixture is the one with this id, or in what has this id."""
    if not test_id.startswith(node_id) and "@" not in test_id:  # spares most files the slower test
        return False
    if "[" in node_id.partition("::")[2] or "[" in node_id.rpartition("@")[2]:  # of one with its parameters
        return test_id == node_id
    return renamed(test_id, node_id, node_id) is not None


def _not_found(missing: list[str], directories: ChosenDirectories, others: set[str], dirs: tuple[Path, ...]) -> str:
    looked_in = ", ".join(directories.shown(directory) for directory in directories.read or (directories.chosen,))
    elsewhere = () if dirs else other_directories(directories)
    matched = {
        directory: _found(ChosenDirectories(directory, (directory,)), missing).matched for directory in elsewhere
    }
    lines: list[str] = []
    for position, node_id in enumerate(missing):
        lines.append(f"no recording in {looked_in} is of {node_id}; nothing was moved")
        if there := [directory for directory in elsewhere if node_id in matched[directory]]:
            named = [part for directory in there for part in ("--dir", directories.shown(directory))]
            lines.append(f"there are some elsewhere: {shlex.join(['inference-recorder', 'rm', node_id, *named])}")
        elif position < _MOST_GUESSES and (near := get_close_matches(node_id, others, n=3, cutoff=0.4)):
            lines += ["did you mean one of these?", *(f"  {one}" for one in near)]
    return "\n".join(map(visible_line, lines))


def _show(
    directories: ChosenDirectories,
    deletion: Deletion,
    refusals: dict[Path, str],
    tests: dict[Path, str],
    *,
    is_dry_run: bool,
    is_json: bool,
) -> None:
    moved = [path for path in tests if path in deletion.moved or (is_dry_run and path not in refusals)]
    if is_json:
        show_json(
            [
                {
                    "path": directories.shown(path),
                    "test_id": test_id or None,
                    "trash": directories.shown(deletion.moved[path]) if path in deletion.moved else None,
                    "refusal": refusals.get(path),
                }
                for path, test_id in tests.items()
            ]
        )
    else:
        show_table(_COLUMNS, [(directories.shown(path), tests[path]) for path in moved])
    for path, refusal in refusals.items():
        remark(f"stays as it is: {directories.shown(path)} ({tests[path]}): {refusal}", "bold red")
    if is_dry_run:
        remark(f"{counted(len(moved), 'recording')} would be moved to the trash")
    elif moved:
        undo = deletion.undo_command(Path.cwd())
        remark(f"{counted(len(moved), 'recording')} moved to the trash; {undo} brings them back")
    else:
        remark("nothing was moved")
