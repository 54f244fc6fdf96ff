"""The summary at the end of a run."""

from __future__ import annotations

import pytest

from ..support.openai_server import error
from .conftest import Suite, line_of

MIXED = """
    @pytest.mark.inference_recording
    def test_replayed(): ask(); ask()

    @pytest.mark.inference_recording("record-if-missing")
    def test_recorded(): ask()

    @pytest.mark.inference_recording
    @pytest.mark.parametrize("n", range(2))
    def test_missed(n): ask(str(n)); ask("never reached")

    @pytest.mark.inference_recording
    def test_live():
        with inference_recording("live"): ask()

    @pytest.mark.inference_recording
    def test_in_need_of_less(): ask("one")
"""


def with_recordings(suite: Suite) -> None:
    """Write a suite some of whose calls are recorded."""
    suite.write(
        "test_it.py",
        """
        pytestmark = pytest.mark.inference_recording
        def test_replayed(): ask(); ask()
        def test_in_need_of_less(): ask("one"); ask("two")
        """,
    )
    suite.run("--inference-mode=record").assert_outcomes(passed=2)
    suite.write("test_it.py", MIXED)


@pytest.mark.parametrize("workers", [None, pytest.param(2, marks=pytest.mark.slow)], ids=["one process", "two workers"])
def test_one_line_counts_and_the_rest_is_named_by_test(workers: int | None, suite: Suite) -> None:
    """The counts of all workers are merged, so that there is one place to look."""
    with_recordings(suite)

    result = suite.run() if workers is None else suite.run_apart("-n", str(workers))

    result.assert_outcomes(passed=4, failed=2)
    summary = result.outlines[result.outlines.index(line_of(result, "recordings:")) :]
    assert [
        "recordings: 3 replayed, 1 recorded, 2 missed, 1 live, 1 unused",
        "  missed:",
        "    test_it.py::test_missed[0]: 1 x /v1/chat/completions (gpt-4o)",
        "    test_it.py::test_missed[1]: 1 x /v1/chat/completions (gpt-4o)",
        "  unused:",
        "    test_it.py::test_in_need_of_less: 1",
        "    pytest --inference-prune lists the files, --inference-prune=delete removes them",
    ] == [*summary[:2], *sorted(summary[2:4]), *summary[4:7]]
    # As it says:
    if workers is None:
        assert "to prune: 1 recording" in str(suite.run("--inference-prune", "-k", "less").stdout)
        assert "pruned: 1 recording deleted" in str(suite.run("--inference-prune=delete", "-k", "less").stdout)


def test_a_long_list_is_cut_short(suite: Suite) -> None:
    """The first misses are enough to see the cause; -v shows all."""
    suite.write(
        "test_it.py", "@pytest.mark.parametrize('n', range(12))\ndef test_it(n, inference_session): ask(str(n))"
    )

    short, full = suite.run(), suite.run("-v")

    assert 10 == sum("1 x /v1/chat/completions" in line for line in short.outlines)
    assert "    and 2 more (-v shows all)" in short.outlines
    assert 12 == sum("1 x /v1/chat/completions" in line for line in full.outlines)


RED, YELLOW, PLAIN = "\x1b[31m", "\x1b[33m", ""


@pytest.mark.parametrize(
    ("test", "mode", "colour"),
    [
        ("def test_it(inference_session): ask()", "replay", RED),
        ("@pytest.mark.inference_recording(allow_misses=True)\ndef test_it(): try_to_ask()", "replay", PLAIN),
        ("def test_it(inference_session): ask()", "record", PLAIN),
        ("def test_it(inference_session): ask(); assert 0", "record", YELLOW),
        ("def test_it(inference_session): try_to_ask('500')", "record", YELLOW),
    ],
    ids=["a miss that fails", "a miss that is allowed", "recorded", "a failed test", "a failed call"],
)
def test_the_line_is_coloured_if_something_needs_attention(test: str, mode: str, colour: str, suite: Suite) -> None:
    """Red for what fails the run, yellow for what was not kept."""
    suite.write("test_it.py", test)
    if "500" in test:
        suite.server.answers("/v1/chat/completions", error(500))

    result = suite.run(f"--inference-mode={mode}", "--color=yes")

    [line] = [line for line in result.outlines if "recordings: 0 replayed" in line]
    assert line.startswith(f"{colour}recordings:")


