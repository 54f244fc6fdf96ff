"""Where the recordings of a test are that llama-stack's recorder made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inference_recorder import UnusableDirectory, inference_recording, llama_stack
from inference_recorder.engine.test_run import PYTEST_VARIABLE
from inference_recorder.modes import InferenceMode
from inference_recorder.storage.beside_tests import DirectoriesOfTests
from inference_recorder.storage.directories import directories_from

from ...conftest import HELLO, Colour, files_of

TEST = "tests/integration/inference/test_it.py::test_it[a::b/c]"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one test, beside what is not part of it; the working directory is elsewhere."""
    for project in ("project", "project/nested", "outside"):
        test = tmp_path / project / TEST.partition("::")[0]
        test.parent.mkdir(parents=True)
        test.touch()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "project"


def of_tests(base: Path, rootdir: Path | None = None, **options: Any) -> DirectoriesOfTests:
    return DirectoriesOfTests(directories_from(base), rootdir, lambda directory: rootdir or directory, **options)


def written_from(base: Path, test_id: str | None = TEST, rootdir: Path | None = None) -> str:
    """Return where a test's recordings are written, relative to the directory around the projects."""
    written = of_tests(base, rootdir).of(test_id).written
    return written.relative_to(next(path for path in base.parents if path.name == "project").parent).as_posix()


@pytest.mark.parametrize(
    ("base", "marks", "expected"),
    [
        pytest.param("tests/integration/common", [], "project/tests/integration/inference", id="llama-stack's own"),
        pytest.param("tests/common", [".git"], "project/tests/integration/inference", id="one level less"),
        pytest.param("a/b/c/d", [".git"], "project/tests/integration/inference", id="one level more"),
        pytest.param("common", [".git"], "project/tests/integration/inference", id="beside the tests"),
        pytest.param("nested/common", [".git"], "project/nested/tests/integration/inference", id="the nearest root"),
        pytest.param("a/common", [], "project/a/common", id="no project is known"),
    ],
)
def test_the_root_is_where_the_tests_file_is(base: str, marks: list[str], expected: str, root: Path) -> None:
    """llama-stack's recorder took the third directory above the base, wherever that was."""
    for mark in marks:
        (root / mark).mkdir()

    assert f"{expected}/recordings" == written_from(root / base)


def test_the_root_is_pytests_where_that_is_known(root: Path) -> None:
    """Test ids are relative to it."""
    assert "project/nested/tests/integration/inference/recordings" == written_from(
        root / "nested" / "common", rootdir=root / "nested"
    )
    assert "project/tests/integration/inference/recordings" == written_from(root / "nested" / "common", rootdir=root)


