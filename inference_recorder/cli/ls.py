"""`inference-recorder ls`: what was recorded: one line a test or a call, or statistics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import click

from ..views.parts import size_of
from .console import Column, counted, output, remark, show_json, show_table
from .directories import RECURSIVE, SearchedDirectories
from .filters import Filter, takes_filter
from .listing import ListedFile, ListedTest, by_test, listed
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
_ORDERS: dict[str, Callable[[ListedFile], str | float]] = {
    "test": lambda file: file.test_id or "",
    "endpoint": lambda file: file.endpoint or "",
    "model": lambda file: file.model or "",
    "size": lambda file: -file.size,
    "age": lambda file: -file.modified,
    "key": lambda file: file.short_name,
}
_ORDERS_OF_TESTS: dict[str, Callable[[ListedTest], str | float]] = {
    "test": lambda test: test.test_id,
    "model": lambda test: min(test.models, default=""),
    "size": lambda test: -test.size,
    "age": lambda test: -test.modified,
}


@click.command()
@click.argument("names", metavar="[DIR|NODEID]...", nargs=-1)
@click.option("-r", "--recursive", is_flag=True, help=RECURSIVE)
@takes_filter
@click.option("-l", "--long", "is_long", is_flag=True, help="Print a line for each call, not for each test.")
@click.option("--failed", is_flag=True, help="Only recorded failures.")
@click.option("--sort", type=click.Choice(tuple(_ORDERS)), help="Default: test. The largest and newest come first.")
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
    test, --sort takes the first model, the sum of the sizes and the newest file. In a pipe, each line has the test,
    its calls, how many of them failed or cannot be read, models, size in bytes and time of change, and the directory if
    a test is in several; with --long the test, endpoint, model, answer, size, time and path; separated by tabs.

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
        matching = _matching(directories, wanted, failed)
        order = sort or "test"
        if is_json or is_long:
            files = sorted(
                matching, key=lambda file: (_ORDERS[order](file), file.test_id or "", file.path), reverse=reverse
            )
            _show_files(files, is_json)
        elif order in _ORDERS_OF_TESTS:
            tests = by_test(matching)
            tests.sort(key=lambda test: (_ORDERS_OF_TESTS[order](test), test.test_id, test.directory), reverse=reverse)
            _show_tests(tests)
        else:
            raise click.UsageError(f"--sort {order} needs --long: the calls of a test have several")
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


def _matching(directories: SearchedDirectories, wanted: Filter, failed: bool) -> Iterator[ListedFile]:
    files = mapped(partial(listed, wanted), directories.paths(), "Reading recordings", directories.count)
    return (file for file in files if file is not None and (file.is_failed or not failed))


def _show_files(files: list[ListedFile], is_json: bool) -> None:
    if is_json:
        show_json([file.as_json() for file in files])
        return
    show_table(_CALL_COLUMNS, (file.cells(time.time()) for file in files))
    unreadable = sum(file.kind == "corrupt" for file in files)
    _remark_number(len(files), "", sum(file.size for file in files), unreadable)


def _show_tests(tests: list[ListedTest]) -> None:
    now, are_apart = time.time(), len({test.test_id for test in tests}) < len(tests)
    columns = [*_TEST_COLUMNS, *([Column("directory", gives_way=True)] if are_apart else [])]
    show_table(columns, ([*test.cells(now), *([test.directory] if are_apart else [])] for test in tests))
    of_tests = f" of {counted(len(tests), 'test')}"
    unreadable = sum(test.unreadable for test in tests)
    _remark_number(sum(test.number for test in tests), of_tests, sum(test.size for test in tests), unreadable)


def _remark_number(number: int, of_tests: str, size: int, unreadable: int) -> None:
    note = f"; {unreadable:,} cannot be read: see inference-recorder check" if unreadable else ""
    if unreadable or output().is_terminal:
        remark(f"{counted(number, 'file')}{of_tests}, {size_of(size)}{note}")
