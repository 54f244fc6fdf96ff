"""One set of recordings for a test, whether pytest is started in its project or in the root of the repository."""

from __future__ import annotations

import shlex

import pytest
from click.testing import CliRunner

from inference_recorder.cli.main import main

from .conftest import Suite, line_of

RECORD, RECORD_IF_MISSING = "--inference-mode=record", "--inference-mode=record-if-missing"
PYTEST = "[tool.pytest.ini_options]\naddopts = '--import-mode=importlib'\n"
CONFTEST = """
@pytest.fixture(scope="session")
def of_session(): ask("of session")

@pytest.fixture(scope="package")
def of_package(): ask("of package")
"""
TESTS = """
@pytest.fixture(scope="module")
def of_module(): ask("of module")

class TestIt:
    @pytest.mark.parametrize("number", [1, 2])
    def test_it(self, number, inference_session, of_module, of_session, of_package):
        ask(f"{number}")
        ask(f"{number}")

@pytest.mark.inference_recording(scope="shared")
def test_shared(): ask("shared")
"""


@pytest.fixture
def monorepo(suite: Suite) -> Suite:
    """A repository with tests at its root and two projects with tests of their own, under the same names."""
    (suite.directory / ".git").mkdir()
    for project in (".", "services/a", "services/b"):
        suite.write(f"{project}/checks/test_x.py", TESTS)
        suite.write(f"{project}/checks/conftest.py", CONFTEST)
        (suite.directory / project / "pyproject.toml").write_text(PYTEST)
    return suite


def recorded(suite: Suite) -> dict[str, list[str | None]]:
    """Return the test ids in each directory of recordings."""
    paths = [path.relative_to(suite.directory) for path in suite.directory.rglob("*.json")]
    directories = {path.parent.as_posix() for path in paths if ".trash" not in path.parts}
    return {directory: suite.test_ids(directory) for directory in sorted(directories)}


