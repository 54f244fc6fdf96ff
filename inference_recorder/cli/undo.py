"""`inference-recorder undo`: revert the last command that moved recordings to the trash."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import click

from ..errors import CorruptRecording, UnwritableRecording
from ..storage.catalogue import entries_in
from ..storage.rollback import FAILED_DIRECTORY
from ..storage.trash import TRASH_DIRECTORY, last_deletion, origin_of
from ..storage.undo import Undone, places_of
from ..storage.undo import undo as undone_deletion
from ..text import visible_line
from .console import Column, counted, remark, show_json, show_table
from .directories import shown
from .suite_directories import directories_with

_COMMANDS = {"prune": "pytest --inference-prune=delete"}
"""The commands that the trash notes by another word."""
_MOST_TESTS = 3


@click.command()
@click.argument("dirs", metavar="[DIR]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Print what would be reverted.")
@click.option("--json", "is_json", is_flag=True, help="Print a JSON array, as described above.")
def undo(dirs: tuple[Path, ...], dry_run: bool, is_json: bool) -> None:
    """Revert the last `rm`, `keep` or `pytest --inference-prune=delete`.

    The recordings that it moved to the trash of DIR and the directories below come back, or without DIR, of all
    directories of the suite. What `keep` accepted is set aside again. stderr says which command it was, when it ran and
    for which tests. Run it again to revert the command before that.

    No recording is replaced. If one with the same name has been made since, the deleted one (with all answers of its
    series) stays in the trash, and its path is printed on stderr.

    \b
    --json gives one object a recording that was deleted:
      path, trash (where it still is, as with --dry-run, or null if it is back)

    \b
    Exit codes:
      0  all of them are back (with --dry-run: there are some)
      1  there are none, or one stays in the trash or cannot be moved
      2  the directory does not exist, or the options are wrong
    """
    directories = directories_with(TRASH_DIRECTORY, dirs)
    try:
        entries = last_deletion(directories)
        places = places_of(entries)
        description = _description(entries, places)  # before they leave the trash
        undone = Undone([], places) if dry_run else undone_deletion(entries)
    except UnwritableRecording as error:
        raise click.ClickException(f"{error}\nwhat is not back yet is still in the trash; try again") from None
    paths = [*places] if dry_run else undone.restored
    if is_json:
        back = [{"path": shown(path), "trash": None} for path in undone.restored]
        show_json(back + [{"path": shown(path), "trash": shown(left)} for path, left in undone.conflict.items()])
    else:
        show_table((Column("recording", gives_way=True),), [(shown(path),) for path in paths])
    for path, left in () if dry_run else undone.conflict.items():
        why = f"there is another file of {'that name' if os.path.lexists(path) else 'its series'}"
        remark(f"not brought back: {shown(path)}: {why}; the deleted one is {shown(left)}", "bold red")
    if not places:
        remark("there is nothing to undo")
    else:
        done = "would revert" if dry_run else "reverted" if paths else "not reverted:"
        remark(f"{done} {description}; {_effect(paths)}")
    sys.exit(0 if paths and (dry_run or not undone.conflict) else 1)


def _description(entries: Sequence[Path], places: Mapping[Path, Path]) -> str:
    """Return the command that made a deletion, its time here, and its tests; "" without one."""
    if not entries:
        return ""
    command, time = origin_of(entries[0])
    local = time.astimezone()
    is_today = local.date() == datetime.now().astimezone().date()
    recordings = entries_in({path.parent: None for path in places.values()})
    ids = sorted({each.test_id for each in recordings if not isinstance(each, CorruptRecording) and each.test_id})
    more = [f"{len(ids) - _MOST_TESTS} more"] if len(ids) > _MOST_TESTS else []
    name = f"`{_COMMANDS.get(command, command)}`" if command else "deletion"
    tests = ", ".join([*ids[:_MOST_TESTS], *more])
    return visible_line(f"{name} of {local:{'%H:%M' if is_today else '%Y-%m-%d %H:%M'}}{tests and f': {tests}'}")


def _effect(paths: Sequence[Path]) -> str:
    again = sum(path.parent.name == FAILED_DIRECTORY for path in paths)
    back = len(paths) - again
    if again:
        return f"{counted(again, 'recording')} set aside again, {back} brought back"
    return f"{counted(back, 'recording')} brought back"
