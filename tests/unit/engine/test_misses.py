"""A call that no recording answers takes nothing from the calls after it."""

from __future__ import annotations

import os
from pathlib import Path

import openai
import pytest

from inference_recorder import MissingRecording, UnusableDirectory, inference_recording

from ...conftest import HELLO, files_of

pytestmark = pytest.mark.usefixtures("sessions_are_runs")


def test_a_miss_that_is_repeated_gets_the_same_explanation(client: openai.OpenAI, recordings: Path) -> None:
    """A loop that tries again read that all recordings are used up, while the first one was gone."""
    with inference_recording("record", recordings) as session:
        for _ in range(2):
            client.chat.completions.create(**HELLO)
    (recordings / f"{session.recorded[0].key}.json").unlink()

    explanations = set()
    with inference_recording("replay", recordings):
        for _ in range(4):
            with pytest.raises(MissingRecording) as caught:
                client.chat.completions.create(**HELLO)
            explanations.add(str(caught.value))

    assert 1 == len(explanations)


def test_a_call_that_is_refused_leaves_the_first_position_to_the_next(
    client: openai.OpenAI, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory may be repaired while the session is open; a series that begins at 2 would never replay."""
    with inference_recording("record-if-missing", recordings) as session:
        monkeypatch.setattr(os, "access", lambda *_: False)
        with pytest.raises(UnusableDirectory):
            client.chat.completions.create(**HELLO)
        monkeypatch.undo()
        client.chat.completions.create(**HELLO)
        stored = files_of(recordings)  # a process that is killed now has not closed the gap

    assert [f"{session.recorded[0].key}.json"] == stored
