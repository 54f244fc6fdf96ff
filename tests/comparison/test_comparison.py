"""The comparison runs, and the page shows what it found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .__main__ import tried_rows
from .behaviours import BEHAVIOURS
from .table import OLDEST, PAGE, read_results, with_table
from .tools import TOOLS


def test_the_page_shows_the_stored_results() -> None:
    """A cell that nobody tried, or that was changed by hand, is an opinion."""
    results, page = read_results(), PAGE.read_text(encoding="utf-8")

    assert set(TOOLS) == set(results)
    assert [] == [name for name in TOOLS if {*BEHAVIOURS, OLDEST} != set(results[name]["rows"])]
    assert page == with_table(page, results)


@pytest.mark.slow
def test_our_own_column_is_still_true(tmp_path: Path) -> None:
    """The page would go on promising what a change of the package has broken."""
    cells, problems = tried_rows("ours", [sys.executable], list(BEHAVIOURS), tmp_path)

    assert [] == problems
    assert cells == {name: cell for name, cell in read_results()["ours"]["rows"].items() if name != OLDEST}
