"""The README says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from inference_recorder import errors
from inference_recorder.interception.coverage import coverage_table

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_table_of_what_is_covered_is_the_codes_own() -> None:
    """A table kept by hand drifts with the first new row."""
    [table] = re.findall(r"<!-- coverage: .*? -->\n(.*?)\n<!-- end of coverage -->", README, re.DOTALL)

    assert coverage_table() == table


def test_every_error_is_explained() -> None:
    """Whoever meets one looks it up there."""
    names = {
        name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.RecorderError)
    }

    assert [] == [name for name in sorted(names) if f"`{name}`" not in README]
