"""What the tests of a suite got, so that a replay can be compared with the run that recorded."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from .conftest import Suite

TELL = """
    import json, os

    def tell(*answers):
        line = json.dumps([os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0], list(answers)])
        with open(os.path.join(os.path.dirname(__file__), "told.jsonl"), "a") as file:
            file.write(line + "\\n")
        return answers
"""
HEAD = """
from telling import tell
pytestmark = pytest.mark.inference_recording
"""


def write_tests(suite: Suite, text: str, name: str = "test_it.py") -> None:
    """Write a file of tests that have a session and may `tell` what they got."""
    suite.write("telling.py", TELL)
    suite.write(name, HEAD + textwrap.dedent(text))


def told(suite: Suite) -> dict[str, list[Any]]:
    """Return what each test told since the last time, by its name."""
    file = suite.directory / "told.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    file.unlink(missing_ok=True)
    got: dict[str, list[Any]] = {}
    for test_id, answers in lines:
        got.setdefault(test_id.rpartition("::")[2], []).extend(answers)
    return got
