"""The comparison runs, and the page shows what it found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .__main__ import tried_rows
from .behaviours import BEHAVIOURS
from .table import OLDEST, read_results
from .tools import TOOLS


def test_every_row_is_tried_with_every_tool() -> None:
    """A cell that nobody tried is an opinion; tests/reference holds the page equal to the results."""
    results = read_results()

    assert set(TOOLS) == set(results)
    assert [] == [name for name in TOOLS if {*BEHAVIOURS, OLDEST} != set(results[name]["rows"])]


@pytest.mark.slow
def test_our_own_column_is_still_true(tmp_path: Path) -> None:
    """The page would go on promising what a change of the package has broken."""
    cells, problems = tried_rows("ours", [sys.executable], list(BEHAVIOURS), tmp_path)

    assert [] == problems
    assert cells == {name: cell for name, cell in read_results()["ours"]["rows"].items() if name != OLDEST}
