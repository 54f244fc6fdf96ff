"""Failed calls in a suite: named by test in the summary, and nothing of theirs is replaced, cut, unused or pruned."""

from __future__ import annotations

import json

import pytest

from ..support.directories import contents_of
from ..support.openai_server import ReceivedRequest, Reply, completion, error
from .conftest import Suite, line_of

RECORD = "--inference-mode=record"
NEW = "--inference-mode=record-if-missing"
CHAT = "/v1/chat/completions"


def fail_at(suite: Suite, **statuses: int) -> None:
    """Make the server fail for these texts."""

    def script(asked: ReceivedRequest, number: int) -> Reply:
        status = statuses.get(asked.json["messages"][0]["content"])
        return Reply(completion(f"Hello {number}!")) if status is None else error(status)

    suite.server.scripts[CHAT] = script


MIXED = """
    pytestmark = pytest.mark.inference_recording

    @pytest.fixture(scope="module")
    def wide(): return try_to_ask("wide")

    def test_429(): assert "RateLimitError" == try_to_ask("a")
    def test_both(): try_to_ask("a"); try_to_ask("b")
    def test_404(): assert "NotFoundError" == try_to_ask("c")
    def test_wide(wide): ask("fine")
"""


@pytest.mark.parametrize("workers", [None, pytest.param(2, marks=pytest.mark.slow)], ids=["one process", "two workers"])
def test_what_was_not_recorded_is_named_by_test_and_what_is_a_failure_counted_apart(
    workers: int | None, suite: Suite
) -> None:
    """A test that catches the error passes, and its recording is missing or old."""
    suite.write("test_it.py", MIXED)
    fail_at(suite, a=429, b=500, c=404, wide=401)

    result = suite.run(RECORD) if workers is None else suite.run_apart(RECORD, "-n", str(workers))

    result.assert_outcomes(passed=4)
    line = "recordings: 0 replayed, 2 recorded (1 of them a failure), 0 missed, 0 live, 0 unused"
    assert line == line_of(result, "recordings:")
    named = result.outlines.index("  recorded failures, which a replay raises again:")
    assert "    test_it.py::test_404: 1 x 404 NotFoundError" == result.outlines[named + 1]
    start = result.outlines.index(
        "  4 failed calls were not recorded; run again, or record them with record_errors=True:"
    )
    assert [
        "    test_it.py::test_429: 1 x 429 RateLimitError",
        "    test_it.py::test_both: 1 x 429 RateLimitError",
        "    test_it.py::test_both: 1 x 500 InternalServerError",
        "    test_it.py@wide: 1 x 401 AuthenticationError",
    ] == sorted(result.outlines[start + 1 : start + 5])


def test_a_long_list_is_cut_short(suite: Suite) -> None:
    """With a wrong API key, every call fails."""
    suite.write(
        "test_it.py", "@pytest.mark.parametrize('n', range(12))\ndef test_it(n, inference_session): try_to_ask()"
    )
    suite.server.answers(CHAT, error(401))

    short, full = suite.run(RECORD), suite.run(RECORD, "-v")

    assert 10 == sum("1 x 401 AuthenticationError" in line for line in short.outlines)
    assert "    and 2 more (-v shows all)" in short.outlines
    assert 12 == sum("1 x 401 AuthenticationError" in line for line in full.outlines)


@pytest.mark.parametrize("setting", ["the marker", "the configuration"])
def test_record_errors_records_them_as_the_line_says(setting: str, suite: Suite) -> None:
    """Some tests are about handling rate limits."""
    marker = "(record_errors=True)" if setting == "the marker" else ""
    if setting == "the configuration":
        suite.configure("record_errors = true")
    suite.write(
        "test_it.py",
        f"@pytest.mark.inference_recording{marker}\ndef test_it(): assert 'RateLimitError' == try_to_ask()",
    )
    suite.server.answers(CHAT, error(429))

    result = suite.run(NEW)

    line = "recordings: 0 replayed, 1 recorded (1 of them a failure), 0 missed, 0 live, 0 unused"
    assert line == line_of(result, "recordings:")
    result.stdout.no_fnmatch_line("*not recorded*")
    suite.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("mode", [RECORD, NEW])
def test_running_again_records_them_as_the_line_says(mode: str, suite: Suite) -> None:
    """A server that was off, or a rate limit, is over by then."""
    suite.write("test_it.py", "@pytest.mark.inference_recording\ndef test_it(): try_to_ask('hi')")
    fail_at(suite, hi=429)
    failed = suite.run(mode)
    fail_at(suite)

    assert "  1 failed call was not recorded; run again, or record it with record_errors=True:" in failed.outlines
    assert "recordings: 0 replayed, 1 recorded, 0 missed, 0 live, 0 unused" == line_of(suite.run(mode), "recordings:")
    assert "recordings: 1 replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(suite.run(), "recordings:")


