"""`inference-recorder undo`: brings back what was deleted last."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from ..errors import UnwritableRecording
from ..storage import trash
from .console import Column, counted, remark, show_json, show_table
from .directories import shown
from .suite_directories import directories_with_trash


@click.command()
@click.argument("dirs", metavar="[DIR]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "is_json", is_flag=True, help="One JSON array, as described above.")
def undo(dirs: tuple[Path, ...], is_json: bool) -> None:
    """Bring back the recordings that were deleted last.

    That is what one `inference-recorder rm` or one `pytest --inference-prune=delete` moved to the trash of DIR and the
    folders below; without DIR, of all folders of the suite. Again, it brings back what was deleted before that.

    No recording is replaced: where another one of that name has been made since, it stays, and the deleted one (of a
    series all of its answers) stays in the trash, where the last lines name it.

    \b
    --json gives one object a recording that was deleted:
      path, trash (where it still is, null if it is back)

    \b
    Exit codes:
      0  all of them are back
      1  there are none, one stays in the trash, or the disk refuses
      2  there is no such folder, or the options are wrong
    """
    directories = directories_with_trash(dirs)
    try:
        undone = trash.undo(trash.last_deletion(directories))
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
