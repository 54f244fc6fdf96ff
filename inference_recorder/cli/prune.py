"""`inference-recorder prune`: removes the recordings of tests that are gone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import click

from ..conversation.parts import size_of
from ..errors import CorruptRecording, UnwritableRecording
from .console import Column, counted, remark, show_json, show_table, tracked
from .folders import Folders, store_of, takes_folders
from .node_ids import Presence, TestFiles
from .orphans import Orphans, naming_rule, takes_rootdir

_COLUMNS = (Column("recording", gives_way=True), Column("test", gives_way=True), Column("reason"))


class _Judged(NamedTuple):
    """A recording whose test is not there, or may not be."""

    path: Path
    test_id: str
    reason: str
    size: int


@click.command()
@takes_folders
@takes_rootdir
@click.option("--delete", is_flag=True, help="Delete them; without it they are only listed.")
@click.option("--json", "is_json", is_flag=True, help="One JSON array, as described above.")
def prune(folders: Folders, rootdir: Path | None, delete: bool, is_json: bool) -> None:
    """Delete the recordings of tests that are gone.

    Without --delete they are only listed, each with the reason. A test is gone if its file, class or function is;
    that is read from the files, and nothing is run. Parameters are not looked into.

    Kept is what was recorded outside a test or by a tool, what answers other tests too, and what cannot be read; and
    what a test may need that might be there: inherited, made by a decorator, or in a file that cannot be parsed.

    \b
    --json gives one object a recording of a test that is gone:
      path, test_id, reason, size (bytes), is_deleted

    \b
    Exit codes:
      0  nothing to delete, or all of it deleted
      1  recordings are listed and were not deleted
      2  there is no such folder, or no test's file is below the rootdir
    """
    orphans = Orphans(TestFiles(rootdir or Path.cwd()))
    gone, unknown = _judged(folders, orphans)
    if rootdir is None and orphans.has_met_no_file:
        raise click.UsageError(
            f"of all tests that are named in {folders.chosen}, no file is below {orphans.tests.rootdir}; "
            "go to pytest's rootdir, or name it with --rootdir"
        )
    for reason in dict.fromkeys(one.reason for one in unknown):
        alike = [one for one in unknown if one.reason == reason]
        remark(f"kept {len(alike):,} of {_named(alike)}: {reason}")
    deleted = _deleted(gone) if delete else set()
    if is_json:
        show_json(
            [
                {**one._asdict(), "path": folders.shown(one.path), "is_deleted": one.path in deleted} for one in gone
            ]
        )  # fmt: skip
    else:
        show_table(_COLUMNS, [(folders.shown(one.path), one.test_id, one.reason) for one in gone])
    size = size_of(sum(one.size for one in gone))
    if not gone:
        remark("nothing to delete")
    elif delete:
        remark(f"deleted {len(deleted):,} of {counted(len(gone), 'recording')} ({size})")
    else:
        remark(f"{counted(len(gone), 'recording')} ({size}) would be deleted by --delete")
    sys.exit(0 if len(deleted) == len(gone) else 1)


def _judged(folders: Folders, orphans: Orphans) -> tuple[list[_Judged], list[_Judged]]:
    """Return the recordings of tests that are gone, and those of which nobody can tell."""
    gone: list[_Judged] = []
    unknown: list[_Judged] = []
    for entry in folders.entries():
        if isinstance(entry, CorruptRecording):
            remark(f"kept {folders.shown(entry.path)}: it cannot be read ({entry.reason})")
            continue
        presence, reason = orphans.verdict(entry, naming_rule(entry))
        if presence is not Presence.THERE:
            judged = _Judged(entry.path, entry.test_id or "", reason, len(entry.content))
            (gone if presence is Presence.GONE else unknown).append(judged)
    return gone, unknown


def _deleted(gone: list[_Judged]) -> set[Path]:
    deleted = set()
    for one in tracked(gone, "Deleting"):
        try:
            store_of(one.path).remove(one.path.name.removesuffix(".json"))
            deleted.add(one.path)
        except (UnwritableRecording, ValueError) as error:  # ValueError: a name that no store gave it
            remark(f"not deleted: {error}", "bold red")
    return deleted


def _named(judged: list[_Judged]) -> str:
    ids = list(dict.fromkeys(one.test_id for one in judged))
    return ids[0] if len(ids) == 1 else f"{ids[0]} and {len(ids) - 1:,} more tests"
