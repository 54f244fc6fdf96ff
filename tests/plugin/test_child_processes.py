"""Python processes that tests start: their calls are the test's, as far as the plugin is concerned."""

from __future__ import annotations

import pytest

from .conftest import Suite, line_of

pytestmark = pytest.mark.slow

RUN = """
    import subprocess, sys

    def run(statements):
        command = [sys.executable, "-c", f"from ask import *\\n{statements}"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
"""


@pytest.fixture(autouse=True)
def _path(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(suite.directory))
    suite.write("run.py", RUN)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_process_belongs_to_its_test(suite: Suite, workers: int) -> None:
    """Its calls are found again, counted, and needed; one without a recording is a miss of the test."""
    text = """
        from run import run

        @pytest.fixture(scope="module")
        def answer():
            return run("print(ask('fixture'))")

        def test_one(inference_session, answer):
            assert ask() and run("print(ask(), ask())") and ask()
            assert 4 == sum(inference_session.counts.values())

        @pytest.mark.inference_recording(children=False)
        def test_apart():
            assert run("print(ask('apart'))")

        @pytest.mark.inference_recording
        def test_missing():
            {first}

        @pytest.mark.inference_recording(allow_misses=True)
        def test_allowed():
            {second}
    """
    run = suite.run_apart if workers else suite.run
    suite.write("test_it.py", text.format(first="pass", second="pass"))
    run(f"-n{workers}", "--inference-mode=record").assert_outcomes(passed=4)
    recorded = suite.server.count
    suite.write("test_it.py", text.format(first="run('try_to_ask()')", second="run('try_to_ask()')"))

    result = run(f"-n{workers}", "--inference-prune")

    result.assert_outcomes(passed=4, errors=1)
    assert ["test_it.py::test_one"] * 4 + ["test_it.py@answer"] == suite.test_ids()
    assert recorded + 1 == suite.server.count  # the one that is set apart
    assert "recordings: 5 replayed, 0 recorded, 2 missed, 0 live, 0 unused" == line_of(result, "recordings:")
    assert "to prune: 0 recordings (--inference-prune=delete deletes)" == line_of(result, "to prune")
    assert "pytest --inference-mode=record-if-missing test_it.py::test_missing" in result.stdout.str()


def test_the_command_of_a_miss_records_it(suite: Suite) -> None:
    """The advice is read in another process than the one that it is for."""
    suite.write(
        "test_it.py",
        """
        from run import run

        def test_it(inference_session):
            assert "None" != run("print(try_to_ask())")
        """,
    )
    missed = suite.run_apart()
    [command] = {line.strip() for line in missed.outlines if line.strip().startswith("pytest --inference-mode=record")}

    suite.run_apart(*command.split()[1:]).assert_outcomes(passed=1)

    missed.assert_outcomes(passed=1, errors=1)
    suite.run_apart().assert_outcomes(passed=1)
    assert 1 == suite.server.count


def test_what_a_process_of_a_failing_test_recorded_is_set_aside(suite: Suite) -> None:
    """In mode record the answers of a test are one unit, whichever process asked."""
    text = """
        from run import run

        def test_it(inference_session):
            answers = [run("print(ask())"), ask(), run("print(ask(), ask('other'))")]
            assert {passes}, answers
    """
    suite.write("test_it.py", text.format(passes=True))
    suite.run("--inference-mode=record").assert_outcomes(passed=1)
    before = suite.recordings()
    suite.write("test_it.py", text.format(passes=False))

    suite.run("--inference-mode=record").assert_outcomes(failed=1)

    assert (before, 4) == (suite.recordings(), len(suite.files("recordings/.failed")))


def test_a_shorter_series_is_cut(suite: Suite) -> None:
    """What a process no longer asks for does not stay behind."""
    text = """
        from run import run
        def test_it(inference_session): run("for _ in range({count}): ask()")
    """
    for count in (3, 2):
        suite.write("test_it.py", text.format(count=count))
        suite.run("--inference-mode=record").assert_outcomes(passed=1)

    assert 2 == len(suite.files())


