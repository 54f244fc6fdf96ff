"""Differences as people read them: in colour at a terminal, as plain text in a pipe."""

from __future__ import annotations

from collections.abc import Iterable

from ..diagnosis.text_diff import small_diff
from ..explanation import Difference, difference_lines
from .console import output, show_text

_MOST_LINES = 500
_LONGEST_VALUE = 2_000
_STYLES = {"- ": "red", "+ ": "green"}


def show_lines(lines: Iterable[str], indent: str = "") -> None:
    """Print lines; those that begin with "- " or "+ " are coloured."""
    for line in lines:
        show_text(output(), f"{indent}{line}", style=_STYLES.get(line.lstrip()[:2], ""))


def show_differences(differences: Iterable[Difference], names: tuple[str, str]) -> None:
    """Print the differences at greater length than an error does; `names` are the names of the two sides."""
    for difference in differences:
        if difference.lines:
            lines = small_diff(str(difference.recorded), str(difference.asked), _MOST_LINES)
            difference = difference._replace(lines=lines)
        show_lines(difference_lines(difference, names, _LONGEST_VALUE), "  ")
