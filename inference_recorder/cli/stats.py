"""`inference-recorder stats`: how much was recorded for what, what it cost, and what was recorded twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import PurePath

import click

from ..errors import CorruptRecording
from ..views.parts import size_of
from .console import Cell, Column, counted, output, remark, show_json, show_rest, show_table
from .directories import ChosenDirectories, takes_directories
from .filters import Filter, takes_filter
from .statistics import Duplicate, Statistics, Tally

_MOST_SHOWN = 15
_NUMBERS = tuple(Column(name, is_number=True) for name in ("number", "size", "tokens in", "tokens out"))
_DUPLICATE_COLUMNS = (
    Column("recorded by several tests", gives_way=True),
    Column("model", gives_way=True),
    Column("number", is_number=True),
    Column("to spare", is_number=True),
    Column("tests", is_number=True),
    Column("answers", is_number=True),
    Column("one of them"),
)


@click.command()
@takes_directories
@takes_filter
@click.option("--all", "shows_all", is_flag=True, help=f"Show all lines of each table, not {_MOST_SHOWN}.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object, as described above.")
def stats(directories: ChosenDirectories, wanted: Filter, shows_all: bool, is_json: bool) -> None:
    """Count recordings by endpoint, model and test.

    For each: number, size and tokens; and then what is there twice. Tokens are those that the answers report, a stream
    in its last usage. Duplicates are requests that differ in nothing but the test that made them. TEXT matches a part,
    or the whole where it holds * or ?.

    In a pipe, each line has the kind ("total", "endpoint", "model", "test"), the name, number, size in bytes, tokens
    in and out, with tabs between them; of a "duplicate" the endpoint, model, number, bytes of all but one, tests,
    different answers and the path of one.

    \b
    --json gives an object:
      total                            number, size (bytes), tokens_in, tokens_out
      by_endpoint, by_model, by_test   lists of these, each with its name; the largest number first
      duplicates                       endpoint, model, tests, paths, different_answers, spare_size (bytes)
      others                           files that are not calls of the SDK
      corrupt                          paths of files that cannot be read

    \b
    Exit codes:
      0  counted
      2  there is no such folder, or the options are wrong
    """
    seen = _statistics(directories, wanted)
    if is_json:
        show_json(_as_json(seen))
    elif output().is_terminal:
        _show(seen, None if shows_all else _MOST_SHOWN)
    else:
        _print(seen)
    if seen.others:
        remark(f"not counted: {counted(seen.others, 'file')} that hold no call of the SDK")
    if seen.corrupt:
        remark(f"not counted: {counted(len(seen.corrupt), 'file')} that cannot be read; see inference-recorder check")


def _statistics(directories: ChosenDirectories, wanted: Filter) -> Statistics:
    seen = Statistics()
    for one in directories.entries():
        path = directories.shown(one.path)
        try:
            if isinstance(one, CorruptRecording):
                raise one
            if not wanted.takes(one) or not wanted.takes_file(one.path.stat()):
                continue
            if one.is_of_the_sdk:
                seen.see(one, one.recording(), path)
            else:
                seen.others += 1
        except (CorruptRecording, ValueError, RecursionError, OSError):
            seen.corrupt.append(path)
    return seen


def _ranked(tallies: Mapping[str, Tally]) -> list[tuple[str, Tally]]:
    return sorted(tallies.items(), key=lambda one: (-one[1].number, -one[1].size, one[0]))


def _show(seen: Statistics, most: int | None) -> None:
    console = output()
    for kind, tallies in seen.by.items():
        ranked = _ranked(tallies)
        rows = [(name, *_cells(tally)) for name, tally in ranked[:most]]
        show_table((Column(f"by {kind}", gives_way=True), *_NUMBERS), rows)
        show_rest(len(ranked), most)
        console.print()
    duplicates = seen.duplicates
    if duplicates:
        show_table(_DUPLICATE_COLUMNS, [_duplicate_cells(one) for one in duplicates[:most]])
        show_rest(len(duplicates), most)
        console.print()
    spare = sum(one.spare_size for one in duplicates)
    total = seen.total
    console.print(
        f"{counted(total.number, 'recording')}, {size_of(total.size)}, "
        f"{total.tokens_in:,} tokens in, {total.tokens_out:,} tokens out; "
        f"{counted(len(duplicates), 'request')} recorded by several tests ({size_of(spare)} to spare)"
    )


def _print(seen: Statistics) -> None:
    show_table((), [("total", "", *_cells(seen.total))])
    for kind, tallies in seen.by.items():
        show_table((), [(kind, name, *_cells(tally)) for name, tally in _ranked(tallies)])
    show_table((), [("duplicate", *_duplicate_cells(one)) for one in seen.duplicates])


def _cells(tally: Tally) -> Iterable[Cell]:
    numbers = (tally.tokens_in, tally.tokens_out)
    size = (size_of(tally.size), str(tally.size))
    return (_number(tally.number), size, *map(_number, numbers))


def _number(number: int) -> Cell:
    return f"{number:,}", str(number)


def _duplicate_cells(one: Duplicate) -> list[Cell]:
    return [
        one.endpoint,
        one.model,
        _number(len(one.paths)),
        (size_of(one.spare_size), str(one.spare_size)),
        _number(len(one.tests)),
        _number(len(one.answers)),
        (PurePath(one.paths[0]).stem[:12], one.paths[0]),
    ]


def _as_json(seen: Statistics) -> dict[str, object]:
    by = {
        f"by_{kind}": [{"name": name} | asdict(tally) for name, tally in _ranked(tallies)]
        for kind, tallies in seen.by.items()
    }
    duplicates = [
        {
            "endpoint": one.endpoint,
            "model": one.model,
            "tests": sorted(one.tests),
            "paths": one.paths,
            "different_answers": len(one.answers),
            "spare_size": one.spare_size,
        }
        for one in seen.duplicates
    ]
    return {"total": asdict(seen.total), **by, "duplicates": duplicates, "others": seen.others, "corrupt": seen.corrupt}
