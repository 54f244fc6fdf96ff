"""`inference-recorder undo`: bring back what was deleted last."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from ..errors import UnwritableRecording
from ..storage.trash import TRASH_DIRECTORY, last_deletion
from ..storage.undo import undo as undone_deletion
from .console import Column, counted, remark, show_json, show_table
from .directories import shown
from .suite_directories import directories_with


@click.command()
@click.argument("dirs", metavar="[DIR]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "is_json", is_flag=True, help="Print a JSON array, as described above.")
def undo(dirs: tuple[Path, ...], is_json: bool) -> None:
    """Bring back the recordings that were deleted last.

    This brings back what one `inference-recorder rm`, one `pytest --inference-prune=delete` or one `inference-recorder
    keep` moved to the trash of DIR and the directories below, or without DIR, of all directories of the suite. What
    `keep` accepted is set aside again. Run it again to bring back what was deleted before that.

    No recording is replaced. If one with the same name has been made since, the deleted one (with all answers of its
    series) stays in the trash, and its path is printed on stderr.

    \b
    --json gives one object a recording that was deleted:
      path, trash (where it still is, or null if it is back)

    \b
    Exit codes:
      0  all of them are back
      1  there are none, or one stays in the trash or cannot be moved
      2  the directory does not exist, or the options are wrong
    """
    directories = directories_with(TRASH_DIRECTORY, dirs)
    try:
        undone = undone_deletion(last_deletion(directories))
    except UnwritableRecording as error:
        raise click.ClickException(f"{error}\nwhat is not back yet is still in the trash; try again") from None
    if is_json:
        back = [{"path": shown(path), "trash": None} for path in undone.restored]
        show_json(back + [{"path": shown(path), "trash": shown(left)} for path, left in undone.conflict.items()])
    else:
        show_table((Column("recording", gives_way=True),), [(shown(path),) for path in undone.restored])
    for path, left in undone.conflict.items():
        why = f"there is another file of {'that name' if os.path.lexists(path) else 'its series'}"
        remark(f"not brought back: {shown(path)}: {why}; the deleted one is {shown(left)}", "bold red")
    if not undone.restored and not undone.conflict:
        remark("there is nothing to undo")
    else:
        remark(f"{counted(len(undone.restored), 'recording')} brought back")
    sys.exit(0 if undone.restored and not undone.conflict else 1)