def test_the_line_of_moved_recordings_is_yellow(suite: Suite) -> None:
    """They are paid for and not in their place."""
    suite.write("test_it.py", "def test_it(inference_session): ask(); assert 0")

    result = suite.run("--inference-mode=record", "--color=yes")

    [line] = [line for line in result.outlines if "by tests that failed: moved to" in line]
    assert line.startswith(YELLOW)


def test_a_run_that_records_nothing_says_nothing(suite: Suite) -> None:
    """The plugin is installed in many environments that do not use it."""
    suite.write("test_it.py", "def test_it(): pass")

    result = suite.run()

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("recordings:*")


def test_sessions_opened_in_code_are_counted_too(suite: Suite) -> None:
    """The line is about the run, not about what opened the sessions."""
    suite.write(
        "test_it.py",
        """
        @pytest.fixture(scope="session")
        def recorder():
            with inference_recording("record") as session: yield session

        def test_a(recorder): ask()
        def test_b(recorder): ask()
        @inference_recording("live")
        def test_c(recorder): ask()
        """,
    )

    assert "recordings: 0 replayed, 2 recorded, 0 missed, 1 live, 0 unused" == line_of(suite.run(), "recordings:")


def test_a_live_run_says_that_it_does_not_count(suite: Suite) -> None:
    """Live mode touches nothing; "0 live" alone would say that nothing was paid for."""
    suite.write("test_it.py", "def test_a(inference_session): ask()\ndef test_b(inference_session): ask()")

    result = suite.run("--inference-mode=live")

    result.assert_outcomes(passed=2)
    assert "  2 tests ran live: their calls are not intercepted, nor counted" in result.outlines


def test_unused_are_only_those_of_tests_that_ran_and_passed(suite: Suite) -> None:
    """What a skipped, deselected or failed test needs is not known."""
    suite.write(
        "test_it.py",
        """
        pytestmark = pytest.mark.inference_recording
        def test_passed(): ask()
        def test_failed(): ask()
        def test_skipped(): ask()
        def test_deselected(): ask()
        def test_live(): ask()
        def test_expected_to_fail(): ask()
        """,
    )
    suite.run("--inference-mode=record").assert_outcomes(passed=6)
    suite.write(
        "test_it.py",
        """
        pytestmark = pytest.mark.inference_recording
        def test_passed(): pass
        def test_failed(): assert 0
        def test_skipped(): pytest.skip()
        def test_deselected(): pass
        @pytest.mark.inference_recording("live")
        def test_live(): pass
        @pytest.mark.xfail
        def test_expected_to_fail(): assert 0
        """,
    )

    result = suite.run("-k", "not deselected")

    assert "recordings: 0 replayed, 0 recorded, 0 missed, 0 live, 1 unused" == line_of(result, "recordings:")
    assert "    test_it.py::test_passed: 1" in result.outlines


def test_all_files_of_a_list_of_models_are_in_use(suite: Suite) -> None:
    """It replays as their union, from a path that names only one."""
    suite.write(
        "test_it.py",
        """
        import openai, os
        def test_it(inference_session):
            with openai.OpenAI(base_url=os.environ["SERVER"], api_key="x") as client: client.models.list()
        """,
    )
    suite.run("--inference-mode=record").assert_outcomes(passed=1)
    [name] = suite.files()
    content = (suite.directory / "recordings" / name).read_text()
    (suite.directory / "recordings" / f"{name.rpartition('-')[0]}-00000000.json").write_text(content)

    assert "recordings: 1 replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(suite.run(), "recordings:")


@pytest.mark.slow
def test_a_crashed_worker_is_named_and_prunes_nothing(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its tests used is not known, so nothing counts as unused."""
    suite.write(
        "test_it.py",
        """
        import os
        pytestmark = pytest.mark.inference_recording
        def test_a(): ask()
        def test_crash():
            ask()
            if os.environ.get("CRASH"): os._exit(1)
        """,
    )
    suite.run("--inference-mode=record").assert_outcomes(passed=2)
    monkeypatch.setenv("CRASH", "1")

    result = suite.run_apart("-n1", "--inference-prune=delete")

    result.stdout.fnmatch_lines(
        [
            "  worker gw0 crashed; the calls of its tests are not counted",
            "  kept, since worker gw0 ended without reporting what its tests used:",
            "pruned: 0 recordings deleted, 2 kept that no test used",
        ]
    )
    result.stdout.no_fnmatch_line("*inference-recorder rm*")
    assert 2 == len(suite.files())
