"""The recording that somebody names on a command line: by its file, its key, or the beginning of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ..errors import CorruptRecording
from ..storage.catalogue import Entry, entry_of, paths_in

_MOST_LISTED = 5


class UnreadableRecording(click.ClickException):
    """A recording that was named and cannot be read."""

    exit_code = 2


def entry_named(name: str, folders: Sequence[Path]) -> Entry:
    """Return the recording that `name` names. A key stands for the first answer of its row.

    Raises click.UsageError where it names none or several, UnreadableRecording where it cannot be read.
    """
    path = Path(name)
    try:
        return entry_of(path if path.is_file() else _path_of(name, folders))
    except CorruptRecording as error:
        raise UnreadableRecording(str(error)) from None


def _path_of(name: str, folders: Sequence[Path]) -> Path:
    start = name.removesuffix(".json")
    found = [path for path in paths_in(folders) if path.name.removeprefix("models-").startswith(start)] if start else []
    exact = [path for path in found if path.stem == start]
    keys = {path.name.partition(".")[0] for path in found}
    if exact or len(keys) == 1:
        return min(exact or found, key=lambda path: (len(path.name), path.name))
    if not found:
        places = ", ".join(map(str, folders[:1]))
        raise click.UsageError(f"{name} is no file, and no recording in {places} has a name that begins so (see --dir)")
    listed = "".join(f"\n  {path.name}" for path in found[:_MOST_LISTED])
    more = f"\n  and {len(found) - _MOST_LISTED} more" if len(found) > _MOST_LISTED else ""
    raise click.UsageError(f"{name} is the beginning of {len(found)} names:{listed}{more}")
