"""The script's own decisions, in node: a machine without a browser tries them too."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import inference_recorder.views.report

SCRIPT = Path(inference_recorder.views.report.__file__).parent / "script"
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="no node on the PATH")


def evaluated(expression: str, calls: list[dict[str, Any]]) -> Any:
    """Return the value of an expression in the scope of the page that shows these calls."""
    data = json.dumps({"calls": calls, "recordings": [], "turns": [], "tools": []})
    program = (
        f"const document = {{ getElementById: () => ({{ textContent: {json.dumps(data)} }}) }};\n"
        + "".join((SCRIPT / name).read_text() for name in ("elements.js", "calls.js"))
        + f"console.log(JSON.stringify({expression}));"
    )
    done = subprocess.run([str(NODE), "-"], input=program, capture_output=True, encoding="utf-8", check=True)
    return json.loads(done.stdout)


def test_the_address_of_a_call_is_its_tests_id_and_its_number() -> None:
    """A link in a pull request stays true when tests are added; pytest's output can be pasted behind the "#"."""
    ids = [
        "tests/test_a.py::test_b",
        "tests/test_a.py::test_b[1.2]",
        "tests/test_a.py::test_b[1.2].2",
        "a b/ü.py::TestC::test_d[100%-#-\"'<&?\u2028]",
        "x::\ud800",
    ]
    calls = [{"test": test_id, "endpoint": "/v1/models", "outcome": "replayed"} for test_id in ids for _ in range(2)]
    by_hand = ["#", "#tests/test_a.py::test_b[1.2]", "#tests/test_a.py::test_b[1.2].2", "#100%", "#constructor"]
    read = "(hash) => { const { test, ordinal } = addressIn(hash); return [test && test.calls[0].test, ordinal]; }"
    written = f"tests.map((test) => [hrefOf(test), hrefOf(test, 1), ...[hrefOf(test), hrefOf(test, 1)].map({read})])"

    of_tests, of_hand = evaluated(f"[{written}, {json.dumps(by_hand)}.map({read})]", calls)

    assert sorted(ids) == sorted(of_test for _, _, (of_test, _), _ in of_tests)
    assert all((id_of_test, 1) == tuple(of_call) for _, _, (id_of_test, _), of_call in of_tests)
    assert [[None, 0], [ids[1], 0], [ids[2], 0], [None, 0], [None, 0]] == of_hand
    assert "#tests/test_a.py::test_b" in [href for href, *_ in of_tests]
    assert "#tests/test_a.py::test_b.1" in [href for _, href, *_ in of_tests]


def test_no_duration_is_zero() -> None:
    """Nothing takes no time."""
    durations = [0.000001, 0.00004, 0.0005, 0.0123, 1.5, 61]

    assert ["under 0.01 ms", "0.04 ms", "0.50 ms", "12 ms", "1.50 s", "1 min 1 s"] == evaluated(
        f"{durations}.map(duration)", []
    )
