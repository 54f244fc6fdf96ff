"""What a command prints: tables and progress for people at a terminal, plain text and tabs for programs in a pipe."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ..text import visible_line
from ..views.parts import size_of

_Item = TypeVar("_Item")
_PATIENCE_SECONDS = 1.0
_LEAST_WIDTH = 12
_KEY = re.compile(r"([0-9a-f]{12})[0-9a-f]{52}")

Cell: TypeAlias = "str | tuple[str, str]"
"""What a table shows; where the two differ, for people and for programs ("12.3 kB", "12345")."""


class Column(NamedTuple):
    """A column of a table. One that `gives_way` is cut in its middle where the terminal is too narrow for all."""

    name: str
    is_number: bool = False
    gives_way: bool = False


def output() -> Console:
    """Return the console of what was asked for: colours at a terminal, none in a pipe or with NO_COLOR."""
    return Console(highlight=False, soft_wrap=True)


def remarks() -> Console:
    """Return the console of everything else, on stderr, so that what is piped holds only what was asked for."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def remark(text: str, style: str = "dim") -> None:
    """Say something beside what was asked for, on stderr."""
    console = remarks()
    console.print(Text(encodable(visible_line(text), console.encoding), style))


def encodable(text: str, encoding: str) -> str:
    """Return `text` with "?" for what an output's encoding lacks: a model may say what a pipe cannot."""
    return text.encode(encoding, "replace").decode(encoding)


def counted(number: int, noun: str) -> str:
    """Return "1 file", "2,000 files"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def number_cell(number: int) -> Cell:
    return f"{number:,}", str(number)


def size_cell(size: int) -> Cell:
    """Return a size in bytes: "12.3 kB" for people."""
    return size_of(size), str(size)


def show_json(value: object) -> None:
    """Print `value` as JSON, in ASCII, for programs."""
    click.echo(json.dumps(value, indent=2))


def show_table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a table with a head at a terminal; in a pipe one line a row, its cells whole and separated by tabs."""
    console = output()
    if not console.is_terminal:
        for row in rows:
            line = "\t".join(visible_line(cell if isinstance(cell, str) else cell[1]) for cell in row)
            click.echo(encodable(line, console.encoding))
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.name, justify="right" if column.is_number else "left", no_wrap=not column.gives_way
        )  # fmt: skip
    for row in rows:
        texts = [encodable(visible_line(cell if isinstance(cell, str) else cell[0]), console.encoding) for cell in row]
        table.add_row(
            *(Shortened(text) if columns[position].gives_way else Text(text) for position, text in enumerate(texts))
        )
    console.print(table, soft_wrap=False)


def show_rest(count: int, most: int | None) -> None:
    """Say how many of `count` lines are not shown, where `most` are; None stands for all."""
    if most is not None and count > most:
        output().print(f"… and {count - most:,} more (--all)", style="dim")


class Shortened:
    """A text on one line, cut where its column is narrower: what names it best is kept longest."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(_LEAST_WIDTH, len(self._text)), len(self._text))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Segment(encodable(shortened(self._text, options.max_width), options.encoding))


def shortened(text: str, width: int) -> str:
    """Return a test's id, path or other text in at most `width` characters; what names it best is kept longest.

    "tests/deep/test_a.py::TestB::test_c[x]" loses its folders first, then its file, its class and the start of its
    parameters; a path most of a key's digits and then its folders; and anything else characters of its middle.
    """
    shorter = _shorter_ids(text, width) if "::" in text else (text, _KEY.sub(r"\1…", text))
    for one in shorter:
        if len(one) <= width:
            return one
    text = shorter[-1]
    end = width - 1 if text.endswith(".json") else (width - 1) // 3
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"


def _shorter_ids(test_id: str, width: int) -> tuple[str, ...]:
    file, _, names = test_id.partition("::")
    function, bracket, parameters = names.partition("[")
    last = function.rpartition("::")[2]
    room = width - len(f"…::{last}[…")
    cut = f"…::{last}{bracket}{parameters}"
    without_start = (f"…::{last}[…{parameters[-room:]}",) if bracket and room > 0 else ()
    return (test_id, f"…/{file.rpartition('/')[2]}::{names}", f"…::{names}", cut, *without_start)


def tracked(items: Sequence[_Item], what: str) -> Iterator[_Item]:
    """Yield the items; at a terminal a bar on stderr says how far that is, once it has taken over a second."""
    console = remarks()
    if not console.is_terminal:
        yield from items
        return
    begun = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task(what, total=len(items))
    is_shown = False
    try:
        for position, item in enumerate(items):
            if not is_shown and time.monotonic() - begun > _PATIENCE_SECONDS:
                is_shown = True
                bar.start()
            if is_shown:
                bar.update(task, completed=position)
            yield item
    finally:
        if is_shown:
            bar.stop()
