"""`inference-recorder rm`: move the recordings of tests to the trash."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from ..errors import UnwritableRecording
from ..storage.catalogue import entry_of, series_of
from ..storage.key_versions import is_shared, key_version
from ..storage.trash import Deletion
from .console import Column, counted, remark, show_json, show_table
from .directories import RECURSIVE, remark_refusal, remark_unreadable, shown, takes_dirs
from .node_ids import recordings_of

_COLUMNS = (Column("recording", gives_way=True), Column("test", gives_way=True))


@click.command()
@click.argument("node_ids", metavar="NODEID...", nargs=-1, required=True)
@takes_dirs
@click.option("-r", "--recursive", is_flag=True, help=RECURSIVE)
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
    recordings = recordings_of(node_ids, dirs, "rm", "; nothing was moved", is_recursive=recursive)
    entries = [entry_of(path) for path in recordings.test_ids]
    refusals = {entry.path: "it answers other tests too" for entry in entries if is_shared(entry, key_version(entry))}
    paths = [path for path in recordings.test_ids if path not in refusals]
    series = set(map(series_of, paths))
    unreadable = [error.path for error in recordings.unreadable if series_of(error.path) in series]
    for error in recordings.unreadable:
        if error.path not in unreadable:
            remark_unreadable(error)
    deletion, failure = Deletion(command="rm"), None
    try:
        deletion.discard([*paths, *unreadable], recordings.directories.searched, is_dry_run=dry_run)
    except UnwritableRecording as error:
        failure = error
    refusals |= dict.fromkeys(
        deletion.kept, "a later answer to its request stays, which would be replayed in its place"
    )
    tests = dict.fromkeys(unreadable, "") | recordings.test_ids
    _show(deletion, refusals, dict(sorted(tests.items())), is_dry_run=dry_run, is_json=is_json)
    if failure is not None:
        remark(str(failure), "bold red")
    sys.exit(1 if refusals or failure else 0)


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
        remark(f"{counted(len(moved), 'recording')} moved to the trash; {deletion.undo_advice(Path.cwd())}")
    else:
        remark("nothing was moved")
