"""The argument DIR, and the directories it stands for."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from inference_recorder.config import DIRECTORY_VARIABLES

from .recorded import record, run


def listed(*arguments: str | Path) -> list[str]:
    """Return the test ids that `ls` lists."""
    done = run("ls", *arguments)
    assert 0 == done.exit_code, done.stderr
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("below", ["", "recordings", "responses"])
def test_dir_stands_for_the_directories_that_a_recorder_reads(below: str, tmp_path: Path) -> None:
    """llama-stack's recorder writes below the directory it is given."""
    record(tmp_path / below, "t")

    assert ["t"] == listed(tmp_path)


@pytest.mark.parametrize("variable", [None, *DIRECTORY_VARIABLES])
def test_the_default_is_the_directory_that_recorders_use(
    variable: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most often the question is what a replay would find."""
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / ("recordings" if variable is None else "elsewhere")
    if variable is not None:
        monkeypatch.setenv(variable, str(directory))
    record(directory, "t")

    assert ["t"] == listed()


def test_a_directory_without_recordings_stands_for_those_below_it(tmp_path: Path) -> None:
    """llama-stack has nine of them; naming each is a chore, and an empty list would be puzzling."""
    (tmp_path / "package.json").write_text("{}")
    record(tmp_path / "tests" / "a" / "recordings", "a")
    record(tmp_path / "tests" / "b" / "recordings", "b")
    record(tmp_path / ".git" / "recordings", "hidden")
    record(tmp_path / "node_modules" / "recordings", "a dependency's")

    assert ["a", "b"] == listed(tmp_path)
    assert "searching 2 directories below it" in run("ls", tmp_path).stderr


def test_recursive_also_reads_the_directories_below(tmp_path: Path) -> None:
    """A session that uses DIR itself would not read them."""
    record(tmp_path, "own")
    record(tmp_path / "deep" / "er", "below")

    assert ["own"] == listed(tmp_path)
    assert ["below", "own"] == listed("-r", tmp_path)


@pytest.mark.parametrize("command", ["check -r", "rename-test -r tests test", "rm -r tests/test_x.py --dry-run"])
def test_recursive_without_a_directory_searches_below_the_current_one(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository of several projects has no recordings at its root, and "." need not be named."""
    monkeypatch.chdir(tmp_path)
    for project in ("a", "b"):
        record(tmp_path / project / "recordings", "tests/test_x.py::test_same")

    done = run(*command.split())

    assert 0 == done.exit_code, done.stderr
    assert "2 recordings" in done.stderr


def test_tests_of_two_projects_with_one_id_are_listed_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have nothing in common; where each is, the last column says."""
    monkeypatch.chdir(tmp_path)
    for project in ("a", "b"):
        record(tmp_path / project / "recordings", "tests/test_x.py::test_same")

    lines = [line.split("\t") for line in run("ls", "-r").stdout.splitlines()]

    assert [["tests/test_x.py::test_same", "1", f"{project}/recordings"] for project in ("a", "b")] == [
        [line[0], line[1], line[-1]] for line in lines
    ]


def test_a_directory_that_does_not_exist_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty list would look like success."""
    monkeypatch.chdir(tmp_path)
    named, by_default = run("ls", "nowhere"), run("check")
    (tmp_path / "file").touch()
    file = run("ls", "--stats", "file")

    assert [2, 2, 2] == [named.exit_code, by_default.exit_code, file.exit_code]
    assert f"the directory {tmp_path / 'nowhere'} does not exist" in named.stderr
    assert f"the directory {tmp_path / 'recordings'} (chosen by default) does not exist" in by_default.stderr
    assert "is a file, not a directory" in file.stderr


def test_a_node_id_is_not_taken_for_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command of the message lists the test's recordings."""
    monkeypatch.chdir(tmp_path)
    record(tmp_path / "recordings", "tests/test_a.py::test_b[a b]")
    done = run("check", "tests/test_a.py::test_b[a b]")

    assert (2, True) == (done.exit_code, "test_b[a b] is not a directory; a test's" in done.stderr)
    assert ["tests/test_a.py::test_b[a b]"] == listed(*shlex.split(done.stderr.partition("listed by: ")[2])[2:])


@pytest.mark.parametrize("command", [("ls",), ("ls", "--stats"), ("check",)], ids=" ".join)
def test_an_empty_directory_is_not_an_error(command: tuple[str, ...], tmp_path: Path) -> None:
    """The first run of a suite begins with one."""
    done = run(*command, tmp_path)

    assert (0, "") == (done.exit_code, done.stdout.replace("total\t\t0\t0\t0\t0\n", ""))


@pytest.mark.parametrize("command", ["show", "diff x", "ls", "report -o page.html", "explain"])
def test_the_command_that_finds_recordings_elsewhere_works(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory named only in code is not searched; the error names it."""
    monkeypatch.chdir(tmp_path)
    record(tmp_path / "recordings", "x")
    record(tmp_path / "data" / "stored it", "tests/test_z.py::test_z[it's]")
    refused = run(*command.split(), "tests/test_z.py::test_z[it's]")
    [line] = [line for line in refused.stderr.splitlines() if "elsewhere: " in line]
    done = run(*shlex.split(line.partition("elsewhere: ")[2])[1:])

    assert (2, 0) == (refused.exit_code, done.exit_code)
    assert "test_z[it's]" in done.output or "1 recording" in done.output
