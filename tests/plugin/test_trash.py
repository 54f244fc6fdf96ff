"""What pytest deletes, `inference-recorder undo` brings back; what pytest names, `inference-recorder rm` finds."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ..support.systems import needs_shell
from .conftest import Suite, line_of

DELETE = "--inference-prune=delete"


def shell(suite: Suite, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line in a shell at rootdir, with the command of this environment."""
    needs_shell()
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return subprocess.run(line, shell=True, cwd=suite.directory, env={"PATH": path}, capture_output=True, text=True)  # noqa: S602


def unused(suite: Suite) -> None:
    """Record a suite that then makes fewer calls, in the common directory and in one that the code names."""
    text = """
        @pytest.mark.parametrize("name", ["a", "b"])
        def test_it(inference_session, name):
            for text in TEXTS: ask(text)

        def test_elsewhere():
            with inference_recording(storage_dir="data/answers"):
                for text in TEXTS: ask(text)
    """
    for texts in ('"one", "two"', '"one",'):
        suite.write("tests/test_it.py", f"{text}\n        TEXTS = ({texts})\n")
        if "two" in texts:
            suite.run("--inference-mode=record").assert_outcomes(passed=3)


@pytest.mark.parametrize("workers", [None, pytest.param(2, marks=pytest.mark.slow)], ids=["one process", "two workers"])
def test_what_pytest_deleted_comes_back(workers: int | None, suite: Suite) -> None:
    """The printed line works as it is, whatever directories the recordings were in."""
    unused(suite)
    before = suite.files(), suite.files("data/answers")

    result = suite.run(DELETE) if workers is None else suite.run_apart(DELETE, "-n", str(workers))

    assert "pruned: 3 recordings deleted" in result.outlines
    assert (2, 1) == (len(suite.files()), len(suite.files("data/answers")))
    undo = line_of(result, "  inference-recorder undo").partition(" brings them back")[0]
    undone = shell(suite, undo)
    assert (0, True) == (undone.returncode, "reverted `pytest --inference-prune=delete` of " in undone.stderr)
    assert before == (suite.files(), suite.files("data/answers"))


def test_what_went_before_the_disk_refused_comes_back(suite: Suite) -> None:
    """The error of a partial deletion says how much was deleted and how to restore it."""
    unused(suite)
    before = suite.files(), suite.files("data/answers")
    (suite.directory / "data" / "answers" / ".trash").touch()

    result = suite.run(DELETE)

    assert "pruned: 2 recordings deleted" in result.outlines
    assert "data/answers" in line_of(result, "  cannot write the recording")
    undo = line_of(result, "  inference-recorder undo").partition(" brings them back")[0]
    assert 0 == shell(suite, undo).returncode
    assert before == (suite.files(), suite.files("data/answers"))


def test_a_directory_that_is_not_below_is_named(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """`undo` alone would look below the working directory only."""
    suite.pytester.makeini("[pytest]")
    suite.write("test_it.py", 'def test_it(inference_session): ask("one"); ask("two")')
    suite.run("--inference-mode=record").assert_outcomes(passed=1)
    suite.write("test_it.py", 'def test_it(inference_session): ask("one")')
    (suite.directory / "sub").mkdir()
    monkeypatch.chdir(suite.directory / "sub")

    result = suite.run(DELETE, "..")

    undo = line_of(result, "  inference-recorder undo").partition(" brings it back")[0].strip()
    assert ["inference-recorder", "undo", str(suite.directory / "recordings")] == shlex.split(undo)
    assert 1 == len(suite.files())
    assert 0 == shell(suite, undo).returncode
    assert 2 == len(suite.files())


@pytest.mark.parametrize("is_beside", [False, True], ids=["in the configured folder", "beside the tests"])
def test_an_id_of_pytests_output_is_one_that_rm_takes(is_beside: bool, suite: Suite) -> None:
    """Quoted for a shell, whatever its parameters hold."""
    where = "recordings_beside_tests = true" if is_beside else 'recordings = "answers"'
    suite.write("pyproject.toml", f"[tool.pytest.ini_options]\n[tool.inference_recorder]\n{where}\n")
    suite.write(
        "tests/sub/test_it.py",
        """
        @pytest.mark.parametrize("text", ["it's $HOME", 'a "b" [c]', "x::y/z", "é\\n"])
        def test_it(inference_session, text): ask(text)
        """,
    )
    directory = "tests/sub/recordings" if is_beside else "answers"
    result = suite.run("-v", "--inference-mode=record")
    ids = re.findall(r"^(\S+::.*?) PASSED", str(result.stdout), re.MULTILINE)
    assert 4 == len(ids) == len(suite.files(directory))

    for left, test_id in enumerate(reversed(ids)):
        ran = shell(suite, f"inference-recorder rm {shlex.quote(test_id)}")

        assert (0, 3 - left) == (ran.returncode, len(suite.files(directory))), ran.stderr
    assert 0 == shell(suite, "inference-recorder undo").returncode
    assert 1 == len(suite.files(directory))


@pytest.mark.parametrize("directory", ["recordings", "data/my answers"])
def test_the_command_that_prune_prints_removes_what_it_lists(directory: str, suite: Suite) -> None:
    """The printed command works wherever the recordings are."""
    options = [] if directory == "recordings" else [f"--inference-recordings={directory}"]
    suite.write(
        "test_it.py", "@pytest.mark.parametrize('n', ['a b', \"it's\", 'c'])\ndef test_it(n, inference_session): ask(n)"
    )
    suite.run("--inference-mode=record", *options).assert_outcomes(passed=3)
    suite.write("test_it.py", "@pytest.mark.parametrize('n', ['c'])\ndef test_it(n, inference_session): ask(n)")
    result = suite.run(DELETE, *options)

    ran = shell(suite, line_of(result, "    to remove them: ").partition(": ")[2])

    assert 0 == ran.returncode, ran.stderr
    assert ["test_it.py::test_it[c]"] == suite.test_ids(directory)
