"""Runs that pass, and exit with status 1 all the same."""

from __future__ import annotations

import pytest

from ..support.openai_server import default_reply, error
from .conftest import Suite, line_of

PASSED, FAILED = pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED
TESTS = """
    @pytest.mark.inference_recording
    def test_less(): ask("one")

    @pytest.mark.inference_recording(allow_misses=True)
    def test_missed(): try_to_ask("new")

    @pytest.mark.inference_recording
    def test_live():
        with inference_recording("live"): ask()

    @pytest.mark.inference_recording("record-if-missing")
    def test_dropped(): try_to_ask("broken")
"""


def recorded_suite(suite: Suite) -> None:
    suite.write("test_it.py", "def test_less(inference_session): ask('one'); ask('two')")
    suite.run("--inference-mode=record").assert_outcomes(passed=1)


@pytest.mark.parametrize("workers", [None, pytest.param(2, marks=pytest.mark.slow)], ids=["one process", "two workers"])
def test_a_strict_run_fails_for_what_did_not_come_from_recordings(workers: int | None, suite: Suite) -> None:
    """CI should notice a test that goes live as soon as it does; the last line says what did not."""
    recorded_suite(suite)
    suite.write("test_it.py", TESTS)
    suite.server.scripts["/v1/chat/completions"] = lambda asked, n: (
        error(500) if b"broken" in asked.content else default_reply(asked, n)
    )
    run = suite.run if workers is None else lambda *arguments: suite.run_apart("-n", str(workers), *arguments)

    plain, strict = run(), run("--inference-strict")
    suite.write("test_it.py", "def test_less(inference_session): ask('one'); ask('two')")
    clean = run("--inference-strict")

    assert (PASSED, FAILED, PASSED) == (plain.ret, strict.ret, clean.ret)
    reasons = "1 call live, 1 call missed, 1 failed call not recorded, 1 recording unused"
    assert f"exit status 1, by --inference-strict: {reasons}" == line_of(strict, "exit status")
    for result in (plain, clean):
        result.stdout.no_fnmatch_line("exit status*")


def test_a_strict_run_fails_for_a_live_session_whose_calls_nobody_counts(suite: Suite) -> None:
    """It is the mode that the promise is not about."""
    suite.write("test_it.py", "@pytest.mark.inference_recording('live')\ndef test_it(): ask()")

    result = suite.run("--inference-strict")

    assert FAILED == result.ret
    assert "exit status 1, by --inference-strict: 1 test with a live session" == line_of(result, "exit status")


@pytest.mark.slow
@pytest.mark.parametrize(("unused", "is_listed", "status"), [("ignore", 0, 0), ("warn", 1, 0), ("error", 1, 1)])
def test_what_is_unused_is_treated_as_configured(unused: str, is_listed: bool, status: int, suite: Suite) -> None:
    """A suite that wants no stale files can make them fail; what the summary advises then makes it green."""
    recorded_suite(suite)
    suite.write("test_it.py", "def test_less(inference_session): ask('one')")
    suite.configure(f'unused = "{unused}"')

    result = suite.run()

    assert status == result.ret
    assert is_listed == ("  unused:" in result.outlines)
    strict = suite.run("--inference-strict")
    assert "exit status 1, by --inference-strict: 1 recording unused" == line_of(strict, "exit status")
    assert (FAILED, True) == (strict.ret, "  unused:" in strict.outlines)
    if status:
        line = 'exit status 1, by unused = "error" in [tool.inference_recorder]: 1 recording unused'
        assert line == line_of(result, "exit status")
    assert (PASSED, PASSED) == (suite.run("--inference-prune=delete").ret, suite.run("--inference-strict").ret)
    assert 1 == len(suite.files())
