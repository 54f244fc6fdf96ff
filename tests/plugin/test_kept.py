"""What a failing test recorded in record-if-missing is kept, and a test that fails with it again says so."""

from __future__ import annotations

import json
import shlex

import pytest

from ..support.directories import contents_of
from .conftest import Suite, line_of

IF_MISSING, RECORD = "--inference-mode=record-if-missing", "--inference-mode=record"
REMARK = "This test replayed what was first recorded while it failed:"


def answer_of(recording: dict[str, object]) -> str:
    return str(json.dumps(recording["response"])).partition('"content": "')[2].partition('"')[0]


@pytest.mark.parametrize(
    "failing",
    [
        "def test_it(inference_session): ask(); assert {}",
        "def test_it():\n    with inference_recording(): ask()\n    assert {}",
        "@pytest.mark.asyncio\nasync def test_it(inference_session): await ask_async(); assert {}",
    ],
    ids=["fixture", "in code", "async"],
)
def test_new_answers_of_a_failing_test_are_kept_until_it_is_recorded_again(failing: str, suite: Suite) -> None:
    """They were paid for; and a test that goes on failing has to say where its answer came from."""
    suite.write("test_it.py", failing.format(0))
    recorded = suite.run(IF_MISSING)
    [path] = [f"recordings/{name}" for name in suite.files()]

    failed_again = suite.run()

    recorded.assert_outcomes(failed=1)
    recorded.stdout.no_fnmatch_line(f"*{REMARK}")
    recorded.stdout.fnmatch_lines(
        [
            "  1 recorded by tests that failed, left in place (--inference-mode=record asks again):",
            "    test_it.py::test_it: 1",
        ]
    )
    failed_again.stdout.fnmatch_lines([REMARK, f"  {path}", "If that answer is the reason, * with a key:"])
    assert "recordings: 1 replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(failed_again, "recordings:")
    command = shlex.split(line_of(failed_again, "  pytest --inference-mode"))
    suite.write("test_it.py", failing.format(1))
    suite.run(*command[1:]).assert_outcomes(passed=1)
    assert "Hello 1!" == answer_of(suite.recordings()[0])
    assert 2 == suite.server.count
    suite.write("test_it.py", failing.format(0))
    suite.run().stdout.no_fnmatch_line(f"*{REMARK}")


def test_an_answer_that_its_test_passed_with_is_an_ordinary_one(suite: Suite) -> None:
    """The test was wrong, not the answer."""
    suite.write("test_it.py", "def test_it(inference_session): ask(); assert 0")
    suite.run(IF_MISSING).assert_outcomes(failed=1)
    before = contents_of(suite.directory / "recordings")
    suite.write("test_it.py", "def test_it(inference_session): ask(); assert 1")
    suite.run().assert_outcomes(passed=1)
    suite.write("test_it.py", "def test_it(inference_session): ask(); assert 0")

    failed = suite.run()

    failed.assert_outcomes(failed=1)
    failed.stdout.no_fnmatch_line(f"*{REMARK}")
    assert (before, 1) == (contents_of(suite.directory / "recordings"), suite.server.count)


def test_only_the_answers_of_the_failed_run_are_named(suite: Suite) -> None:
    """Those of the passing run before it, and one that was replaced since, are not the reason."""
    suite.write("test_it.py", "def test_it(inference_session): ask('old')")
    suite.run(IF_MISSING).assert_outcomes(passed=1)
    test = "def test_it(inference_session): ask('old'); [ask(f'new {n}') for n in range(5)]; assert 0"
    suite.write("test_it.py", test)
    suite.run(IF_MISSING).assert_outcomes(failed=1)
    [old, replaced] = [
        path
        for path in (suite.directory / "recordings").glob("*.json")
        if b'"old"' in path.read_bytes() or b"new 4" in path.read_bytes()
    ]
    for path in (old, replaced):
        path.write_bytes(path.read_bytes().replace(b"Hello", b"Howdy"))

    failed = suite.run()

    failed.stdout.fnmatch_lines([REMARK, *["  recordings/*.json"] * 3, "  and 1 more"])
    failed.stdout.no_fnmatch_line(f"  recordings/{old.name}")
    failed.stdout.no_fnmatch_line(f"  recordings/{replaced.name}")
    [note] = (suite.directory / "recordings" / ".failed-runs").glob("*.json")
    assert 5 == len(json.loads(note.read_text())["recordings"])
    note.write_text("no JSON")
    suite.run().stdout.no_fnmatch_line(f"*{REMARK}")


def test_a_redact_function_that_does_not_work_ends_no_run(suite: Suite) -> None:
    """Its text is wanted for the id under which something may be noted; the test itself has shown the mistake."""
    suite.write("test_it.py", "def test_it(inference_session): ask(); assert 0")
    suite.run(IF_MISSING).assert_outcomes(failed=1)
    test = """
        @pytest.mark.inference_recording(redact=[lambda text: 1 / 0])
        def test_{}():
            with pytest.raises({}): ask()
    """
    suite.write("test_it.py", test.format("it", "Exception") + test.format("other", "KeyError"))

    result = suite.run()

    result.assert_outcomes(passed=1, failed=1)
    assert 1 == len([*(suite.directory / "recordings" / ".failed-runs").glob("*.json")])


@pytest.mark.slow
def test_an_attempt_that_runs_again_asks_again(suite: Suite) -> None:
    """A rerun is to get another answer; if it gets none, those of the attempt before are not lost."""
    test = """
        attempts = []

        @pytest.mark.inference_recording
        def test_it():
            attempts.append(1)
            if {fails}:
                raise OSError("no network")
            ask()
            assert {passes}
    """
    suite.write("test_it.py", test.format(fails="len(attempts) == 2", passes="0"))
    lost = suite.run(IF_MISSING, "--reruns=1")
    assert ([], 1) == (suite.files(), len(suite.files("recordings/.failed")))
    lost.stdout.fnmatch_lines(["  1 recorded by tests that failed: moved to recordings/.failed *"])
    suite.write("test_it.py", test.format(fails="0", passes="len(attempts) == 2"))

    suite.run(IF_MISSING, "--reruns=1").assert_outcomes(passed=1)

    assert ["Hello 2!"] == [answer_of(recording) for recording in suite.recordings()]
    assert [] == suite.files("recordings/.failed")


@pytest.mark.slow
@pytest.mark.parametrize("end", ["raise KeyboardInterrupt", "os._exit(1)", "os.kill(os.getpid(), 9)"])
@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["alone", "worker"])
def test_new_answers_of_a_run_that_was_cut_short_are_kept(end: str, workers: list[str], suite: Suite) -> None:
    """A killed run must not lose what it paid for."""
    suite.write("test_it.py", f"import os\ndef test_it(inference_session): ask(); ask('more'); {end}")

    suite.run_apart(IF_MISSING, *workers)

    assert (2, []) == (len(suite.files()), suite.files("recordings/.failed"))
    suite.write("test_it.py", "def test_it(inference_session): ask(); ask('more')")
    suite.run().assert_outcomes(passed=1)
    assert 2 == suite.server.count