def run_in(suite: Suite, project: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> pytest.RunResult:
    """Run pytest as a person does who has changed to the directory of a project."""
    with monkeypatch.context() as patch:
        patch.chdir(suite.directory / project)
        return suite.run(*arguments)


def test_what_a_project_has_recorded_is_found_from_the_root(monorepo: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """CI runs the whole repository, people run their project."""
    for project in ("services/a", "services/b", "."):
        run_in(monorepo, project, monkeypatch, RECORD, "checks").assert_outcomes(passed=3)
    before = recorded(monorepo)
    assert ["recordings", "services/a/recordings", "services/b/recordings"] == list(before)
    assert before["recordings"] == before["services/a/recordings"]

    replayed = monorepo.run()
    again = monorepo.run(RECORD)
    (monorepo.directory / "checks/test_x.py").unlink()
    checked = CliRunner().invoke(main, ["check", "services/a/recordings"])

    assert ["0 errors, 0 notes"] == checked.stderr.splitlines()[1:]  # and none that a file is gone
    replayed.assert_outcomes(passed=9)
    assert "recordings: 24 replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(replayed, "recordings: ")
    again.assert_outcomes(passed=9)
    assert before == recorded(monorepo)


@pytest.mark.slow
def test_what_the_root_has_recorded_is_found_from_a_project(monorepo: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is recorded there again replaces it: there is one set of files."""
    monorepo.run(RECORD).assert_outcomes(passed=9)
    before = recorded(monorepo)

    replayed = run_in(monorepo, "services/a", monkeypatch)
    again = run_in(monorepo, "services/a", monkeypatch, RECORD)
    monkeypatch.chdir(monorepo.directory / "services/a")
    listed = CliRunner().invoke(main, ["ls"])

    replayed.assert_outcomes(passed=3)
    again.assert_outcomes(passed=3)
    assert before == recorded(monorepo)
    assert ["recordings"] == list(before)
    assert {each or "" for each in before["recordings"]} == {line.split("\t")[0] for line in listed.stdout.splitlines()}


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(("first", "second"), [("services/a", "."), (".", "services/a")])
def test_recordings_beside_tests_are_found_from_everywhere(
    first: str, second: str, monorepo: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their ids are relative to where they were recorded, wherever that was."""
    for project in (".", "services/a"):
        with (monorepo.directory / project / "pyproject.toml").open("a") as file:
            file.write("[tool.inference_recorder]\nrecordings_beside_tests = true\n")
    monorepo.write("services/a/checks/test_x.py", "def test_it(inference_session): ask()")
    only = str(monorepo.directory / "services/a/checks")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:cacheprovider -W ignore")
    run_in(monorepo, first, monkeypatch, RECORD, f"--rootdir={monorepo.directory / first}", only)
    before = recorded(monorepo)

    for mode in (RECORD_IF_MISSING, RECORD):
        result = run_in(monorepo, second, monkeypatch, mode, f"--rootdir={monorepo.directory / second}", only)
        result.assert_outcomes(passed=1)

    assert ["services/a/checks/recordings"] == list(before)
    assert before == recorded(monorepo)
    assert 2 == monorepo.server.count


@pytest.mark.slow
def test_two_projects_without_a_common_root_need_a_rootdir(monorepo: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest would take the first one, and give the tests of the second the same ids."""
    projects = "services/a", "services/b"
    for project in projects:
        run_in(monorepo, project, monkeypatch, RECORD).assert_outcomes(passed=3)
    (monorepo.directory / "pyproject.toml").unlink()

    replayed = monorepo.run("--import-mode=importlib", "--rootdir=.", *projects)

    replayed.assert_outcomes(passed=6)
    assert "recordings: 16 replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(replayed, "recordings: ")


@pytest.mark.slow
def test_a_test_with_the_id_of_another_projects_is_not_its_rerun(monorepo: Suite) -> None:
    """What a failed attempt set aside is removed once a rerun passes; this was paid for, and nothing replaces it."""
    (monorepo.directory / "pyproject.toml").unlink()
    for project in ("services/a", "services/b"):
        test = f"def test_it(inference_session): ask({project!r}); assert {project == 'services/b'}"
        monorepo.write(f"{project}/checks/test_x.py", test)

    result = monorepo.run("services/a", "services/b", "--import-mode=importlib", RECORD)

    result.assert_outcomes(passed=1, failed=1)
    assert "recordings: 0 replayed, 2 recorded, 0 missed, 0 live, 0 unused" == line_of(result, "recordings: ")
    for directory in ("services/a/recordings", "services/a/recordings/.failed"):
        assert ["checks/test_x.py::test_it"] == monorepo.test_ids(directory)


@pytest.mark.slow
def test_prune_knows_the_ids_of_a_project(monorepo: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """It deletes what the test of that project does not need, and only that."""
    for project in ("services/a", "."):
        run_in(monorepo, project, monkeypatch, RECORD, "checks")
    before = recorded(monorepo)
    monorepo.write("services/a/checks/test_x.py", TESTS.replace('        ask(f"{number}")\n', "", 1))

    listed = monorepo.run("checks", "services/a")
    monorepo.run("--inference-prune=delete", "checks", "services/a").assert_outcomes(passed=6)

    assert "    services/a/checks/test_x.py::TestIt::test_it[2]: 1" in listed.outlines
    unneeded = [f"checks/test_x.py::TestIt::test_it[{number}]" for number in (1, 2)]
    after = recorded(monorepo)
    assert sorted(before["services/a/recordings"], key=str) == sorted(
        [*after["services/a/recordings"], *unneeded], key=str
    )
    assert before["recordings"] == after["recordings"]


@pytest.mark.slow
def test_what_was_recorded_in_both_places_stays_found(monorepo: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite that has recorded at its root until now misses nothing because a project has recordings too."""
    monorepo.run(RECORD, "services/a/checks/test_x.py::test_shared", "checks")
    monorepo.write("services/a/checks/test_y.py", "def test_y(inference_session): ask('y')")
    monorepo.run(RECORD, "checks", "services/a/checks/test_y.py")
    run_in(monorepo, "services/a", monkeypatch, RECORD, "--inference-recordings=recordings", "checks/test_x.py")
    assert ["services/a/checks/test_y.py::test_y"] == [each for each in monorepo.test_ids() if "test_y" in str(each)]

    monorepo.run("checks", "services/a").assert_outcomes(passed=7)


@pytest.mark.slow
def test_recordings_of_others_above_a_project_are_not_its_own(monorepo: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the root's own tests do not make a new project record there."""
    monorepo.run(RECORD, "checks")
    before = monorepo.test_ids()

    run_in(monorepo, "services/a", monkeypatch, RECORD).assert_outcomes(passed=3)

    assert before == monorepo.test_ids() == monorepo.test_ids("services/a/recordings")


@pytest.mark.slow
def test_what_is_above_the_repository_is_not_looked_at(monorepo: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git, nobody knows where the repository ends: rootdir is the end."""
    monorepo.run(RECORD)
    (monorepo.directory / ".git").rename(monorepo.directory / "services/a/.git")

    missed = run_in(monorepo, "services/a", monkeypatch)

    missed.assert_outcomes(failed=1, errors=2)


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("how", ["in the configuration", "in code", "by an option"])
def test_a_directory_that_a_project_names_is_found_from_the_root(
    how: str, monorepo: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the directory is explicit: whose tests are in it, the recordings show."""
    mark = '@pytest.mark.inference_recording(storage_dir=__file__ + "/../llm")\n' if how == "in code" else ""
    monorepo.write("services/a/checks/test_x.py", f"{mark}def test_it(inference_session): ask()")
    if how == "in the configuration":
        with (monorepo.directory / "services/a/pyproject.toml").open("a") as file:
            file.write('[tool.inference_recorder]\nrecordings = "checks/llm"\n')
    directory = monorepo.directory / "services/a/checks/llm"
    option = [f"--inference-recordings={directory}"] if how == "by an option" else []
    run_in(monorepo, "services/a", monkeypatch, RECORD, *option)
    before = recorded(monorepo)

    for mode in ("--inference-mode=replay", RECORD):
        monorepo.run(mode, *option, f"--rootdir={monorepo.directory}", "services/a").assert_outcomes(passed=1)

    assert {"services/a/checks/llm": ["checks/test_x.py::test_it"]} == before == recorded(monorepo)


def test_a_miss_says_in_which_project_the_recording_is(monorepo: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A marker's relative directory is below rootdir, which is another one here; the command that it prints works."""
    marker = '@pytest.mark.inference_recording(storage_dir="llm")\n'
    monorepo.write("services/a/checks/test_x.py", f"{marker}def test_it(): ask()")
    run_in(monorepo, "services/a", monkeypatch, RECORD)

    missed = monorepo.run(f"--rootdir={monorepo.directory}", "services/a")
    lines = [line.removeprefix("E").strip() for line in missed.outlines]
    said = lines.index(
        f"recorded in {monorepo.directory}/services/a/llm, which pytest finds if it is started in its project:"
    )
    cd, project, *arguments = lines[said + 1].replace("&& pytest ", "").split()

    assert ("cd", f"{monorepo.directory}/services/a") == (cd, project)
    run_in(monorepo, project, monkeypatch, *arguments).assert_outcomes(passed=1)


@pytest.mark.slow
def test_a_renamed_test_of_a_project_is_known_to_exist_or_not(monorepo: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command in the miss gives the recordings to the new name."""
    for project in (".", "services/b"):
        (monorepo.directory / project / "checks/test_x.py").unlink()
    monorepo.write("services/a/checks/test_x.py", "def test_it(inference_session): ask()")
    run_in(monorepo, "services/a", monkeypatch, RECORD)
    both = "def test_it(inference_session): ask()\ndef test_other(inference_session): ask()"
    monorepo.write("services/a/checks/test_x.py", both)
    still_there = monorepo.run(f"--rootdir={monorepo.directory}", "services/a")
    monorepo.write("services/a/checks/test_x.py", both.split("\n")[1])

    gone = monorepo.run(f"--rootdir={monorepo.directory}", "services/a")
    still_there.stdout.no_fnmatch_line("*rename-test*")
    [command] = {line.removeprefix("E").strip() for line in gone.outlines if "inference-recorder rename-test" in line}
    done = CliRunner().invoke(main, shlex.split(command)[1:])

    assert 0 == done.exit_code, done.output
    monorepo.run(f"--rootdir={monorepo.directory}", "services/a").assert_outcomes(passed=1)


@pytest.mark.slow
def test_workers_find_and_record_in_the_directories_of_projects(
    monorepo: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each worker looks for itself, and some of them start where nothing is recorded yet."""
    run_in(monorepo, "services/a", monkeypatch, RECORD).assert_outcomes(passed=3)
    before = recorded(monorepo)["services/a/recordings"]

    monorepo.run_apart("-n", "2", RECORD_IF_MISSING).assert_outcomes(passed=9)
    again = monorepo.run_apart("-n", "2", RECORD)

    again.assert_outcomes(passed=9)
    after = recorded(monorepo)
    assert ["recordings", "services/a/recordings"] == list(after)
    assert before == after["services/a/recordings"]
    assert 15 == len(after["recordings"])  # two times eight, but what is shared only once
