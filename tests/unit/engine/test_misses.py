"""A call that no recording answers takes nothing from the calls after it."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest

from inference_recorder import MissingRecording, inference_recording

from ...conftest import HELLO

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
