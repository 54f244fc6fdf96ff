"""What the plugin costs those who have it installed and do not use it, and what it does without others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .conftest import Suite

HEAVY = (
    "openai", "pydantic", "rich", "orjson", "filelock", "wrapt", "inference_recorder.engine.engine",
    "httpx", "starlette", "uvicorn", "inference_recorder.server", "inference_recorder.asgi",
)  # fmt: skip


def test_nothing_heavy_is_imported_before_a_test_needs_it(suite: Suite) -> None:
    """Every start of pytest pays for what a plugin imports; the face alone took 65 ms."""
    (suite.directory / "test_plain.py").write_text("def test_plain(tmp_path): pass")
    (suite.directory / "conftest.py").write_text(
        f"import sys\ndef pytest_unconfigure(): print('imported:', sorted({set(HEAVY)!r} & set(sys.modules)))"
    )

    # Of the installed plugins this one alone, since others import what they like.
    result = suite.pytester.run(sys.executable, "-m", "pytest", "-p", "inference_recorder.pytest_plugin")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["inference_recorder: replay *", "imported: [[][]]"])


@pytest.fixture(autouse=True)
def _no_other_plugins(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "suite" in request.fixturenames:
        request.getfixturevalue("suite")
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        monkeypatch.delenv("PYTEST_ADDOPTS")


@pytest.mark.slow
def test_it_works_where_xdist_is_not_installed(suite: Suite) -> None:
    """pytest is all it needs."""
    suite.write("test_it.py", "def test_it(inference_session): ask()")
    hidden = "import sys\nsys.modules['xdist'] = sys.modules['execnet'] = sys.modules['pytest_asyncio'] = None\n"
    (suite.directory / "hiding.py").write_text(hidden)

    for arguments in (["--inference-mode=record"], []):
        result = suite.run_apart("-p", "hiding", "-p", "inference_recorder.pytest_plugin", *arguments)
        result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["recordings: 1 replayed, 0 recorded, 0 missed, 0 live, 0 unused"])


@pytest.mark.slow
def test_it_can_be_switched_off(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """As any plugin; recorders then know the test from pytest's own variable."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    suite.write("test_it.py", "def test_it():\n    with inference_recording('record', 'folder'): ask()")

    result = suite.run_apart("-p", "no:inference_recorder")

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*inference_recorder:*")
    assert ["test_it.py::test_it"] == suite.test_ids("folder")


@pytest.mark.slow
def test_a_report_shows_the_calls_of_the_run(suite: Suite) -> None:
    """The page has tests of its own; this one checks that it gets the data."""
    suite.write("test_it.py", "def test_it(inference_session): ask('What is in the report?')")
    plugin = ("-p", "inference_recorder.pytest_plugin")
    suite.run_apart(*plugin, "--inference-mode=record").assert_outcomes(passed=1)

    suite.run_apart(*plugin, "--inference-report=report.html").assert_outcomes(passed=1)

    assert "What is in the report?" in Path(suite.directory / "report.html").read_text()
