"""The output of commands: tables and progress bars at a terminal, plain lines with tabs in a pipe."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from typing import NamedTuple, TypeAlias, TypeVar

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ..text import visible, visible_line
from ..views.parts import size_of

_Item = TypeVar("_Item")
OUTSIDE_A_TEST = "(outside a test)"
"""Shown in place of a missing test id."""
_PATIENCE_SECONDS = 1.0
_LEAST_WIDTH = 12
_DIFF_STYLES = {"- ": "red", "+ ": "green"}
_KEY = re.compile(r"([0-9a-f]{12})[0-9a-f]{52}")

Cell: TypeAlias = "str | int | tuple[str, str]"
"""A cell of a table: a text, a number, or two texts: for a terminal and for a pipe ("12.3 kB", "12345")."""


class Column(NamedTuple):
    """A column of a table. A column that `gives_way` is shortened if the terminal is too narrow."""

    name: str
    is_number: bool = False
    gives_way: bool = False


def output() -> Console:
    """Return a console on stdout: with colour at a terminal, without in a pipe or with NO_COLOR."""
    return Console(highlight=False, soft_wrap=True)


def remarks() -> Console:
    """Return a console on stderr, for all that does not belong in a pipe."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def remark(text: str, style: str = "dim") -> None:
    """Print one line on stderr."""
    show_text(remarks(), visible_line(text), style=style)


def show_text(console: Console, *parts: str | tuple[str, str] | Text, style: str = "", end: str = "\n") -> None:
    """Print a text, or parts of one with their styles. It is never read as markup or as control characters."""
    text = Text.assemble(*parts, style=style)
    text.plain = encodable(visible(text.plain), console.encoding)
    console.print(text, end=end, soft_wrap=True)  # a path that is broken in two cannot be copied


def show_lines(lines: Iterable[str], indent: str = "") -> None:
    """Print lines on stdout; those that begin with "- " or "+ " are coloured, as in a diff."""
    for line in lines:
        show_text(output(), f"{indent}{line}", style=_DIFF_STYLES.get(line.lstrip()[:2], ""))


def encodable(text: str, encoding: str) -> str:
    """Return `text` with "?" for each character that an output's encoding lacks."""
    return text.encode(encoding, "replace").decode(encoding)


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return "1 file", "2,000 files"; `plural` is needed for other endings than "s"."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def size_cell(size: int) -> Cell:
    """Return a size in bytes: "12.3 kB" for people."""
    return size_of(size), str(size)


def show_json(value: object) -> None:
    """Print `value` as JSON, in ASCII, for programs."""
    click.echo(json.dumps(value, indent=2))


def show_table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a table with a head at a terminal; in a pipe, print each row as a line of full cells separated by tabs."""
    console = output()
    if not console.is_terminal:
        for row in rows:
            click.echo(encodable("\t".join(_cell_text(cell, is_terminal=False) for cell in row), console.encoding))
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.name, justify="right" if column.is_number else "left", no_wrap=not column.gives_way)
    for row in rows:
        texts = [encodable(_cell_text(cell, is_terminal=True), console.encoding) for cell in row]
        table.add_row(
            *(Shortened(text) if column.gives_way else Text(text) for column, text in zip(columns, texts, strict=True))
        )
    console.print(table, soft_wrap=False)


def _cell_text(cell: Cell, *, is_terminal: bool) -> str:
    if isinstance(cell, int):
        return f"{cell:,}" if is_terminal else str(cell)
    return visible_line(cell if isinstance(cell, str) else cell[0 if is_terminal else 1])


def show_rest(count: int, most: int | None) -> None:
    """Print how many of `count` lines were left out if at most `most` were shown; None stands for all."""
    if most is not None and count > most:
        output().print(f"… and {count - most:,} more (--all)", style="dim")


class Shortened:
    """A text on one line, shortened to the width of its column."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(_LEAST_WIDTH, len(self._text)), len(self._text))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Segment(encodable(shortened(self._text, options.max_width), options.encoding))


def shortened(text: str, width: int) -> str:
    """Return a test id, path or other text in at most `width` characters.

    "tests/deep/test_a.py::TestB::test_c[x]" loses its directories first, then its file, its class and the start of its
    parameters. A path loses most digits of a key first. Any other text loses characters in its middle.
    """
    shorter_texts = _shorter_ids(text, width) if "::" in text else (text, _KEY.sub(r"\1…", text))
    for shorter in shorter_texts:
        if len(shorter) <= width:
            return shorter
    text = shorter_texts[-1]
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


def tracked(items: Iterable[_Item], activity: str, count: Callable[[], int] | None = None) -> Iterator[_Item]:
    """Yield the items; at a terminal, show a progress bar on stderr once it has taken more than a second.

    `count` returns their number, for items without a length.
    """
    console = remarks()
    if not console.is_terminal:
        yield from items
        return
    total = len(items) if isinstance(items, Sized) else count and count()
    started = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task(activity, total=total)
    try:
        for done, item in enumerate(items):
            if time.monotonic() - started > _PATIENCE_SECONDS:
                bar.start()  # once
            bar.update(task, completed=done)
            yield item
    finally:
        if bar.live.is_started:
            bar.stop()
