"""Where recordings are written and looked for."""

from __future__ import annotations

import shutil
from itertools import takewhile

import pytest

from .conftest import Suite, line_of

RECORD = "--inference-mode=record"
MARKED = "@pytest.mark.inference_recording({})\ndef test_it(): ask()\n"


def test_the_default_is_at_rootdir_wherever_pytest_is_started(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cd tests && pytest` looked in another folder, and missed."""
    suite.pytester.makeini("[pytest]")
    suite.write("tests/test_it.py", MARKED.format(""))
    suite.run(RECORD)
    monkeypatch.chdir(suite.directory / "tests")

    suite.run().assert_outcomes(passed=1)
    assert ["tests/test_it.py::test_it"] == suite.test_ids()


@pytest.mark.parametrize(
    ("option", "marker", "variable", "table", "expected"),
    [
        ("option", "marker", "variable", "table", "option"),
        (None, "marker", "variable", "table", "marker"),
        (None, None, "variable", "table", "variable"),
        (None, None, None, "table", "table"),
    ],
)
def test_what_chooses_the_directory(
    option: str | None,
    marker: str | None,
    variable: str | None,
    table: str,
    expected: str,
    suite: Suite,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The precedence is the same as for the mode."""
    suite.configure(f'recordings = "{table}"')
    suite.write("test_it.py", MARKED.format("" if marker is None else f"storage_dir={marker!r}"))
    if variable is not None:
        monkeypatch.setenv("LLAMA_STACK_TEST_RECORDING_DIR", variable)

    suite.run(RECORD, *([] if option is None else ["--inference-recordings", option])).assert_outcomes(passed=1)

    assert [expected] == [name for name in ("option", "marker", "variable", "table") if suite.files(name)]


def test_a_directory_given_in_code_stays(suite: Suite) -> None:
    """A test that records into its tmp_path tests recording; an option must not send that elsewhere."""
    suite.write(
        "test_it.py",
        """
        def test_it(tmp_path):
            with inference_recording("record", tmp_path): ask()
            assert 1 == len(list(tmp_path.glob("*.json")))
        """,
    )

    suite.run("--inference-recordings=option").assert_outcomes(passed=1)


def test_recordings_beside_each_test_file(suite: Suite) -> None:
    """As in llama-stack: moving a directory of tests moves its recordings too."""
    suite.configure("recordings_beside_tests = true")
    suite.write("a/test_a.py", "def test_a(inference_session): ask()")
    suite.write(
        "b/test_b.py",
        """
        @pytest.fixture(scope="session")
        def wide(): ask("wide")

        @pytest.fixture(scope="module")
        def of_module(): ask("of module")

        def test_b(inference_session, wide, of_module): ask()

        @pytest.mark.inference_recording(scope="shared")
        def test_shared(): ask("shared")
        """,
    )
    suite.run(RECORD).assert_outcomes(passed=3)
    suite.run().assert_outcomes(passed=3)

    assert ["a/test_a.py::test_a"] == suite.test_ids("a/recordings")
    assert ["b/test_b.py::test_b", "b/test_b.py@of_module"] == suite.test_ids("b/recordings")
    assert [None, "session@b/test_b.py::wide"] == suite.test_ids()
    assert 5 == suite.server.count


@pytest.mark.parametrize("is_beside", [True, False])
def test_both_kinds_of_directories_are_looked_in(is_beside: bool, suite: Suite) -> None:
    """Changing from one to the other loses nothing."""
    suite.configure(f"recordings_beside_tests = {str(not is_beside).lower()}")
    suite.write("a/test_a.py", "def test_a(inference_session): ask()")
    suite.run(RECORD).assert_outcomes(passed=1)
    suite.configure(f"recordings_beside_tests = {str(is_beside).lower()}")

    suite.run("--inference-mode=record-if-missing").assert_outcomes(passed=1)

    assert 1 == suite.server.count


@pytest.mark.parametrize(
    ("option", "marker"), [(["--inference-recordings=only"], ""), ([], 'storage_dir="only"')], ids=["option", "marker"]
)
def test_an_explicit_directory_is_the_only_one(option: list[str], marker: str, suite: Suite) -> None:
    """A run that names a directory must not be green because of another one."""
    suite.configure("recordings_beside_tests = true")
    suite.write("a/test_a.py", MARKED.format(""))
    suite.run(RECORD)
    suite.run(RECORD, "--inference-recordings=recordings")
    assert [1, 1] == [len(suite.files("a/recordings")), len(suite.files())]
    suite.write("a/test_a.py", MARKED.format(marker))

    missed = suite.run(*option)
    suite.run(RECORD, *option).assert_outcomes(passed=1)
    (suite.directory / "only").rename(suite.directory / "kept")
    (suite.directory / "only").mkdir()
    (suite.directory / "kept").rename(suite.directory / "only/recordings")
    suite.run(*option).assert_outcomes(passed=1)

    missed.assert_outcomes(failed=1)
    assert [f"{suite.directory}/only (does not exist)"] == _looked_in(missed)
    assert bool(marker) == ("beside each test file" in line_of(missed, "inference_recorder: "))


@pytest.mark.parametrize("source", ["variable", "table"])
def test_a_common_directory_leaves_those_beside_tests(
    source: str, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """llama-stack's variable names the common directory, and its recordings are beside the tests."""
    suite.write("a/test_a.py", "def test_a(inference_session): ask()")
    suite.configure("recordings_beside_tests = true")
    suite.run(RECORD)
    suite.configure('recordings = "common"' if source == "table" else "")
    if source == "variable":
        monkeypatch.setenv("LLAMA_STACK_TEST_RECORDING_DIR", "common")

    suite.run().assert_outcomes(passed=1)


def test_a_miss_names_all_directories_that_were_looked_in(suite: Suite) -> None:
    """With recordings in two directories, the error has to show both."""
    suite.write("a/test_a.py", "def test_a(inference_session): ask()")
    suite.run(RECORD)
    shutil.copytree(suite.directory / "recordings", suite.directory / "a/recordings")
    suite.write("a/test_a.py", "def test_a(inference_session): ask('something else')")

    result = suite.run()

    result.stdout.fnmatch_lines([f"*{suite.directory}/recordings", f"*{suite.directory}/a/recordings"])


def _looked_in(result: pytest.RunResult) -> list[str]:
    """Return the directories that the first miss of a run names."""
    lines = [line.removeprefix("E").strip() for line in result.outlines]
    start = lines.index("looked in:") + 1
    return list(takewhile(lambda line: line.startswith("/"), lines[start:]))
