"""The parts of docs/ that are made from the code and from stored results; `python -m tests.reference` writes them."""

from __future__ import annotations

import re
from pathlib import Path

from inference_recorder.sdk.coverage import coverage_table

from ..comparison.table import read_results, speed_table, table
from .errors import list_of_errors

_DOCS = Path(__file__).parents[2] / "docs"


def made_parts() -> dict[tuple[Path, str], str]:
    """Return what the pages hold between `<!-- NAME: made by … -->` and `<!-- end of NAME -->`, by page and name."""
    return {
        (_DOCS / "coverage.md", "coverage"): coverage_table(),
        (_DOCS / "errors.md", "errors"): list_of_errors(),
        (_DOCS / "comparison.md", "behaviours"): table(read_results()),
        (_DOCS / "comparison.md", "speed"): speed_table(),
    }


def part_of(text: str, name: str) -> str:
    """Return the part of a page that has this name; raises ValueError if the page does not have it once."""
    return text[_span(text, name)]


def with_part(text: str, name: str, part: str) -> str:
    """Return a page with another text as its part of this name."""
    span = _span(text, name)
    return text[: span.start] + part + text[span.stop :]


def _span(text: str, name: str) -> slice:
    pattern = rf"<!-- {name}: [^\n]* -->\n\n(.*?)\n\n<!-- end of {name} -->"
    [found] = re.finditer(pattern, text, re.DOTALL)
    return slice(*found.span(1))
