"""A request that is made more often than it was recorded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

import openai
import pytest

from inference_recorder import MissingRecording, inference_recording

from ..conftest import HELLO, Colour, files_of
from ..support.openai_server import OpenAIServer


def answers(sdk: Colour, count: int) -> list[str]:
    return [sdk.call("chat.completions.create", **HELLO).choices[0].message.content for _ in range(count)]


@pytest.mark.parametrize("repeats", [None, "last"])
def test_the_last_answer_repeats(
    repeats: Literal["last"] | None, sdk: Colour, recordings: Path, sessions_are_runs: None
) -> None:
    """A loop that polls until something is done is shorter in the next run, or longer."""
    with inference_recording("record", recordings):
        first, last = answers(sdk, 2)
    with inference_recording("replay", recordings, repeats=repeats):
        assert [first, last, last, last] == answers(sdk, 4)


def test_no_answer_repeats_where_that_is_an_error(
    sdk: Colour, server: OpenAIServer, recordings: Path, sessions_are_runs: None
) -> None:
    """An agent that loops for ever would get one answer for ever; what the error advises ends the miss."""
    with inference_recording("record", recordings):
        recorded = answers(sdk, 2)
    with inference_recording("replay", recordings, repeats="error") as session:
        assert recorded == answers(sdk, 2)
        for _ in range(2):
            with pytest.raises(MissingRecording, match="has 2 answers, and this is call 3; repeats=") as caught:
                answers(sdk, 1)
            assert "used up" == (caught.value.nearest and caught.value.nearest.reason)
    assert {"replayed": 2, "missed": 2} == session.counts
    with inference_recording("record-if-missing", recordings, repeats="error") as session:
        more = answers(sdk, 4)

    assert ({"replayed": 2, "recorded": 2}, recorded) == (session.counts, more[:2])
    assert (4, 4) == (len(files_of(recordings)), server.count)
    with inference_recording("replay", recordings, repeats="error"):
        assert more == answers(sdk, 4)


def test_only_two_values_are_taken() -> None:
    """A misspelt one would repeat answers in silence."""
    with pytest.raises(ValueError, match='repeats is \'eror\'; it must be "last" or "error"'):
        inference_recording(repeats="eror")  # type: ignore[arg-type]


@pytest.mark.slow
def test_no_answer_repeats_in_a_child_process_either(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path, sessions_are_runs: None
) -> None:
    """It is in the session of the process that started it."""
    program = f"""
import openai
client = openai.OpenAI(base_url={server.base_url!r}, api_key="x")
client.chat.completions.create(**{HELLO!r})
print("answered")
client.chat.completions.create(**{HELLO!r})
"""
    with inference_recording("record", recordings):
        client.chat.completions.create(**HELLO)
    with inference_recording("replay", recordings, repeats="error"):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert ("answered\n", 1) == (done.stdout, done.returncode)
    assert "it has 1 answer, and this is call 2" in done.stderr
