"""`inference-recorder undo`: the last deletion comes back, and nothing is lost by it."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ..support.directories import contents_of
from .recorded import completion, record, run


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three recordings, below the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two", "three"):
        record(tmp_path / "recordings", name)
    return tmp_path / "recordings"


def test_each_undo_brings_back_the_deletion_before(directory: Path) -> None:
    """This also works when nothing is left but the trash."""
    before = contents_of(directory)
    for names in (["one", "two"], ["three"]):
        run("rm", *names)
    assert {} == contents_of(directory)
    done = [run("undo") for _ in range(3)]

    assert [0, 0, 1] == [one.exit_code for one in done]
    assert [1, 2, 0] == [len(one.stdout.splitlines()) for one in done]
    reverted = [
        r"reverted `rm` of [\d:]+: three; 1 recording brought back\n",
        r"reverted `rm` of [\d:]+: one, two; 2 recordings brought back\n",
        "there is nothing to undo\n",
    ]
    for pattern, one in zip(reverted, done, strict=True):
        assert re.fullmatch(pattern, one.stderr)
    assert before == contents_of(directory)


def test_an_older_deletion_says_its_day(directory: Path) -> None:
    """Its command is unknown if its name in the trash lacks one."""
    names = ["one", "two", "three", "four", "five"]
    for name in names:
        record(directory, name)
    run("rm", *names)
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    [entry] = (directory / ".trash").glob("*-rm")
    entry.rename(entry.with_name(f"{yesterday:%Y%m%dT%H%M%S.%fZ}-0123abcd"))
    done = run("undo")

    local = yesterday.astimezone()
    assert f"reverted deletion of {local:%Y-%m-%d %H:%M}: five, four, one, 2 more; 5 recordings brought back\n" == (
        done.stderr
    )


def test_a_newer_recording_is_not_replaced(directory: Path) -> None:
    """Scripts see the exit code; the last lines name the deleted recording."""
    run("rm", "two")
    run("rm", "one")
    path = record(directory, "one", answer=completion("A new one."))
    new = path.read_bytes()
    done, before, none = run("undo", "--json"), run("undo"), run("undo")

    [one] = json.loads(done.stdout)
    assert ([1, 0, 1], new) == ([one.exit_code for one in (done, before, none)], path.read_bytes())
    assert f"recordings/{path.name}" == one["path"]
    assert new != Path(one["trash"]).read_bytes()
    assert "not reverted: `rm` of " in done.stderr
    assert f"{one['path']}: there is another file of that name; the deleted one is {one['trash']}" in done.stderr


@pytest.mark.parametrize("kind", ["a directory", "a link to nothing"])
def test_any_file_of_that_name_stays(kind: str, directory: Path) -> None:
    """Its purpose is unknown."""
    path = record(directory, "one")
    run("rm", "one")
    path.mkdir() if kind == "a directory" else path.symlink_to("nowhere")
    done = run("undo")

    assert (1, True) == (done.exit_code, path.is_dir() or path.is_symlink())
    assert f"recordings/{path.name}: there is another file of that name" in done.stderr


def test_a_directory_that_does_not_exist_is_refused(directory: Path) -> None:
    """A typing error must not look like an empty trash."""
    assert (2, 1) == (run("undo", "nowhere").exit_code, run("undo", "recordings").exit_code)
    Path("a_file").touch()
    assert "a_file is a file, not a directory; leave it out" in run("undo", "a_file").stderr


def test_only_the_named_directories_are_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project may have several suites."""
    paths = [record(tmp_path / name / "recordings") for name in ("a", "b", "c")]
    monkeypatch.chdir(tmp_path)
    for path in paths:
        run("rm", "tests", "--dir", path.parent)
    done = run("undo", "a", "b/recordings")
    again = run("undo", "a", "b/recordings")

    assert (f"b/recordings/{paths[1].name}\n", f"a/recordings/{paths[0].name}\n") == (done.stdout, again.stdout)
    assert [True, True, False] == [path.exists() for path in paths]


def test_a_failed_undo_can_be_repeated(directory: Path) -> None:
    """The other recordings are still in the trash."""
    run("rm", "one")
    (directory / ".locks").rename(directory / "locks")
    (directory / ".locks").touch()
    refused = run("undo")
    (directory / ".locks").unlink()

    assert (1, 0) == (refused.exit_code, run("undo").exit_code)
    assert "is still in the trash; try again" in refused.stderr
    assert 3 == len(contents_of(directory))
