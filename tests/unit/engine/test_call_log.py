"""What a process that a test starts reports of its calls."""

from __future__ import annotations

import json
from pathlib import Path

import openai
import pytest

from inference_recorder import MissingRecording, inference_recording
from inference_recorder.children import usage

from ...conftest import HELLO
from ...support.openai_server import OpenAIServer, Reply


@pytest.mark.parametrize("mode", ["replay", "record"])
def test_a_process_whose_call_got_no_recording_may_need_more_than_it_used(
    mode: str,
    client: openai.OpenAI,
    server: OpenAIServer,
    recordings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pruning would otherwise delete the recordings of the calls that it did not come to."""
    run = tmp_path / "run"
    run.mkdir()
    server.answers("/v1/chat/completions", Reply({"error": {"message": "down"}}, status=500))
    with inference_recording(mode, recordings):
        monkeypatch.setattr(usage, "listeners", (str(run),))
        with pytest.raises((MissingRecording, openai.InternalServerError)):
            client.chat.completions.create(**HELLO)
        monkeypatch.undo()

    [path] = run.iterdir()
    reports = [json.loads(line) for line in path.read_text().splitlines()]
    assert [False] == [report["is_known"] for report in reports if "is_known" in report]
