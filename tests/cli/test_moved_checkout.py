"""Recordings whose requests hold paths keep what their key needs: another checkout can work with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inference_recorder.request.normalizers import Normalizers

from ..conftest import files_of
from ..support.openai_server import OpenAIServer

OLD, NEW = "tests/test_a.py::test_old", "tests/test_a.py::test_new"
ASKING = """
import json, os, sys, tempfile
import openai
from inference_recorder import inference_recording
mode, test_id, base_url, *normalizers = sys.argv[1:]
places = {"cwd": os.getcwd() + "/notes.txt", "tmp_path": tempfile.gettempdir() + "/pytest-of-me/pytest-1/test_a0/x"}
with inference_recording(mode, "recordings", test_id=test_id, normalize=normalizers) as session:
    client = openai.OpenAI(base_url=base_url, api_key="sk-test", max_retries=0)
    text = " and ".join(["Read", *(places[normalizer] for normalizer in normalizers)])
    for _ in range(2):
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}])
print(json.dumps(session.counts))
"""


class Checkout:
    """A directory that holds a project, and a directory for its temporary files."""

    def __init__(self, directory: Path, name: str) -> None:
        self.directory, self.temporary = directory / name, directory / f"tmp of {name}"
        self.temporary.mkdir()

    @property
    def recordings(self) -> Path:
        return self.directory / "recordings"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python there, in a process of its own."""
        environment = {**os.environ, "TMPDIR": str(self.temporary), "PYTHONPATH": os.getcwd()}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def ask(self, mode: str, test_id: str, server: OpenAIServer, *normalizers: str) -> Any:
        done = self.run("-c", ASKING, mode, test_id, server.base_url, *normalizers)
        assert 0 == done.returncode, done.stderr
        return json.loads(done.stdout)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("-c", "from inference_recorder.cli.main import main; main()", *arguments)


@pytest.fixture
def here(tmp_path: Path) -> Checkout:
    (tmp_path / "here").mkdir()
    return Checkout(tmp_path, "here")


def moved(here: Checkout) -> Checkout:
    """Return the same project as another person has it."""
    here.directory.rename(here.directory.with_name("somewhere else"))
    return Checkout(here.directory.parent, "somewhere else")


NORMALIZERS = [("cwd",), ("tmp_path",), ("cwd", "tmp_path")]


@pytest.mark.slow
@pytest.mark.parametrize("normalizers", NORMALIZERS, ids=" and ".join)
def test_a_renamed_test_keeps_its_recordings_in_another_checkout(
    normalizers: tuple[str, ...], here: Checkout, server: OpenAIServer
) -> None:
    """The person who renames a test is rarely the one who recorded it."""
    assert {"recorded": 2} == here.ask("record", OLD, server, *normalizers)
    there = moved(here)

    checked = json.loads(there.command("check", "--json").stdout)
    renamed = there.command("rename-test", OLD, NEW)
    replayed = there.ask("replay", NEW, server, *normalizers)

    assert {"exact": 2} == checked["rules"]
    assert (0, "2 of 2 recordings renamed\n") == (renamed.returncode, renamed.stderr)
    assert {"replayed": 2} == replayed


@pytest.mark.slow
@pytest.mark.parametrize("normalizers", NORMALIZERS, ids=" and ".join)
def test_rekey_removes_and_declares_normalizers_in_another_checkout(
    normalizers: tuple[str, ...], here: Checkout, server: OpenAIServer
) -> None:
    """The normalizers replaced the other checkout's directory, not the one where the command runs."""
    here.ask("record", OLD, server, *normalizers)
    there = moved(here)
    before = files_of(there.recordings)
    options = [part for normalizer in normalizers for part in ("--normalize", normalizer)]

    same = there.command("rekey", *options)
    kept = files_of(there.recordings)
    changed = there.command("rekey", "--none")
    without = files_of(there.recordings)

    assert (0, before) == (same.returncode, kept), same.stderr
    assert "0 of 2 recordings renamed" in same.stderr
    assert (0, True) == (changed.returncode, without != before), changed.stderr
    assert {"exact": 2} == json.loads(there.command("check", "--json").stdout)["rules"]


@pytest.mark.slow
def test_a_miss_in_another_checkout_does_not_blame_the_rules(here: Checkout, server: OpenAIServer) -> None:
    """They are the same, though they replace another directory there."""
    here.ask("record", OLD, server, "cwd")
    there = moved(here)

    done = there.run("-c", ASKING, "replay", NEW, server.base_url, "cwd")

    assert "the same request, of tests/test_a.py::test_old" in done.stderr
    assert f"rename-test {OLD} {NEW}" in done.stderr
    assert "normalize" not in done.stderr.partition("nearest:")[2]


@pytest.mark.slow
def test_a_recording_without_a_root_works_where_it_was_made(here: Checkout, server: OpenAIServer) -> None:
    """Recordings made before the directory was kept; elsewhere, nothing can say what it was."""
    here.ask("record", OLD, server, "cwd")
    for path in here.recordings.glob("*.json"):
        document = json.loads(path.read_text())
        assert [{"name": "cwd", "roots": [str(here.directory)]}] == document["request"]["normalize"]
        document["request"]["normalize"] = ["cwd"]
        path.write_text(json.dumps(document))

    renamed = here.command("rename-test", OLD, NEW)
    replayed = here.ask("replay", NEW, server, "cwd")
    elsewhere = moved(here).command("rename-test", NEW, OLD)

    assert (0, {"replayed": 2}) == (renamed.returncode, replayed)
    assert 1 == elsewhere.returncode
    assert "no key version gives its name" in elsewhere.stderr


@pytest.mark.parametrize(
    "normalizer", [{"name": "dates", "roots": ["/a"]}, {"name": "cwd", "roots": [1]}, {"name": "x", "roots": ["/a"]}]
)
def test_invalid_roots_of_a_normalizer_are_refused(normalizer: dict[str, Any]) -> None:
    """A recording is not trusted, so each kind of invalid root is refused."""
    from inference_recorder import RecorderError

    with pytest.raises(RecorderError):
        Normalizers([normalizer])
