"""How differences look: in colour on a terminal, as plain text in a pipe."""

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
    """Prints lines. What others wrote is never read as rich's markup, nor by the terminal."""

    def __init__(self) -> None:
        self._console = output()

    def line(self, text: str = "", style: str = "") -> None:
        self._console.print(Text(encodable(visible(text), self._console.encoding), style))

    def values(self, lines: Iterable[str], indent: str = "") -> None:
        """Print lines of which those that begin with "- " and "+ " are of either side."""
        for line in lines:
            self.line(f"{indent}{line}", _STYLES.get(line.lstrip()[:2], ""))

    def differences(self, differences: Iterable[Difference], names: tuple[str, str]) -> None:
        """Print the differences at greater length than an error does; `names` are those of the two sides."""
        for one in differences:
            if one.lines:
                one = one._replace(lines=small_diff(str(one.recorded), str(one.asked), _MOST_LINES))
            self.values(difference_lines(one, names, _LONGEST_VALUE), "  ")
