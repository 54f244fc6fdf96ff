"""`inference-recorder ls`: what was recorded, one line a file, or its statistics."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import click

from ..errors import CorruptRecording
from ..recording.answer import Streamed, failure_of, is_complete
from ..recording.layout import is_model_list_name
from ..storage.catalogue import Entry
from ..views.parts import size_of
from .amounts import age_text, iso_time
from .console import Cell, Column, counted, output, remark, show_json, show_table, size_cell
from .directories import SearchedDirectories, shown, takes_directories
from .filters import Filter, matching, takes_filter
from .statistics import remark_uncounted, show_statistics, statistics_of

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
class ListedFile:
    """One file, as it is listed and as --json gives it; None stands for an unknown value."""

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
    def answer(self) -> str:
        """The answer in a few words."""
        if self.kind == "corrupt":
            return f"unreadable: {self.reason}"
        if self.kind == "other":
            return "not the SDK's"
        form = "stream" if self.is_streaming else "whole"
        if self.is_failed:
            return f"{form}, failed"
        return form if self.is_complete else f"{form}, left early"

    def cells(self, now: float) -> list[Cell]:
        endpoint = self.endpoint or ""
        return [
            self.test_id or "",
            (endpoint.removeprefix("/v1/"), endpoint),
            self.model or "",
            self.answer,
            size_cell(self.size),
            (age_text(now - self.modified), iso_time(self.modified)),
            (self.short_name, self.path),
        ]

    def as_json(self) -> dict[str, object]:
        fields = asdict(self) | {"modified": iso_time(self.modified)}
        del fields["short_name"]
        return fields


_SORTS: dict[str, Callable[[ListedFile], str | float]] = {
    "test": lambda listed: listed.test_id or "",
    "endpoint": lambda listed: listed.endpoint or "",
    "model": lambda listed: listed.model or "",
    "size": lambda listed: -listed.size,
    "age": lambda listed: -listed.modified,
    "key": lambda listed: listed.short_name,
}


@click.command()
@takes_directories
@takes_filter
@click.option("--failed", is_flag=True, help="Only recorded failures.")
@click.option("--sort", type=click.Choice(tuple(_SORTS)), help="Default: test. The largest and newest come first.")
@click.option("--reverse", is_flag=True, help="Reverse the order.")
@click.option("--stats", "shows_statistics", is_flag=True, help="Print statistics instead of the list.")
@click.option("--all", "shows_all", is_flag=True, help="With --stats: print all lines of each table, not 15.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON, as described above.")
def ls(
    directories: SearchedDirectories,
    wanted: Filter,
    failed: bool,
    sort: str | None,
    reverse: bool,
    shows_statistics: bool,
    shows_all: bool,
    is_json: bool,
) -> None:
    """List the recordings in DIR, or print their statistics.

    By default, DIR is where inference_recording() looks for recordings, including its recordings/ and responses/.

    TEXT matches any part, or the whole if it has * or ?. Ages are those of the files; a checkout makes files new. In a
    pipe, each line has the test, endpoint, model, answer, size in bytes, time of change and path, separated by tabs.

    --stats counts recordings, bytes and tokens by endpoint, model and test, and finds duplicates: requests that differ
    only in the test that made them. Tokens are those that the answers report; a stream reports them in its last usage.
    In a pipe, each line has the kind ("total", "endpoint", "model", "test"), the name, number, size in bytes, and
    tokens in and out. A line of a "duplicate" has the endpoint, model, number, bytes of all files but one, number of
    tests, number of different answers, and the path of one file.

    \b
    --json gives one object a file:
      path, size (bytes), modified (ISO 8601, UTC), and
      kind          "recording", "other" (not a call of the SDK) or "corrupt"
      reason        why it cannot be read, or null
      test_id, endpoint, model, key     strings or null
      position      in the series of its key, counted from 1, or null
      is_streaming, is_complete, is_failed     true, false or null

    \b
    --stats --json gives one object:
      total                            number, size (bytes), tokens_in, tokens_out
      by_endpoint, by_model, by_test   lists of the same, each with its name; the largest number first
      duplicates                       endpoint, model, tests, paths, different_answers, spare_size (bytes)
      others                           number of files that are not calls of the SDK
      corrupt                          paths of files that cannot be read

    \b
    Exit codes:
      0  listed, even if there is nothing to list or a file cannot be read
      2  the directory does not exist, or the options are wrong
    """
    if not shows_statistics:
        _show_list(_listed(directories, wanted, failed, sort or "test", reverse), is_json)
        return
    if failed or sort or reverse:
        raise click.UsageError("--failed, --sort and --reverse are options of the list; they do not go with --stats")
    statistics = statistics_of(directories, wanted)
    if is_json:
        show_json(statistics.as_json())
    else:
        show_statistics(statistics, shows_all=shows_all)
    remark_uncounted(statistics)


def _listed(
    directories: SearchedDirectories, wanted: Filter, failed: bool, sort: str, reverse: bool
) -> list[ListedFile]:
    files: list[ListedFile] = []
    for entry, file in matching(directories, wanted):
        if isinstance(entry, CorruptRecording) and wanted.needs_content:
            continue
        listed = _listed_file(entry, shown(entry.path), file)
        if listed.is_failed or not failed:
            files.append(listed)
    key = _SORTS[sort]
    return sorted(files, key=lambda listed: (key(listed), listed.test_id or "", listed.path), reverse=reverse)


def _show_list(files: list[ListedFile], is_json: bool) -> None:
    if is_json:
        show_json([listed.as_json() for listed in files])
        return
    now = time.time()
    show_table(_COLUMNS, [listed.cells(now) for listed in files])
    unreadable = sum(listed.kind == "corrupt" for listed in files)
    note = f"; {unreadable:,} cannot be read: see inference-recorder check" if unreadable else ""
    if unreadable or output().is_terminal:
        remark(f"{counted(len(files), 'file')}, {size_of(sum(listed.size for listed in files))}{note}")


def _listed_file(entry: Entry | CorruptRecording, path: str, file: os.stat_result | None) -> ListedFile:
    size, modified = (0, 0.0) if file is None else (file.st_size, file.st_mtime)
    if isinstance(entry, CorruptRecording):
        return ListedFile(path, "corrupt", size, modified, entry.reason, short_name=entry.path.stem)
    kind, reason, answer = ("recording" if entry.is_sdk_call else "other"), None, None
    try:
        answer = entry.recording().answer
    except CorruptRecording as error:
        if entry.is_sdk_call:
            kind, reason = "corrupt", error.reason
    return ListedFile(
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
        is_streaming=None if answer is None else isinstance(answer, Streamed),
        is_complete=None if answer is None else is_complete(answer),
        is_failed=None if answer is None else failure_of(answer) is not None,
        short_name=_short_name(entry),
    )


def _short_name(entry: Entry) -> str:
    """Return a recording's name with only the first 12 digits of its key: "792f5c2603ba.2"."""
    name = entry.name.replace(entry.key, entry.key[:12], 1)
    return name.rpartition("-")[0] if is_model_list_name(name) else name
