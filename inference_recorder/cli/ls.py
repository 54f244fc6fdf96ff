"""`inference-recorder ls`: what was recorded, one line a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

import click

from ..errors import CorruptRecording
from ..storage.catalogue import Entry
from ..views.parts import size_of
from .amounts import age_text
from .console import Cell, Column, counted, output, remark, show_json, show_table
from .directories import ChosenDirectories, short_name, takes_directories
from .filters import Filter, takes_filter

_COLUMNS = (
    Column("test", gives_way=True),
    Column("endpoint"),
    Column("model", gives_way=True),
    Column("answer"),
    Column("size", is_number=True),
    Column("age", is_number=True),
    Column("key"),
)


@dataclass(frozen=True, slots=True)
class Listed:
    """One file, as it is listed and as --json gives it; None is what nobody can tell."""

    path: str
    kind: str
    """"recording", "other" or "corrupt"."""
    size: int
    modified: float
    """Seconds since 1970."""
    reason: str | None = None
    """Why the file cannot be read."""
    test_id: str | None = None
    endpoint: str | None = None
    model: str | None = None
    key: str | None = None
    position: int | None = None
    is_streaming: bool | None = None
    is_complete: bool | None = None
    is_failed: bool | None = None
    short_name: str = ""

    @property
    def told(self) -> str:
        """What came back, in a few words."""
        if self.kind == "corrupt":
            return f"unreadable: {self.reason}"
        if self.kind == "other":
            return "not the SDK's"
        form = "stream" if self.is_streaming else "whole"
        if self.is_failed:
            return f"{form}, failed"
        return form if self.is_complete else f"{form}, left early"


_SORTS: dict[str, Callable[[Listed], Any]] = {
    "test": lambda one: one.test_id or "",
    "endpoint": lambda one: one.endpoint or "",
    "model": lambda one: one.model or "",
    "size": lambda one: -one.size,
    "age": lambda one: -one.modified,
    "key": lambda one: one.short_name,
}


@click.command()
@takes_directories
@takes_filter
@click.option("--failed", is_flag=True, help="Only recorded failures.")
@click.option(
    "--sort", type=click.Choice(tuple(_SORTS)), default="test", show_default=True, help="The largest and newest first."
)
@click.option("--reverse", is_flag=True, help="The other way round.")
@click.option("--json", "is_json", is_flag=True, help="One JSON array, as described above.")
def ls(directories: ChosenDirectories, wanted: Filter, failed: bool, sort: str, reverse: bool, is_json: bool) -> None:
    """List the recordings in DIR.

    DIR is by default where inference_recording() looks for them, its recordings/ and responses/ included.

    TEXT matches a part, or the whole where it holds * or ?. Ages are those of the files: a checkout makes them new.
    In a pipe, each line has the test, endpoint, model, answer, size in bytes, time of change and path, with tabs
    between them.

    \b
    --json gives one object a file:
      path, size (bytes), modified (ISO 8601, UTC), and
      kind          "recording", "other" (not a call of the SDK) or "corrupt"
      reason        why it cannot be read, else null
      test_id, endpoint, model, key     strings or null
      position      in the series of its key, counted from 1, else null
      is_streaming, is_complete, is_failed     true, false or null

    \b
    Exit codes:
      0  also where there is nothing to list, or a file in the list cannot be read
      2  there is no such folder, or the options are wrong
    """
    found = [one for one in _listed(directories, wanted) if one.is_failed or not failed]
    found.sort(key=lambda one: (_SORTS[sort](one), one.test_id or "", one.path))
    if reverse:
        found.reverse()
    if is_json:
        show_json([_as_json(one) for one in found])
        return
    now = time.time()
    show_table(_COLUMNS, [_row(one, now) for one in found])
    unreadable = sum(one.kind == "corrupt" for one in found)
    told = f"; {unreadable:,} cannot be read: see inference-recorder check" if unreadable else ""
    if unreadable or output().is_terminal:
        remark(f"{counted(len(found), 'file')}, {size_of(sum(one.size for one in found))}{told}")


def _listed(directories: ChosenDirectories, wanted: Filter) -> Iterator[Listed]:
    for one in directories.entries():
        try:
            file = one.path.stat()
        except OSError:  # a link that leads nowhere, or a file that is gone by now
            file = None
        if file is not None and not wanted.takes_file(file):
            continue
        size, modified = (0, 0.0) if file is None else (file.st_size, file.st_mtime)
        path = directories.shown(one.path)
        if isinstance(one, CorruptRecording):
            if not wanted.asks_what_was_recorded:
                yield Listed(path, "corrupt", size, modified, one.reason, short_name=one.path.stem)
        elif wanted.takes(one):
            yield _listed_entry(one, path, size, modified)


def _listed_entry(entry: Entry, path: str, size: int, modified: float) -> Listed:
    kind, reason, answer = ("recording" if entry.is_of_the_sdk else "other"), None, None
    try:
        answer = entry.recording().answer
    except CorruptRecording as error:
        if entry.is_of_the_sdk:
            kind, reason = "corrupt", error.reason
    return Listed(
        path,
        kind,
        size,
        modified,
        reason,
        test_id=entry.test_id,
        endpoint=entry.endpoint or None,
        model=entry.model or None,
        key=entry.key,
        position=entry.position,
        is_streaming=None if answer is None else answer.is_streaming,
        is_complete=None if answer is None else answer.is_complete,
        is_failed=None if answer is None else answer.failure is not None,
        short_name=short_name(entry),
    )


def _row(one: Listed, now: float) -> list[Cell]:
    endpoint = one.endpoint or ""
    return [
        one.test_id or "",
        (endpoint.removeprefix("/v1/"), endpoint),
        one.model or "",
        one.told,
        (size_of(one.size), str(one.size)),
        (age_text(now - one.modified), _iso(one.modified)),
        (one.short_name, one.path),
    ]


def _as_json(one: Listed) -> dict[str, object]:
    fields = asdict(one) | {"modified": _iso(one.modified)}
    del fields["short_name"]
    return fields


def _iso(modified: float) -> str:
    return datetime.fromtimestamp(modified, timezone.utc).isoformat(timespec="seconds")