def test_the_root_is_the_working_directory_where_that_has_the_base(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for the relative base of llama-stack's recorder."""
    monkeypatch.chdir(root)

    assert "project/tests/integration/inference/recordings" == written_from(root / "nested" / "common")


def test_recordings_without_their_tests_are_found(root: Path) -> None:
    """A server may have them, or a copy of them, and no tests."""
    (root / TEST.partition("::")[0]).unlink()
    assert "project/tests/integration/common/recordings" == written_from(root / "tests" / "integration" / "common")
    (root / "tests" / "integration" / "inference" / "recordings").mkdir()

    assert "project/tests/integration/inference/recordings" == written_from(root / "tests" / "integration" / "common")


@pytest.mark.parametrize("test_id", [None, "session@tests/stack", "tests/integration/inference/test_it.py@stack"])
def test_what_no_test_owns_is_in_the_common_directory(test_id: str | None, root: Path) -> None:
    """llama-stack's recorder knows no test while a fixture of several tests is set up."""
    (root / "tests" / "integration" / "inference" / "recordings").mkdir()
    base = root / "tests" / "integration" / "common"

    assert "project/tests/integration/common/recordings" == written_from(base, test_id, root)


def test_a_test_is_read_from_its_directory_then_from_the_common_one(root: Path) -> None:
    """A session that was entered before the first test has recorded there."""
    base = root / "tests" / "integration" / "common"
    beside = root / "tests" / "integration" / "inference" / "recordings"

    assert (beside, base / "recordings", base, base / "responses") == of_tests(base).of(TEST).read


@pytest.mark.parametrize(
    "test_id",
    [
        "../outside/tests/integration/inference/test_it.py::test_it",
        "tests/../../outside/tests/integration/inference/test_it.py",
        "{outside}/tests/integration/inference/test_it.py",
        "tests//integration/inference/test_it.py",
        "tests/./integration/inference/test_it.py",
        "tests\\..\\..\\outside\\test_it.py",
        "c:/tests/test_it.py",
        ".git/config::x",
        "tests/integration/inference/test_it.py\0/x",
        "tests/integration/inference/../inference/test_it.py",
        "tests/\ud800/test_it.py",
        "x" * 5000 + "/test_it.py",
        "/",
        "::",
        "",
    ],
)
def test_an_id_that_is_no_path_below_the_root_gets_the_common_directory(test_id: str, root: Path) -> None:
    """A test id may come with an HTTP request."""
    (root / ".git").mkdir()
    (root / ".git" / "config").touch()
    base, test_id = root / "tests" / "integration" / "common", test_id.format(outside=root.parent / "outside")

    assert "project/tests/integration/common/recordings" == written_from(base, test_id)
    assert "project/tests/integration/common/recordings" == written_from(base, test_id, root)


@pytest.mark.parametrize("base", ["common", "tests/common", "tests/integration/common"])
def test_a_test_file_outside_of_the_project_is_no_reason_to_leave_it(base: str, root: Path) -> None:
    """From a shallow base, the third directory above is another project, or the home of all."""
    other = root.parent / "test_outside.py"
    other.touch()
    for test_id in (
        "test_outside.py::test_it",
        "outside/tests/integration/inference/test_it.py::test_it",
        f"{root.parent.name}/outside/tests/integration/inference/test_it.py::test_it",
    ):
        for rootdir in (None, root):
            assert f"project/{base}/recordings" == written_from(root / base, test_id, rootdir)


@pytest.mark.parametrize("linked", ["recordings", "."], ids=["the recordings", "the tests"])
@pytest.mark.parametrize("mode", list(InferenceMode)[1:])
def test_a_link_out_of_the_project_is_refused(mode: InferenceMode, linked: str, root: Path) -> None:
    """The one who made it would get our files, or answer our requests."""
    (root / ".git").mkdir()
    inference = root / "tests" / "integration" / "inference"
    if linked == ".":
        inference.rename(root / "moved")
        inference.symlink_to(root.parent / "outside" / "tests" / "integration" / "inference")
    else:
        (root.parent / "linked").mkdir()
        (inference / linked).symlink_to(root.parent / "linked")
    directories = of_tests(root / "tests" / "integration" / "common")

    with pytest.raises(UnusableDirectory) as refused:
        directories.check(directories.of(TEST), mode)
    assert (inference / "recordings") == refused.value.directory
    assert str(root) in str(refused.value)
    assert "repair it" in str(refused.value)

    (inference if linked == "." else inference / linked).unlink()
    (inference / "recordings").mkdir(parents=True)
    directories.check(directories.of(TEST), mode)


def test_a_link_within_the_project_and_the_users_own_base_are_followed(root: Path) -> None:
    """A base that is given may be anywhere."""
    (root / ".git").mkdir()
    (root / "data").mkdir()
    (root.parent / "linked").mkdir()
    (root / "tests" / "integration" / "inference" / "recordings").symlink_to(root / "data")
    (root / "tests" / "integration" / "common").symlink_to(root.parent / "linked")
    directories = of_tests(root / "tests" / "integration" / "common")

    directories.check(directories.of(TEST), InferenceMode.RECORD)
    directories.check(directories.of(None), InferenceMode.RECORD)


@pytest.mark.usefixtures("without_plugin")
def test_one_session_has_the_directories_of_every_test(
    sdk: Colour, root: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the plugin, and with the call refused that a link would lead out of the project."""
    base = root / "tests" / "integration" / "common"
    ask: Callable[[], Any] = lambda: sdk.call("chat.completions.create", **HELLO)  # noqa: E731
    tests = [TEST, "tests/integration/agents/test_it.py::test_it", None]
    (root / "tests" / "integration" / "agents" / "recordings").mkdir(parents=True)
    for mode in ("record", "replay"):
        with llama_stack.api_recording(mode, base) as session:
            for test_id in tests:
                monkeypatch.setenv(PYTEST_VARIABLE, f"{test_id} (call)" if test_id else "")
                ask()
        [calls] = [calls for calls in (session.recorded, session.replayed) if calls]
        assert tests == [call.test_id for call in calls]
    parents = [Path(call.path or "").parent for call in calls]
    linked = root / "tests" / "integration" / "linked"
    linked.mkdir()
    (linked / "recordings").symlink_to(root.parent / "outside")
    monkeypatch.setenv(PYTEST_VARIABLE, "tests/integration/linked/test_it.py::test_it (call)")
    with llama_stack.api_recording("record", base), pytest.raises(UnusableDirectory):
        ask()

    assert [base.parent / part / "recordings" for part in ("inference", "agents", "common")] == parents
    assert [1, 1, 1] == [len(files_of(parent)) for parent in parents]
    assert 3 == server.count


def test_the_general_recorder_keeps_its_one_directory(sdk: Colour, root: Path) -> None:
    """An explicit directory is the only one."""
    with inference_recording("record", root / "tests" / "integration" / "common", test_id=TEST) as session:
        sdk.call("chat.completions.create", **HELLO)

    assert [root / "tests" / "integration" / "common"] == [Path(call.path or "").parent for call in session.recorded]


def test_a_response_storage_writes_beside_the_running_test(
    root: Path, monkeypatch: pytest.MonkeyPatch, without_plugin: None
) -> None:
    """Its users find there what the recorder wrote, and the other way round."""
    storage = llama_stack.ResponseStorage(root / "tests" / "integration" / "common")
    for test_id in (TEST, ""):
        monkeypatch.setenv(PYTEST_VARIABLE, f"{test_id} (call)" if test_id else "")
        storage.store_recording(f"of-{len(test_id)}", {"endpoint": "x"}, {"body": {}})
        assert storage.find_recording(f"of-{len(test_id)}") is not None
    monkeypatch.setenv(PYTEST_VARIABLE, f"{TEST} (call)")

    assert storage.find_recording("of-0") is not None
    assert [f"of-{len(TEST)}.json"] == files_of(root / "tests" / "integration" / "inference" / "recordings")
    assert ["of-0.json"] == files_of(root / "tests" / "integration" / "common" / "recordings")
