"""What a miss advises is done here as it is printed, command and setting, and the suite is green afterwards."""

from __future__ import annotations

import re
import shlex

import pytest

from ..cli.recorded import run as run_command
from ..support.openai_server import error
from .conftest import Suite

NEW = "--inference-mode=record-if-missing"


def printed(result: pytest.RunResult, start: str) -> str:
    """Return the only line, of errors or the summary, that starts with `start`, without what follows it in brackets."""
    lines = {line.removeprefix("E").strip() for line in result.outlines}
    [line] = [line for line in lines if line.startswith(start)]
    return line.partition("  (")[0]


def follow(suite: Suite, command: str) -> None:
    """Run a command of ours, or pytest, as it was printed."""
    program, *arguments = shlex.split(command)
    if program == "pytest":
        assert 0 == suite.run(*arguments).ret
    else:
        result = run_command(*arguments)
        assert 0 == result.exit_code, result.output


AGENT = """
    @pytest.mark.inference_recording{arguments}
    def test_agent(): ask("Look up 6fa459ea-ee8a-3ca4-894e-db77e160355{digit} of 2026-11-2{digit}.")
    @pytest.mark.inference_recording{arguments}
    def test_other(): ask("Do {digit}.")
"""


def test_declaring_the_normalizers_and_renaming_the_recordings_ends_a_miss(suite: Suite) -> None:
    """The commonest reason of all: an id or a day in the prompt."""
    suite.write("test_it.py", AGENT.format(arguments="", digit=1))
    suite.run(NEW).assert_outcomes(passed=2)
    suite.write("test_it.py", AGENT.format(arguments="", digit=2))

    missed = suite.run()
    setting, command = printed(missed, "normalize = "), printed(missed, "inference-recorder rekey ")
    suite.configure(setting)
    halfway = suite.run("-k", "agent")
    follow(suite, command)

    missed.assert_outcomes(failed=2)
    assert 'normalize = ["dates", "uuids"]' == setting
    halfway.assert_outcomes(failed=1, deselected=1)
    assert command == printed(halfway, "inference-recorder rekey ")
    suite.run().assert_outcomes(passed=1, failed=1)
    assert 2 == suite.server.count


@pytest.mark.slow
def test_where_a_marker_declares_normalizers_the_advice_is_to_record_again(suite: Suite) -> None:
    """The command would rename the recordings of other tests, which declare none."""
    suite.write("test_it.py", AGENT.format(arguments="(normalize=['cwd'])", digit=1))
    suite.run(NEW).assert_outcomes(passed=2)
    suite.write("test_it.py", AGENT.format(arguments="(normalize=['cwd'])", digit=2))

    missed = suite.run("-k", "agent")
    setting, command = printed(missed, "normalize="), printed(missed, "pytest --inference-mode")
    suite.write("test_it.py", AGENT.format(arguments=f"({setting})", digit=2))
    follow(suite, command)

    missed.stdout.no_fnmatch_line("*inference-recorder rekey*")
    suite.write("test_it.py", AGENT.format(arguments=f"({setting})", digit=3))
    suite.run("-k", "agent").assert_outcomes(passed=1, deselected=1)


def test_a_renamed_test_gets_its_recordings_from_where_they_are(suite: Suite) -> None:
    """The command named the first directory that was searched, in which there was nothing to rename."""
    suite.configure("recordings_beside_tests = true", "auto = true")
    suite.write("a/test_it.py", "def test_old(): ask()\ndef test_stays(): ask('Stay.')")
    suite.run(NEW).assert_outcomes(passed=2)
    suite.configure("auto = true")
    suite.write("a/test_it.py", "def test_new(): ask()\ndef test_stays(): ask('Stay.')")

    missed = suite.run("a/test_it.py::test_new")
    follow(suite, printed(missed, "inference-recorder rename-test "))

    missed.assert_outcomes(failed=1)
    suite.run().assert_outcomes(passed=2)
    assert 2 == suite.server.count


@pytest.mark.slow
def test_where_the_other_test_is_still_there_the_advice_is_to_share(suite: Suite) -> None:
    """Renaming would take its recordings away from it."""
    text = "import pytest\npytestmark = pytest.mark.inference_recording({})\ndef test_one(): ask()\n"
    suite.write("test_it.py", text.format(""))
    suite.run(NEW).assert_outcomes(passed=1)
    suite.write("test_it.py", text.format("") + "def test_two(): ask()")

    missed = suite.run()
    apart = suite.run("test_it.py::test_two")  # where the first one is not collected
    [setting] = set(re.findall(r"set (scope=\S+) in the markers", str(missed.stdout)))
    suite.write("test_it.py", text.format(setting) + "def test_two(): ask()")
    shared = suite.run()
    follow(suite, printed(missed, "pytest --inference-mode"))

    for result in (missed, apart):
        result.stdout.no_fnmatch_line("*renamed*")
        result.stdout.fnmatch_lines(["*the same request is recorded for", "E * test_it.py::test_one"])
    shared.stdout.fnmatch_lines(["E * test: shared"])
    shared.stdout.no_fnmatch_line("E *outside a test*")
    suite.run().assert_outcomes(passed=2)
    assert 2 == suite.server.count


