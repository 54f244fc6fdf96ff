"""`inference-recorder prune`: what no test can ask for any more goes, and nothing else."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from inference_recorder.format.codec import typed
from inference_recorder.format.recording import Answer
from inference_recorder.identity.keys import FOLDING

from .recorded import completion, files, record, run, tool_call

G1 = FOLDING[-1]
MODEL_LIST = Answer(chunks=[b'{"__type__":"openai.types.model.Model","__data__":{"id":"m"}}'])


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite with one test, which has a recording."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("def test_b(): ...")
    record(tmp_path / "recordings", "tests/test_a.py::test_b")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_deletes_only_when_told_to(root: Path) -> None:
    """Recordings cost money; what would be deleted is looked at first."""
    folder = root / "recordings"
    kept = files(folder)
    gone = record(folder, "tests/test_a.py::test_gone[x]")
    dry = run("prune")

    assert 1 == dry.exit_code
    assert f"recordings/{gone.name}\ttests/test_a.py::test_gone[x]\tthere is no test_gone in tests/test_a.py\n" == (
        dry.stdout
    )
    assert "would be deleted by --delete" in dry.stderr
    assert gone.exists()

    done = run("prune", "--delete")
    assert (0, kept) == (done.exit_code, files(folder))
    assert "deleted 1 of 1 recording (" in done.stderr
    assert (0, "") == (run("prune").exit_code, run("prune").stdout)


def test_all_answers_of_a_row_go_and_what_lies_beside_them(root: Path) -> None:
    """A .2.json or .bin left behind is found by nobody."""
    folder = root / "recordings"
    kept = files(folder)
    attached = Answer(body=typed("attached", sha256(b"sound").hexdigest()))
    record(folder, "tests/test_a.py::test_gone")
    record(folder, "tests/test_a.py::test_gone", place=2, answer=attached, attachment=b"sound")
    assert any(name.endswith(".bin") for name in files(folder))
    run("prune", "--delete")

    assert kept == files(folder)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("outside a test", ""),
        ("a tool's call", ""),
        ("no whole call", ""),
        ("a list of models that all tests share", ""),
        ("a key without the test", ""),
        ("corrupt", "it cannot be read"),
        ("an id of the user's own", "its test id is not one of pytest's"),
        ("a file that cannot be parsed", "tests/test_broken.py cannot be parsed (SyntaxError)"),
        ("perhaps inherited", "tests/test_c.py::TestC may inherit test_d from Elsewhere"),
    ],
)
def test_what_may_be_needed_is_kept(kind: str, told: str, root: Path) -> None:
    """What is deleted by mistake has to be paid for again, if it can be had at all."""
    folder = root / "recordings"
    (root / "tests" / "test_broken.py").write_text("def test_b(:")
    (root / "tests" / "test_c.py").write_text("class TestC(Elsewhere): ...")
    gone = "tests/test_a.py::test_gone"
    if kind == "outside a test":
        record(folder, None)
    elif kind == "a tool's call":
        tool_call(folder, gone)
    elif kind == "no whole call":
        path = record(folder, gone)
        path.write_bytes(path.read_bytes().replace(b'"url": "https', b'"uri": "https'))
    elif kind == "a list of models that all tests share":
        record(folder, gone, endpoint="/v1/models", answer=MODEL_LIST, generation=FOLDING[0])
        record(folder, gone, endpoint="/v1/models", answer=MODEL_LIST, key="a" * 64)
    elif kind == "a key without the test":
        record(folder, gone, generation=G1)
    elif kind == "corrupt":
        record(folder, gone).write_text('{"test_id": "tests/test_a.py::test_gone", ')
    else:
        ids = {
            "an id of the user's own": "gone",
            "a file that cannot be parsed": "tests/test_broken.py::test_gone",
            "perhaps inherited": "tests/test_c.py::TestC::test_d",
        }
        record(folder, ids[kind])
    before = files(folder)
    done = run("prune", "--delete")

    assert (0, "", before) == (done.exit_code, done.stdout, files(folder))
    assert told in done.stderr


def test_a_list_of_models_that_one_test_made_goes_with_it(root: Path) -> None:
    """A local server's list belongs to its test: the key holds the test's id."""
    path = record(
        root / "recordings",
        "tests/test_a.py::test_gone",
        endpoint="/v1/models",
        base_url="http://localhost:8000/v1",
        answer=MODEL_LIST,
    )
    run("prune", "--delete")

    assert not path.exists()


def test_another_folder_than_the_rootdir_deletes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One directory too deep, every test is gone, and so were every recording."""
    monkeypatch.chdir(root / "tests")
    before = files(root / "recordings")
    wrong, right = (
        run("prune", "../recordings", "--delete"),
        run("prune", "../recordings", "--delete", "--rootdir", ".."),
    )

    assert (2, 0, before) == (wrong.exit_code, right.exit_code, files(root / "recordings"))
    assert "go to pytest's rootdir, or name it with --rootdir" in wrong.stderr
    assert 0 == run("prune", "../recordings", "--delete", "--rootdir", ".").exit_code
    assert {} == files(root / "recordings")


def test_json_says_what_was_done(root: Path) -> None:
    """A bot that tidies up writes its message from it."""
    gone = record(root / "recordings", "tests/test_gone.py::test_b", answer=completion("x"))
    size = gone.stat().st_size
    dry, done = (json.loads(run("prune", "--json", *more).stdout) for more in ((), ("--delete",)))

    expected = {
        "path": f"recordings/{gone.name}",
        "test_id": "tests/test_gone.py::test_b",
        "reason": "there is no file tests/test_gone.py",
        "size": size,
    }
    assert [expected | {"is_deleted": False}] == dry
    assert [expected | {"is_deleted": True}] == done


def test_a_file_with_another_name_is_kept_and_named(root: Path) -> None:
    """No store gave it that name, so that none may remove it."""
    path = record(root / "recordings", "tests/test_a.py::test_gone")
    path = path.rename(path.with_name("a copy of mine.json"))
    done = run("prune", "--delete")

    assert (1, True) == (done.exit_code, path.exists())
    assert "not deleted: 'a copy of mine' is not a recording's name" in done.stderr
