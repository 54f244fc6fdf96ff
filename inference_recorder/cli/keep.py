"""`inference-recorder keep`: accept what tests recorded that failed."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from ..errors import RecorderError
from ..storage.catalogue import position_of
from ..storage.rollback import FAILED_DIRECTORY
from ..storage.trash import Deletion
from .console import Column, counted, remark, show_json, show_table
from .directories import SearchedDirectories, remark_unreadable, shown, takes_dirs
from .node_ids import TestRecordings, not_found, recordings_in
from .suite_directories import directories_with, from_rootdir

_MOST_SHOWN = 3
_COLUMNS = (Column("recording", gives_way=True), Column("test", gives_way=True))


@click.command()
@click.argument("node_ids", metavar="[TEST]...", nargs=-1)
@takes_dirs
@click.option("--dry-run", is_flag=True, help="Print what would be kept.")
@click.option("--json", "is_json", is_flag=True, help="Print a JSON array, as described above.")
def keep(node_ids: tuple[str, ...], dirs: tuple[Path, ...], dry_run: bool, is_json: bool) -> None:
    """Accept the recordings of tests that failed while they recorded.

    In mode record, a test that fails leaves its old recordings in place, and its new ones in the directory .failed
    beside them. This moves the new ones of TEST into place, or without TEST, those of all tests. TEST is pytest's id of
    a test, with or without its parameters, or of a class, a file or a directory. Without --dir, all directories of the
    suite are searched.

    The recordings that they replace move to the trash; `inference-recorder undo` brings them back, and sets aside
    again what was accepted.

    \b
    --json gives one object a recording:
      path, test_id, failed (its path in .failed), trash (the path there of the recording that it replaced, or
      null), is_kept (with --dry-run: false)

    \b
    Exit codes:
      0  all were kept (with --dry-run: can be)
      1  there are none, or one cannot be moved
      2  an id matches nothing (then nothing is kept), the directory does not exist, or the options are wrong
    """
    recordings = _set_aside(dirs, node_ids)
    deletion, failure = Deletion(command="keep"), None
    kept: dict[Path, Path] = {}
    paths = sorted(recordings.test_ids, key=lambda path: (path.parent, position_of(path), path.name))
    try:
        for path in () if dry_run else paths:
            kept[path] = deletion.accept(path)
    except RecorderError as error:
        failure = error
    if is_json:
        show_json([_as_json(path, recordings.test_ids[path], deletion, is_kept=path in kept) for path in paths])
    else:
        shown_paths = paths if dry_run else [*kept]
        show_table(_COLUMNS, [(shown(_path_when_kept(path)), recordings.test_ids[path]) for path in shown_paths])
    if failure is not None:
        remark(str(failure), "bold red")
    if not paths:
        remark("no recording of a failed test is set aside")
    elif dry_run:
        remark(f"{counted(len(paths), 'recording')} would be kept")
    else:
        replaced = f"; {counted(len(deletion.moved), 'old one')} moved to the trash" if deletion.moved else ""
        remark(f"{counted(len(kept), 'recording')} kept{replaced}; {deletion.undo_command(Path.cwd())} reverts this")
    sys.exit(0 if paths and failure is None else 1)


def _set_aside(dirs: tuple[Path, ...], node_ids: Iterable[str]) -> TestRecordings:
    """Return the recordings in .failed of these tests, or of all; raises click.UsageError if an id matches nothing."""
    ids = tuple(dict.fromkeys(map(from_rootdir, node_ids)))
    failed = [directory / FAILED_DIRECTORY for directory in directories_with(FAILED_DIRECTORY, dirs)]
    # A link may lead anywhere.
    searched = SearchedDirectories(Path.cwd(), tuple(path for path in failed if not path.is_symlink()))
    recordings = recordings_in(searched, ids)
    for error in recordings.unreadable:
        remark_unreadable(error)
    if missing := recordings.missing:
        raise click.UsageError(_not_found(missing, recordings))
    return recordings


def _not_found(missing: list[str], recordings: TestRecordings) -> str:
    """Return the lines that say for which tests nothing was set aside, and for which something was."""
    test_ids = sorted({*recordings_in(recordings.directories, ()).test_ids.values()})
    if not test_ids:
        return f"nothing is set aside for {', '.join(missing)}, nor for any other test; nothing was kept"
    more = [f"  and {len(test_ids) - _MOST_SHOWN} more"] if len(test_ids) > _MOST_SHOWN else []
    listing = ["there are some of", *(f"  {test_id}" for test_id in test_ids[:_MOST_SHOWN]), *more]
    return not_found(missing, recordings, (), ("keep", "; nothing was kept", "--dir"), listing)


def _path_when_kept(failed: Path) -> Path:
    return failed.parent.parent / failed.name


def _as_json(failed: Path, test_id: str, deletion: Deletion, *, is_kept: bool) -> dict[str, object]:
    path = _path_when_kept(failed)
    return {
        "path": shown(path),
        "test_id": test_id or None,
        "failed": shown(failed),
        "trash": shown(deletion.moved[path]) if path in deletion.moved else None,
        "is_kept": is_kept,
    }
