"""What the tests of a suite got, to compare a replay with the run that recorded."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from .conftest import Suite

NOTE = """
    import json, os

    def note(*answers):
        line = json.dumps([os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0], list(answers)])
        with open(os.path.join(os.path.dirname(__file__), "noted.jsonl"), "a") as file:
            file.write(line + "\\n")
        return answers
"""
HEAD = """
from noting import note
pytestmark = pytest.mark.inference_recording
"""


def write_tests(suite: Suite, text: str, name: str = "test_it.py") -> None:
    """Write a file of tests that have a session and can `note` what they got."""
    suite.write("noting.py", NOTE)
    suite.write(name, HEAD + textwrap.dedent(text))


def noted(suite: Suite) -> dict[str, list[Any]]:
    """Return what each test noted since the last call, by the test's name."""
    file = suite.directory / "noted.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    file.unlink(missing_ok=True)
    got: dict[str, list[Any]] = {}
    for test_id, answers in lines:
        got.setdefault(test_id.rpartition("::")[2], []).extend(answers)
    return got
