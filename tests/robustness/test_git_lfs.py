"""A recording that Git LFS has not fetched is named as such, and the command that is advised fetches it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from inference_recorder import CorruptRecording, inference_recording
from inference_recorder.errors import NOT_FETCHED

from ..cli.recorded import run
from ..conftest import Colour
from ..support.openai_server import OpenAIServer, Reply

SPEECH = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Welcome aboard."}
AUDIO = bytes(range(256)) * 1600  # large enough for a file of its own
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize {len(AUDIO)}\n"


@pytest.fixture
def recorded(sdk: Colour, server: OpenAIServer, recordings: Path) -> Path:
    """Record an answer with an attachment; returns its directory."""
    server.answers("/v1/audio/speech", Reply(content=AUDIO, media_type="audio/mpeg"))
    with inference_recording("record", recordings):
        sdk.call("audio.speech.create", **SPEECH)
    return recordings


@pytest.mark.usefixtures("sessions_are_runs")
@pytest.mark.parametrize("ending", ["json", "bin"])
def test_a_pointer_in_place_of_a_file_is_named_and_can_be_recorded_again(
    ending: str, sdk: Colour, recorded: Path
) -> None:
    """A checkout without LFS is the usual cause in CI; "malformed JSON" would send its reader to the wrong place."""
    [path] = recorded.glob(f"*.{ending}")
    path.write_text(POINTER)

    with inference_recording("replay", recorded), pytest.raises(CorruptRecording, match=NOT_FETCHED) as caught:
        sdk.call("audio.speech.create", **SPEECH)
    checked = run("check", recorded)
    caught.value.path.unlink()
    with inference_recording("record-if-missing", recorded):
        sdk.call("audio.speech.create", **SPEECH)
    with inference_recording("replay", recorded):
        replayed = sdk.call("audio.speech.create", **SPEECH)

    assert NOT_FETCHED in checked.stdout
    assert (1, AUDIO) == (checked.exit_code, replayed.content)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="no git-lfs on the PATH")
@pytest.mark.usefixtures("sessions_are_runs")
def test_the_command_for_a_pointer_fetches_the_file(
    sdk: Colour, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clone has pointers if git-lfs was not installed, or skips them."""
    monkeypatch.setenv("HOME", str(tmp_path))  # `git lfs install` writes there
    monkeypatch.setenv("GIT_LFS_SKIP_SMUDGE", "1")
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "A")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "a@example.org")
    clone = tmp_path / "clone"

    def shell(commands: str, directory: Path) -> None:
        subprocess.run(["bash", "-ec", commands], cwd=directory, check=True, capture_output=True)

    shell("git init -q -b main && git lfs install && git lfs track '*.bin'", recorded)
    shell("git add . && git commit -qm 'Record the speech'", recorded)
    shell("git init -q --bare -b main origin", tmp_path)
    shell(f"git remote add origin {shlex.quote(str(tmp_path / 'origin'))} && git push -q origin main", recorded)
    shell("git clone -q origin clone", tmp_path)

    with inference_recording("replay", clone), pytest.raises(CorruptRecording, match=NOT_FETCHED) as caught:
        sdk.call("audio.speech.create", **SPEECH)
    [command] = re.findall(r": (git lfs install && .*)$", str(caught.value), re.MULTILINE)
    shell(command, clone)

    with inference_recording("replay", clone):
        assert AUDIO == sdk.call("audio.speech.create", **SPEECH).content
