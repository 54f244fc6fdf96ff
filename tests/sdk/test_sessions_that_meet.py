"""Sessions one after the other and inside each other: none loses what another has recorded."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import openai
import pytest

from inference_recorder import inference_recording

from ..conftest import HELLO
from ..support.openai_server import OpenAIServer, Reply, chunks

CHAT = "/v1/chat/completions"
STREAMED = HELLO | {"stream": True}

pytestmark = pytest.mark.usefixtures("sessions_are_runs")


@pytest.mark.parametrize("is_read_on", [False, True], ids=["dropped", "read to its end"])
def test_a_stream_that_outlives_its_session_replaces_no_later_recording(
    is_read_on: bool, client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """A traceback of a failed test keeps its streams alive until long after its recordings were rolled back."""
    server.answers(CHAT, Reply(events=chunks("old")), Reply(events=chunks("new")))
    with inference_recording("record", recordings):
        stream = client.chat.completions.create(**STREAMED)
        next(stream)
    with inference_recording("record", recordings):
        list(client.chat.completions.create(**STREAMED))
    [path] = recordings.glob("*.json")
    recorded = path.read_bytes()
    if is_read_on:
        list(stream)
    del stream
    gc.collect()

    assert recorded == path.read_bytes()


def test_a_stream_that_outlives_its_session_does_not_bring_back_what_was_removed(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """What a failed test recorded for the first time is moved to .failed."""
    with inference_recording("record", recordings):
        stream = client.chat.completions.create(**STREAMED)
        next(stream)
    next(recordings.glob("*.json")).unlink()
    list(stream)

    assert [] == list(recordings.glob("*.json"))


@pytest.mark.parametrize("mode", ["record", "record-if-missing"])
def test_nested_sessions_outside_tests_count_on_from_each_other(
    mode: str, client: openai.OpenAI, recordings: Path
) -> None:
    """The inner one would otherwise record over the outer one's answers, and cut off the rest."""

    def answer() -> str | None:
        return client.chat.completions.create(**HELLO).choices[0].message.content

    def contents(mode: str) -> list[str | None]:
        with inference_recording(mode, recordings):
            before = [answer(), answer()]
            with inference_recording(mode, recordings):
                inside = answer()
            return [*before, inside, answer()]

    live = contents(mode)

    assert 4 == len(set(live))
    assert live == contents("replay")


def test_nothing_is_imported_while_an_answer_is_stored(server: OpenAIServer, recordings: Path) -> None:
    """An import may collect a stream as garbage, whose storing then needs the module that is half imported."""
    program = f"""
import sys
import openai
from inference_recorder import inference_recording
from inference_recorder.storage.store import Store

loaded = []
original = Store.write
def write(*args, **kwargs):
    before = set(sys.modules)
    try:
        return original(*args, **kwargs)
    finally:
        loaded.extend(name for name in set(sys.modules) - before if name.startswith("inference_recorder"))
Store.write = write
client = openai.OpenAI(base_url={server.base_url!r}, api_key="x")
with inference_recording("record", {str(recordings)!r}, scope="shared"):
    client.chat.completions.create(model="m", messages=[])
    before = set(sys.modules)
from inference_recorder.storage import rollback
from inference_recorder.recording import texts
print(sorted({{"inference_recorder.storage.rollback", "inference_recorder.recording.texts"}} - before), loaded)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "[] []" == done.stdout.strip()