@pytest.mark.parametrize("status", [401, 503])
def test_a_test_that_goes_on_without_the_answer_loses_no_recording(status: int, suite: Suite) -> None:
    """The network was down for a minute: no recording of the calls that did not happen is replaced, cut or pruned."""
    suite.write(
        "test_it.py",
        """
        @pytest.fixture(scope="module")
        def wide(): return try_to_ask("wide")

        def test_it(inference_session, wide):
            if try_to_ask("plan").startswith("Hello"):
                [ask("step") for _ in range(3)]

        def test_series(inference_session): [try_to_ask(text) for text in ("one", "one", "two")]
        """,
    )
    fail_at(suite)
    suite.run(RECORD).assert_outcomes(passed=2)
    before = contents_of(suite.directory / "recordings")
    fail_at(suite, plan=status, wide=status, one=status, two=status)

    result = suite.run(RECORD, "--inference-prune=delete")

    result.assert_outcomes(passed=2)
    assert "  5 failed calls were not recorded; run again, or record them with record_errors=True:" in result.outlines
    assert before == contents_of(suite.directory / "recordings")
    fail_at(suite)
    suite.run().assert_outcomes(passed=2)
    assert 8 == len(before)


@pytest.mark.slow
def test_a_fixture_that_goes_on_without_the_answer_loses_no_recording_of_its_tests(suite: Suite) -> None:
    """The tests pass without their usual calls."""
    suite.write(
        "test_it.py",
        """
        @pytest.fixture(scope="module")
        def wide(): return try_to_ask("wide")

        def test_it(inference_session, wide):
            for _ in range(3 if wide.startswith("Hello") else 1):
                ask("step")
            if wide.startswith("Hello"):
                ask("more")
        """,
    )
    fail_at(suite)
    suite.run(RECORD).assert_outcomes(passed=1)
    before = contents_of(suite.directory / "recordings")
    fail_at(suite, wide=429)

    result = suite.run(RECORD, "--inference-prune=delete")

    result.assert_outcomes(passed=1)
    assert "    test_it.py@wide: 1 x 429 RateLimitError" in result.outlines
    assert 5 == len(before)
    assert before.keys() == contents_of(suite.directory / "recordings").keys()


def test_the_miss_says_it_and_its_command_ends_it(suite: Suite) -> None:
    """From the failing record run over the red replay to the green one, by what is printed."""
    suite.write("test_it.py", "def test_it(inference_session): ask()")
    suite.server.answers(CHAT, error(429, "Slow down."), Reply(completion()))
    suite.run(NEW).assert_outcomes(failed=1)

    result = suite.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*  this request was made on * in mode record-if-missing; it failed, and was not recorded:",
            "*    429 RateLimitError: Error code: 429 - *Slow down.*",
            "*  to record it, with a key:",
        ]
    )
    command = next(line for line in result.outlines if "pytest --inference-mode" in line).partition("pytest ")[2]
    suite.run(*command.split()).assert_outcomes(passed=1)
    suite.run().assert_outcomes(passed=1)
    assert [] == suite.files("recordings/.dropped")


def test_the_dropped_calls_of_a_failing_test_stay_while_its_recordings_are_moved(suite: Suite) -> None:
    """The answers of before the failure are no more than a part."""
    suite.write("test_it.py", "def test_it(inference_session): ask('fine'); ask('down')")
    fail_at(suite, down=503)

    suite.run(RECORD).assert_outcomes(failed=1)

    assert ([], 1) == (suite.files(), len(suite.files("recordings/.failed")))
    [name] = suite.files("recordings/.dropped")
    [call] = json.loads((suite.directory / "recordings" / ".dropped" / name).read_text())["dropped"]
    assert (503, "test_it") == (call["status_code"], name.split("-")[2])


@pytest.mark.slow
def test_the_report_shows_a_dropped_call_with_its_failure(suite: Suite) -> None:
    """The page has all calls of the run."""
    suite.write("test_it.py", "def test_it(inference_session): try_to_ask()")
    suite.server.answers(CHAT, error(429, "Slow down."))

    suite.run(RECORD, "--inference-report=page.html")

    page = (suite.directory / "page.html").read_text()
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    [call] = data["calls"]
    assert "dropped" == call["outcome"]
    assert call["explanation"].startswith("429 RateLimitError: Error code: 429")