@pytest.mark.slow
def test_what_is_recorded_as_shared_answers_with_the_scope_that_the_miss_names(suite: Suite) -> None:
    """A new test makes the request of a shared recording, and its author forgot the scope."""
    text = "@pytest.mark.inference_recording({})\ndef test_{}(): ask()\n"
    suite.write("test_it.py", text.format("scope='shared'", "one"))
    suite.run(NEW).assert_outcomes(passed=1)
    suite.write("test_two.py", text.format("", "two"))

    missed = suite.run()
    suite.write("test_two.py", text.format(printed(missed, "scope=").partition(",")[0], "two"))

    suite.run().assert_outcomes(passed=2)


@pytest.mark.slow
def test_excluding_the_variable_that_is_no_secret_ends_a_miss(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prompt names the organization, and so does a variable of the machine that recorded."""
    suite.write("test_it.py", "def test_it(inference_session): ask('Write to kolibri-software.')")
    monkeypatch.setenv("OPENAI_ORG_KEY", "kolibri-software")
    suite.run(NEW).assert_outcomes(passed=1)
    monkeypatch.delenv("OPENAI_ORG_KEY")

    missed = suite.run()
    suite.configure(printed(missed, "secret_env = "))
    follow(suite, printed(missed, "pytest --inference-mode"))

    missed.stdout.fnmatch_lines(["E * the value of OPENAI_ORG_KEY in the environment*"])
    suite.run().assert_outcomes(passed=1)
    monkeypatch.setenv("OPENAI_ORG_KEY", "kolibri-software")
    suite.run().assert_outcomes(passed=1)


@pytest.mark.slow
def test_recording_the_failure_ends_a_miss_of_a_call_that_failed(suite: Suite) -> None:
    """Some tests are about handling rate limits."""
    text = "@pytest.mark.inference_recording({})\ndef test_it():\n    with pytest.raises(openai.RateLimitError): ask()"
    text = f"import openai\n{text}"
    suite.write("test_it.py", text.format(""))
    suite.server.answers("/v1/chat/completions", error(429))
    suite.run(NEW).assert_outcomes(passed=1)

    missed = suite.run()
    [setting] = set(re.findall(r"keep the failure, with (\S+) beside", str(missed.stdout)))
    suite.write("test_it.py", text.format(setting))
    follow(suite, printed(missed, "pytest --inference-mode"))

    missed.assert_outcomes(failed=1)
    suite.run().assert_outcomes(passed=1)


SYSTEM = """
    def test_one(inference_session): ask({words!r}, user="one")
    def test_two(inference_session): ask({words!r}, user="two")
    def test_other(inference_session): ask("Other {words}")
"""


def test_many_misses_of_one_cause_are_one_paragraph_and_one_command(suite: Suite) -> None:
    """Somebody changed the system prompt, and forty tests missed: one thing to read and one to do."""
    for name in ("a/test_it.py", "b/test_that.py"):
        suite.write(name, SYSTEM.format(words="You are kind."))
    empty = suite.run("--tb=no")
    suite.run(NEW).assert_outcomes(passed=6)
    for name in ("a/test_it.py", "b/test_that.py"):
        suite.write(name, SYSTEM.format(words="You are very kind."))

    missed = suite.run("--tb=no")
    start = missed.outlines.index("  4 tests missed for the same reason:")
    paragraph = missed.outlines[start + 1 : start + 7]
    follow(suite, paragraph[-1])

    assert [
        "    - the recording, + the request:",
        "    $.messages[0].content",
        '      - "You are kind."',
        '      + "You are very kind."',
        "    to record them, with a key:",
        "      pytest --inference-mode=record-if-missing a/test_it.py b/test_that.py",
    ] == paragraph
    missed.stdout.no_fnmatch_line("*2 tests missed for*")
    nothing = f"    looked in {suite.directory / 'recordings'}: there are no recordings there yet"
    assert ["  6 tests missed for the same reason:", nothing] == empty.outlines[start : start + 2]
    suite.run().assert_outcomes(passed=6)


@pytest.mark.slow
def test_a_renamed_file_is_one_command_for_all_its_tests(suite: Suite) -> None:
    """In a project of a repository too, whose tests other runs know under other ids."""
    (suite.directory / ".git").mkdir()
    text = "import pytest\npytestmark = pytest.mark.inference_recording\n" + "".join(
        f"def test_{name}(): ask({name!r})\n" for name in ("one", "two", "three")
    )
    suite.write("project/test_old.py", text)
    suite.write("project/test_stays.py", text)
    suite.run("--rootdir=project", "project", NEW).assert_outcomes(passed=6)
    old = suite.directory / "project" / "test_old.py"
    old.rename(old.with_name("test_new.py"))

    missed = suite.run_apart("--tb=no", "-n", "2")
    [question] = [line for line in missed.outlines if "test_old.py: was the file renamed?" in line and "E " not in line]
    start = missed.outlines.index(question)
    assert "    then, for all of them:" == missed.outlines[start + 1]
    follow(suite, missed.outlines[start + 2].strip())

    missed.assert_outcomes(passed=3, failed=3)
    suite.run().assert_outcomes(passed=6)
    assert 6 == suite.server.count


def test_a_renamed_file_with_a_fixture_is_one_command_too(suite: Suite) -> None:
    """The fixture misses first, and its tests only in a run that has its answer."""
    text = """
        @pytest.fixture(scope="module")
        def summary(): return ask("Summarize.")
        @pytest.mark.parametrize("n", range(2))
        def test_summary(summary, inference_session, n): ask(str(n))
    """
    suite.write("test_books.py", text)
    suite.run(NEW).assert_outcomes(passed=2)
    (suite.directory / "test_books.py").unlink()
    suite.write("test_library.py", text)

    missed = suite.run()
    (suite.directory / "test_library.py").rename(suite.directory / "test_books.py")
    suite.write("test_books.py", text.replace("summary()", "digest()").replace("(summary,", "(digest,"))
    of_fixture = suite.run()
    (suite.directory / "test_books.py").unlink()
    suite.write("test_library.py", text)
    follow(suite, printed(missed, "inference-recorder rename-test "))

    missed.assert_outcomes(errors=2)
    missed.stdout.fnmatch_lines(["*recorded for test_books.py: was this file renamed?*"])
    of_fixture.stdout.fnmatch_lines(["*recorded for test_books.py@summary: was this fixture renamed?*"])
    suite.run().assert_outcomes(passed=2)
    assert 3 == suite.server.count


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(("start", "arguments"), [("project/tests", []), (".", ["project"])])
def test_commands_work_where_pytest_was_started(
    start: str, arguments: list[str], suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids are relative to rootdir; pytest takes paths from the current directory, above or below it."""
    text = (
        "import pytest\n@pytest.mark.parametrize('n', range(3))\ndef test_it(n, inference_session): ask(str(n)); {}\n"
    )
    (suite.directory / "project").mkdir()
    (suite.directory / "project/pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    suite.write("project/tests/test_it.py", text.format("assert n"))
    suite.write("project/tests/test_more.py", "import openai\ndef test_more(inference_session): ask()")
    monkeypatch.chdir(suite.directory / start)

    missed = suite.run(*arguments)
    commands = [line for line in missed.outlines if "  pytest --inference-mode" in line]
    follow(suite, next(line.removeprefix("E") for line in commands if line.endswith("::test_more")))
    suite.run(*shlex.split(commands[-1])[1:]).assert_outcomes(passed=3, failed=1)
    again = suite.run(*arguments)
    suite.write("project/tests/test_it.py", text.format(""))
    follow(suite, printed(again, "pytest --inference-mode=record "))

    missed.assert_outcomes(failed=4)
    again.assert_outcomes(passed=3, failed=1)
    suite.run(*arguments).assert_outcomes(passed=4)
    assert 5 == suite.server.count


@pytest.mark.slow
def test_a_child_process_knows_where_pytest_was_started(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may run in any other directory; its miss is its test's."""
    call = "import subprocess, sys\ndef test_it(inference_session, tmp_path): "
    call += "subprocess.run([sys.executable, '-c', 'from ask import ask; ask()'], cwd=tmp_path, check=True)"
    suite.configure()
    suite.write("tests/test_it.py", call)
    monkeypatch.setenv("PYTHONPATH", str(suite.directory))
    monkeypatch.chdir(suite.directory / "tests")

    missed = suite.run_apart()
    follow(suite, printed(missed, "pytest --inference-mode"))

    missed.assert_outcomes(failed=1)
    suite.run_apart().assert_outcomes(passed=1)


def test_fixtures_that_miss_are_not_counted_as_tests(suite: Suite) -> None:
    """Five would have missed where pytest shows four failures and errors."""
    suite.write(
        "test_it.py",
        """
        @pytest.fixture(scope="module")
        def wide(): ask("Wide.")
        def test_wide(inference_session, wide): pass
        def test_one(inference_session): ask("One.")
        def test_two(inference_session): ask("Two.")
        """,
    )

    assert "  3 tests and fixtures missed for the same reason:" in suite.run("--tb=no").outlines


@pytest.mark.slow
def test_keeping_the_answers_that_were_set_aside_ends_a_miss(suite: Suite) -> None:
    """They were paid for, and the tests failed for another reason; each test says it, and the summary for all."""
    text = "@pytest.mark.parametrize('n', range(4))\ndef test_it(n, inference_session): ask(str(n)); assert {}\n"
    suite.write("test_it.py", text.format("False"))
    suite.run("--inference-mode=record").assert_outcomes(failed=4)
    suite.write("test_it.py", text.format("True"))

    one = suite.run("test_it.py::test_it[1]")
    follow(suite, printed(one, "inference-recorder keep "))
    missed = suite.run("--tb=no")
    follow(suite, missed.outlines[missed.outlines.index("    then, for all of them:") + 1])

    one.assert_outcomes(failed=1)
    missed.assert_outcomes(passed=1, failed=3)
    suite.run().assert_outcomes(passed=4)
    assert 4 == suite.server.count
