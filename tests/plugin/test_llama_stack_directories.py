"""`inference_recorder.llama_stack` entered once for a whole run, as llama-stack's suites do."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from ..conftest import files_of
from .conftest import Suite, line_of

BASE = "tests/integration/common"
INFERENCE, AGENTS, COMMON = (f"tests/integration/{part}/recordings" for part in ("inference", "agents", "common"))
RECORD, RECORD_IF_MISSING = "--inference-mode=record", "--inference-mode=record-if-missing"
CONFTEST = """
    from inference_recorder.llama_stack import setup_api_recording

    @pytest.fixture(scope="session", autouse=True)
    def stack():
        with setup_api_recording() as session:
            ask("of the session")
            yield session
"""
TESTS = """
    @pytest.mark.parametrize("number", [1, 2])
    def test_it(number):
        ask(f"{number}")
        ask(f"{number}")

    def test_without_calls(): pass
"""


@pytest.fixture
def stack(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """Tests in two directories and one session for all."""
    monkeypatch.setenv("LLAMA_STACK_TEST_RECORDING_DIR", BASE)
    suite.write("conftest.py", CONFTEST)
    suite.write("tests/integration/inference/test_a.py", TESTS)
    suite.write("tests/integration/agents/test_b.py", TESTS)
    (suite.directory / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    return suite


def where(suite: Suite) -> dict[str, int]:
    """Return the directories that have recordings, and how many."""
    directories = {path.parent for path in suite.directory.rglob("*.json") if ".trash" not in path.parts}
    return {path.relative_to(suite.directory).as_posix(): len(files_of(path)) for path in sorted(directories)}


def test_each_call_is_recorded_beside_its_test_and_replays(stack: Suite) -> None:
    """Where llama-stack's recorder writes it: `<root>/<test's directory>/recordings`, else `<base>/recordings`."""
    stack.run(RECORD).assert_outcomes(passed=6)
    sent = stack.server.count
    replayed = stack.run()

    assert {AGENTS: 4, COMMON: 1, INFERENCE: 4} == where(stack)
    for directory, file in ((INFERENCE, "inference/test_a.py"), (AGENTS, "agents/test_b.py")):
        ids = [f"tests/integration/{file}::test_it[{number}]" for number in (1, 1, 2, 2)]
        assert ids == stack.test_ids(directory)
    assert [9, 9] == [sent, stack.server.count]
    replayed.assert_outcomes(passed=6)
    assert "recordings: 9 replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(replayed, "recordings: ")


@pytest.mark.slow
def test_without_a_directory_it_is_the_one_that_llama_stack_has(stack: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its suites name none: the default is the directory's path in the repository. In CI too it is only replayed."""
    monkeypatch.delenv("LLAMA_STACK_TEST_RECORDING_DIR")
    (stack.directory / BASE).mkdir()
    stack.run(RECORD)
    stack.run().assert_outcomes(passed=6)
    monkeypatch.setenv("CI", "true")
    setup = "os.environ['LLAMA_STACK_TEST_INFERENCE_MODE'] = 'record'\n        with setup_api_recording()"
    stack.write("conftest.py", "import os\n" + dedent(CONFTEST.replace("with setup_api_recording()", setup)))
    stack.run().assert_outcomes(errors=6)

    assert {AGENTS: 4, COMMON: 1, INFERENCE: 4} == where(stack)
    assert 9 == stack.server.count


@pytest.mark.slow
def test_a_wider_fixture_is_answered_by_what_belongs_to_no_test(stack: Suite) -> None:
    """llama-stack's recorder has no test id when a session's fixture calls: its conftest names the test after that."""
    calls = 'ask("of the session"), models()'
    conftest = CONFTEST.replace('ask("of the session")', calls)
    stack.write(
        "models.py",
        """
        import openai, os

        def models():
            with openai.OpenAI(base_url=os.environ["SERVER"], api_key="x") as client:
                return list(client.models.list())
        """,
    )
    stack.write(
        "conftest.py",
        f"""
        from models import models
        from inference_recorder.llama_stack import setup_api_recording

        def pytest_sessionstart():
            with setup_api_recording():
                {calls}
        """,
    )
    stack.run(RECORD, "-k", "without_calls")
    stack.write("conftest.py", "from models import models\n" + dedent(conftest))
    replayed = stack.run("-k", "without_calls")

    assert {COMMON: 2} == where(stack)
    assert 2 == stack.server.count
    replayed.assert_outcomes(passed=2, deselected=4)


@pytest.mark.slow
def test_it_does_so_in_workers_and_in_parts(stack: Suite) -> None:
    """The directory depends on the test, and not on which test came first."""
    stack.run_apart(RECORD, "-n2", "tests/integration/agents")
    of_part = where(stack)
    stack.run(RECORD_IF_MISSING)
    sent = stack.server.count
    replayed = stack.run("tests/integration/inference", "tests/integration/agents")

    assert {AGENTS: 4, COMMON: 1} == of_part
    assert {AGENTS: 4, COMMON: 1, INFERENCE: 4} == where(stack)
    replayed.assert_outcomes(passed=6)
    assert [9, 9] == [sent, stack.server.count]


@pytest.mark.slow
def test_what_a_test_no_longer_needs_is_unused_and_pruned(stack: Suite) -> None:
    """Used recordings stay, in whichever directory; another directory's recordings of the test are not touched."""
    stack.run(RECORD)
    stray = stack.directory / AGENTS / f"{'0' * 64}.json"
    stray.write_text(Path(stack.directory, INFERENCE, stack.files(INFERENCE)[0]).read_text())
    stack.write("tests/integration/agents/test_b.py", TESTS.replace('ask(f"{number}")\n        ask', "ask", 1))
    listed = stack.run("--inference-prune")
    pruned = stack.run("--inference-prune=delete")
    after = stack.run()

    assert "recordings: 7 replayed, 0 recorded, 0 missed, 0 live, 2 unused" == line_of(listed, "recordings: ")
    assert "pruned: 2 recordings deleted, 1 kept that no test used" == line_of(pruned, "pruned: ")
    pruned.stdout.fnmatch_lines(["*their tests had sessions only in other directories*"])
    assert {AGENTS: 3, COMMON: 1, INFERENCE: 4} == where(stack)
    assert stray.exists()
    after.assert_outcomes(passed=6)


@pytest.mark.slow
def test_a_failing_test_leaves_its_directory_as_it_was(stack: Suite) -> None:
    """The session stays open; recordings of a failed test are kept in `.failed` beside that test."""
    stack.run(RECORD)
    before = {path: path.read_bytes() for path in (stack.directory / AGENTS).glob("*.json")}
    stack.write(
        "tests/integration/agents/test_b.py", TESTS.replace("def test_without", "    assert 0\n\n    def test_without")
    )
    failed = stack.run(RECORD)

    failed.assert_outcomes(passed=4, failed=2)
    assert 4 == len(stack.files(f"{AGENTS}/.failed"))
    assert [] == stack.files(f"{INFERENCE}/.failed") == stack.files(f"{COMMON}/.failed")
    assert before == {path: path.read_bytes() for path in (stack.directory / AGENTS).glob("*.json")}


@pytest.mark.slow
def test_a_failed_answer_that_was_kept_is_named_in_its_directory(stack: Suite) -> None:
    """As in the one directory of the general recorder."""
    stack.write("tests/integration/agents/test_b.py", "def test_it():\n    ask()\n    assert 0\n")
    stack.run(RECORD_IF_MISSING)
    again = stack.run(RECORD_IF_MISSING)

    again.stdout.fnmatch_lines(["This test replayed what was first recorded while it failed:", f"  {AGENTS}/*.json"])


@pytest.mark.slow
def test_a_process_that_a_test_starts_writes_beside_that_test(stack: Suite) -> None:
    """It joins the session as the test has it."""
    stack.write(
        "tests/integration/agents/test_b.py",
        """
        import subprocess, sys

        def test_it():
            ask("here")
            subprocess.run([sys.executable, "-c", "from ask import ask; ask('there')"], check=True)
        """,
    )
    stack.run_apart(RECORD).assert_outcomes(passed=4)
    sent = stack.server.count
    replayed = stack.run_apart()

    assert {AGENTS: 2, COMMON: 1, INFERENCE: 4} == where(stack)
    replayed.assert_outcomes(passed=4)
    assert [7, 7] == [sent, stack.server.count]
    assert "recordings: 7 replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(replayed, "recordings: ")


@pytest.mark.slow
def test_a_stream_that_was_left_is_stored_where_its_call_belongs(stack: Suite) -> None:
    """It ends after the next test has begun to call, in another directory."""
    stack.write(
        "tests/integration/agents/test_b.py",
        """
        import openai, os
        from ask import question

        kept = []

        def test_it():
            client = openai.OpenAI(base_url=os.environ["SERVER"], api_key="x")
            kept.append(client.chat.completions.create(**question("left"), stream=True))
            next(kept[0])
        """,
    )
    stack.run(RECORD).assert_outcomes(passed=4)

    assert {AGENTS: 1, COMMON: 1, INFERENCE: 4} == where(stack)


@pytest.mark.slow
def test_a_miss_names_the_directories_of_its_test(stack: Suite) -> None:
    """That is where a person looks for the recording."""
    stack.run(RECORD)
    stack.write("tests/integration/agents/test_b.py", "def test_it(): ask('new')")
    missed = stack.run("tests/integration/agents")

    missed.assert_outcomes(failed=1)
    missed.stdout.fnmatch_lines([f"*{AGENTS}*"])
    assert "pytest" in missed.stdout.str()
