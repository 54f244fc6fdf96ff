"""Differences as people read them: in colour at a terminal, as plain text in a pipe."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from ..diagnosis.text_diff import small_diff
from ..explanation import Difference, difference_lines
from ..text import visible
from .console import encodable, output

_MOST_LINES = 500
_LONGEST_VALUE = 2_000
_STYLES = {"- ": "red", "+ ": "green"}


class DifferenceReport:
    """Prints lines. Their text is never interpreted as markup or as control characters."""

    def __init__(self) -> None:
        self._console = output()

    def line(self, text: str = "", style: str = "") -> None:
        self._console.print(Text(encodable(visible(text), self._console.encoding), style))

    def values(self, lines: Iterable[str], indent: str = "") -> None:
        """Print lines; those that begin with "- " or "+ " are coloured."""
        for line in lines:
            self.line(f"{indent}{line}", _STYLES.get(line.lstrip()[:2], ""))

    def differences(self, differences: Iterable[Difference], names: tuple[str, str]) -> None:
        """Print the differences at greater length than an error does; `names` are the names of the two sides."""
        for difference in differences:
            if difference.lines:
                lines = small_diff(str(difference.recorded), str(difference.asked), _MOST_LINES)
                difference = difference._replace(lines=lines)
            self.values(difference_lines(difference, names, _LONGEST_VALUE), "  ")