def test_a_run_inside_a_test_is_its_own(suite: Suite) -> None:
    """Its own options decide; the session of the outer test has nothing to say there."""
    suite.write(
        "test_it.py",
        """
        import subprocess, sys

        def test_outer(inference_session):
            command = [sys.executable, "-m", "pytest", "-q", "inner.py", "--inference-recordings=inner"]
            result = subprocess.run([*command, "--inference-mode=record"], capture_output=True, text=True)
            assert "2 passed" in result.stdout, result.stdout
            assert {} == inference_session.counts
        """,
    )
    suite.write(
        "inner.py",
        """
        import os
        import pytest
        from ask import ask
        from inference_recorder.children.variables import SESSION_VARIABLE

        def test_inner(inference_session):
            ask("inner")

        def test_unmarked():
            assert SESSION_VARIABLE not in os.environ
            assert "bootstrap" not in os.environ["PYTHONPATH"]
            ask("live")
        """,
    )

    result = suite.run()

    result.assert_outcomes(passed=1)
    assert (2, [], 1) == (suite.server.count, suite.files(), len(suite.files("inner")))


def test_a_session_over_several_tests_has_the_id_of_each(suite: Suite) -> None:
    """The common way to use a recorder in a conftest.py."""
    suite.write(
        "test_it.py",
        """
        from run import run

        @pytest.fixture(scope="session", autouse=True)
        def recorder():
            with inference_recording():
                run("ask('fixture')")
                yield

        def test_one(): assert run("print(ask())")
        def test_two(): assert run("print(ask())")
        """,
    )
    suite.run("--inference-mode=record").assert_outcomes(passed=2)

    suite.run().assert_outcomes(passed=2)

    assert 3 == suite.server.count
    assert ["test_it.py::test_one", "test_it.py::test_two"] == suite.test_ids()[-2:]


def test_a_call_after_the_test_is_named(suite: Suite) -> None:
    """It went out live, and no recording of it will be found."""
    suite.write(
        "test_it.py",
        """
        import subprocess, sys
        processes = []

        def test_one(inference_session):
            code = "import sys; from ask import *; ask(); print(flush=True); sys.stdin.readline(); ask('late')"
            processes.append(subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True))
            processes[0].stdout.readline()

        def test_two():
            processes[0].communicate(" ")
        """,
    )

    result = suite.run("--inference-mode=record")

    result.assert_outcomes(passed=2)
    assert "recordings: 0 replayed, 1 recorded, 0 missed, 1 live, 0 unused" == line_of(result, "recordings:")
    late = "a process that it started made a call after its end; end the process before"
    assert f"  test_it.py::test_one: {late}" == line_of(result, "  test_it.py::test_one: a process")


def test_a_process_answers_until_the_end_of_what_has_started_it(suite: Suite) -> None:
    """A refusal says where to end or to start the process; each of the two is followed."""
    text = """
        import subprocess, sys

        def started():
            code = "import sys; from ask import *; sys.stdin.readline(); print(ask('late'))"
            return subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, stderr=-2, text=True)

        def asked(process):
            return print(process.communicate(" ")[0]) or process.returncode == 0
        {tests}
    """
    late = """
        def test_one(inference_session): test_one.process = started()
        def test_two(inference_session): assert asked(test_one.process)
    """
    ended = """
        def test_one(inference_session): assert asked(started())
    """
    wider = """
        @pytest.fixture(scope="module")
        def process():
            return started()
        def test_one(inference_session, process): pass
        def test_two(inference_session, process): assert asked(process)
    """
    suite.write("test_it.py", text.format(tests=late))

    refused = suite.run_apart()

    refused.assert_outcomes(passed=1, failed=1)
    advice = "*end this process before its test, fixture or block ends, or start it in a wider fixture*"
    refused.stdout.fnmatch_lines([advice])
    assert 0 == suite.server.count
    for count, tests in enumerate((ended, wider), start=1):
        suite.write("test_it.py", text.format(tests=tests))
        assert 0 == suite.run_apart("--inference-mode=record-if-missing").ret == suite.run_apart().ret
        assert count == suite.server.count
