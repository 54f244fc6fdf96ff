"""`inference-recorder ls`: what was recorded: one line a test or a call, or statistics."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import click

from ..views.parts import size_of
from .console import Column, counted, output, remark, show_json, show_table
from .directories import SearchedDirectories
from .filters import Filter, takes_filter
from .listing import ListedFile, by_test, listed
from .node_ids import directories_named
from .processes import mapped
from .statistics import remark_uncounted, show_statistics, statistics_of

_CALL_COLUMNS = (
    Column("test", gives_way=True),
    Column("endpoint"),
    Column("model", gives_way=True),
    Column("answer"),
    Column("size", is_number=True),
    Column("age", is_number=True),
    Column("key"),
)
_TEST_COLUMNS = (
    Column("test", gives_way=True),
    Column("calls", is_number=True),
    Column("failed", is_number=True),
    Column("models"),
    Column("size", is_number=True),
    Column("age", is_number=True),
)
_SORTS: dict[str, Callable[[ListedFile], str | float]] = {
    "test": lambda file: file.test_id or "",
    "endpoint": lambda file: file.endpoint or "",
    "model": lambda file: file.model or "",
    "size": lambda file: -file.size,
    "age": lambda file: -file.modified,
    "key": lambda file: file.short_name,
}


@click.command()
@click.argument("names", metavar="[DIR|NODEID]...", nargs=-1)
@click.option("-r", "--recursive", is_flag=True, help="Search all directories of recordings below DIR.")
@takes_filter
@click.option("-l", "--long", "is_long", is_flag=True, help="Print a line for each call, not for each test.")
@click.option("--failed", is_flag=True, help="Only recorded failures.")
@click.option("--sort", type=click.Choice(tuple(_SORTS)), help="Default: test. The largest and newest come first.")
@click.option("--reverse", is_flag=True, help="Reverse the order.")
@click.option("--stats", "shows_statistics", is_flag=True, help="Print statistics instead of the list.")
@click.option("--all", "shows_all", is_flag=True, help="With --stats: print all lines of each table, not 15.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON, as described above.")
def ls(
    names: tuple[str, ...],
    recursive: bool,
    wanted: Filter,
    is_long: bool,
    failed: bool,
    sort: str | None,
    reverse: bool,
    shows_statistics: bool,
    shows_all: bool,
    is_json: bool,
) -> None:
    """List the recordings in DIR or of the tests NODEID by test, or print their statistics.

    By default, DIR is where the recorders of your tests look, including its recordings/ and responses/. NODEID is
    pytest's id of a test, a class, a file or a directory, or a fixture's as it is listed; of a test or class, each call
    is listed, as with --long.

    TEXT matches any part, or the whole if it has * or ?. Ages are those of the files; a checkout makes files new. Of a
    test, --sort takes the sum of the sizes, and otherwise the call that comes first. In a pipe, each line has the test,
    its calls, how many of them failed or cannot be read, models, size in bytes and time of change; with --long the
    test, endpoint, model, answer, size, time and path; separated by tabs.

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
    directories = directories_named(names, "ls", is_recursive=recursive)
    if not shows_statistics:
        is_long = is_long or any("::" in name or "@" in name for name in names)
        files = _matching(directories, wanted, failed, sort or "test", reverse)
        if is_json:
            show_json([file.as_json() for file in files])
        elif is_long:
            show_table(_CALL_COLUMNS, [file.cells(time.time()) for file in files])
            _remark_number(files, "")
        else:
            tests = by_test(files)
            if sort == "size":
                tests.sort(key=lambda test: test.size, reverse=not reverse)
            show_table(_TEST_COLUMNS, [test.cells(time.time()) for test in tests])
            _remark_number(files, f" of {counted(len(tests), 'test')}")
        return
    if failed or sort or reverse or is_long:
        raise click.UsageError(
            "--long, --failed, --sort and --reverse are options of the list; they do not go with --stats"
        )
    statistics = statistics_of(directories, wanted)
    if is_json:
        show_json(statistics.as_json())
    else:
        show_statistics(statistics, shows_all=shows_all)
    remark_uncounted(statistics)


def _matching(
    directories: SearchedDirectories, wanted: Filter, failed: bool, sort: str, reverse: bool
) -> list[ListedFile]:
    all_files = mapped(partial(listed, wanted), directories.paths(), "Reading recordings")
    files = [file for file in all_files if file is not None and (file.is_failed or not failed)]
    key = _SORTS[sort]
    return sorted(files, key=lambda file: (key(file), file.test_id or "", file.path), reverse=reverse)


def _remark_number(files: list[ListedFile], of_tests: str) -> None:
    unreadable = sum(file.kind == "corrupt" for file in files)
    note = f"; {unreadable:,} cannot be read: see inference-recorder check" if unreadable else ""
    if unreadable or output().is_terminal:
        remark(f"{counted(len(files), 'file')}{of_tests}, {size_of(sum(file.size for file in files))}{note}")
