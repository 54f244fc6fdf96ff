"""What a machine without a browser says of the page's tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
PAGE = "tests/unit/views/report/test_page.py"


def last_line(tmp_path: Path, *arguments: str) -> str:
    """Return the last line that a run of tests prints where nothing is on the PATH."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment | {"PATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("options", [["-n", "1"], [], ["-rN"]], ids=["xdist", "one process", "without reasons"])
def test_the_last_line_says_that_the_pages_tests_were_not_run(options: list[str], tmp_path: Path) -> None:
    """A green summary would be taken for theirs too."""
    last = last_line(tmp_path, *options, PAGE)

    assert re.fullmatch(rf"not run: \d+ tests of {PAGE}: no chromium on the PATH", last)


@pytest.mark.slow
def test_a_run_without_the_pages_tests_says_nothing_of_them(tmp_path: Path) -> None:
    """A note that is always there is not read."""
    assert "not run" not in last_line(tmp_path, "tests/unit/test_text.py", "--collect-only")
