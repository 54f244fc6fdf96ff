"""`inference-recorder keep`: what failed tests have set aside comes into place, and an undo reverts all of it."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest

from inference_recorder.recording.answer import ModelList, Value
from inference_recorder.recording.body import typed

from ..support.directories import contents_of
from .recorded import completion, record, run

A, B, C = "tests/test_a.py::test_a", "tests/test_a.py::TestB::test_b[x]", "tests/test_c.py::test_c"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an old recording of A and C; all three tests have failed since."""
    monkeypatch.chdir(tmp_path)
    for test_id in (A, C):
        record(tmp_path / "recordings", test_id)
    for test_id in (A, B, C):
        record(tmp_path / "recordings" / ".failed", test_id, answer=completion("New."))
    (tmp_path / "recordings" / ".failed" / ".gitignore").write_text("*\n")
    return tmp_path


def ids_in(directory: Path) -> list[str]:
    """Return the tests of the new answers in a directory."""
    contents = [content for content in contents_of(directory).values() if b'"New."' in content]
    return sorted(json.loads(content)["test_id"] for content in contents)


@pytest.mark.parametrize(
    ("given", "kept"),
    [([A], [A]), (["tests/test_a.py::TestB", C], [B, C]), (["tests/test_a.py"], [B, A]), ([], [B, A, C])],
    ids=["a test", "a class and a test", "a file", "all"],
)
def test_the_recordings_of_the_named_tests_are_kept_and_set_aside_again(
    given: list[str], kept: list[str], root: Path
) -> None:
    """Old and new are both paid for; neither is lost, whatever is decided."""
    recordings, failed = root / "recordings", root / "recordings" / ".failed"
    before = contents_of(recordings), contents_of(failed)
    planned = run("keep", "--dry-run", *given)
    assert before == (contents_of(recordings), contents_of(failed))
    done = run("keep", "--json", *given)

    assert ([0, 0], len(kept)) == ([planned.exit_code, done.exit_code], len(planned.stdout.splitlines()))
    assert kept == ids_in(recordings)
    assert sorted({A, B, C} - {*kept}) == ids_in(failed)
    for listed in json.loads(done.stdout):
        assert (True, False) == (listed["is_kept"], Path(listed["failed"]).exists())
        assert (listed["test_id"] != B) == (listed["trash"] is not None)
    after = contents_of(recordings), contents_of(failed)
    shown = run("undo", "--dry-run")
    assert after == (contents_of(recordings), contents_of(failed))
    undone = run("undo")
    assert [0, 0] == [shown.exit_code, undone.exit_code]
    assert {*shown.stdout.splitlines()} == {*undone.stdout.splitlines()}
    assert shown.stderr.replace("would revert", "reverted") == undone.stderr
    back = sum(listed["trash"] is not None for listed in json.loads(done.stdout))
    effect = f"{len(kept)} recording{'s'[: len(kept) - 1]} set aside again, {back} brought back"
    assert re.fullmatch(rf"reverted `keep` of [\d:]+: {re.escape(', '.join(sorted(kept)))}; {effect}\n", undone.stderr)
    assert before == (contents_of(recordings), contents_of(failed))
    assert [1, 1] == [run("undo", "--dry-run").exit_code, run("undo").exit_code]


def test_an_id_that_nothing_is_set_aside_of_keeps_nothing(root: Path) -> None:
    """A typing error must not look like a success."""
    done = run("keep", A, "tests/test_c.py::test_cc")
    none = run("keep", "--dir", root / "recordings" / ".failed")

    assert [2, 1] == [done.exit_code, none.exit_code]
    assert "is of tests/test_c.py::test_cc; nothing was kept" in done.stderr
    assert "did you mean one of these?\n  tests/test_c.py::test_c" in done.stderr
    assert "no recording of a failed test is set aside\n" == none.stderr
    assert 3 + 1 == len(contents_of(root / "recordings" / ".failed"))
    suggested = done.stderr.partition("did you mean one of these?\n")[2].split()[0]
    kept = run("keep", suggested)
    assert (0, suggested) == (kept.exit_code, kept.stdout.split()[-1])


def test_an_id_like_no_other_is_answered_with_what_is_set_aside(root: Path) -> None:
    """Where nothing is, it said that no recording in "." was of the test, though there was one."""
    done = run("keep", "q")
    listed = done.stderr.partition("there are some of\n")[2].split()
    kept = [run("keep", test_id).exit_code for test_id in listed]
    none = run("keep", A)

    assert ([B, A, C], [0, 0, 0]) == (listed, kept)
    assert (2, 2) == (done.exit_code, none.exit_code)
    assert f"nothing is set aside for {A}, nor for any other test; nothing was kept\n" in none.stderr


def test_what_was_recorded_since_is_not_undone(root: Path) -> None:
    """An undo replaces no recording; the old one stays in the trash, with all answers of its series."""
    recordings = root / "recordings"
    record(recordings / ".failed", A, answer=completion("New."), position=2)
    run("keep", A, B)
    changed = [record(recordings, test_id, answer=completion("Newer.")) for test_id in (A, B)]
    done, again = run("undo"), run("undo")

    assert [1, 1] == [done.exit_code, again.exit_code]
    assert all(b'"Newer."' in path.read_bytes() for path in changed)
    assert 1 + 2 + 1 == len(contents_of(recordings)), "C, two of A, B"
    assert all(f"not brought back: recordings/{path.name}" in done.stderr for path in changed)


def test_a_model_list_replaces_the_failure_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two have different names, and both would answer the same request."""
    monkeypatch.chdir(tmp_path)
    recordings, failed = tmp_path / "recordings", tmp_path / "recordings" / ".failed"
    models = ModelList([{"id": "m", "object": "model", "created": 0, "owned_by": "x"}])
    new = record(failed, A, endpoint="/v1/models", answer=models, key="a" * 64)
    old = record(recordings, A, key="a" * 64)
    before = contents_of(recordings)
    run("keep")

    assert [new.name] == [*contents_of(recordings)]
    assert 0 == run("undo").exit_code
    assert (before, [new.name]) == (contents_of(recordings), [path.name for path in failed.glob("*.json")])
    assert {old.name} == {*before}


def test_a_large_answer_moves_with_its_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording without the file beside it is corrupt."""
    monkeypatch.chdir(tmp_path)
    recordings, failed = tmp_path / "recordings", tmp_path / "recordings" / ".failed"
    sounds = {recordings: b"old", failed: b"new"}
    for directory, sound in sounds.items():
        record(directory, A, answer=Value(typed("attached", sha256(sound).hexdigest())), attachment=sound)
    run("keep")

    assert [b"new"] == [path.read_bytes() for path in recordings.glob("*.bin")]
    run("undo")
    for directory, sound in sounds.items():
        assert [sound] == [path.read_bytes() for path in directory.glob("*.bin")]


def test_a_link_is_not_followed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A stranger's directory could bring in recordings from anywhere."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (root / "recordings" / ".failed").rename(elsewhere / "failed")
    (root / "recordings" / ".failed").symlink_to(elsewhere / "failed")

    assert 1 == run("keep").exit_code
    assert 3 + 1 == len(contents_of(elsewhere / "failed"))
