"""Websockets are not recorded, and nobody is left to find that out from a hanging test."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import UnrecordableCall, inference_recording


def connect(client: Any, position: str) -> Any:
    for part in position.split("."):
        client = getattr(client, part, None)
        if client is None:
            pytest.skip(f"this SDK has no {position}")
    method = getattr(client, "connect", None)
    if method is None:
        pytest.skip(f"this SDK's {position} opens no websocket")
    return method(model="gpt-realtime") if "realtime" in position else method()


@pytest.mark.parametrize("kind", [openai.OpenAI, openai.AsyncOpenAI], ids=["sync", "async"])
@pytest.mark.parametrize("position", ["realtime", "beta.realtime", "responses"])
def test_connecting_in_replay_raises(kind: Any, position: str, recordings: Path) -> None:
    """Letting it through would reach the network from a replayed test."""
    client = kind(api_key="x")
    with inference_recording("replay", recordings), pytest.raises(UnrecordableCall, match=r"connect opens a websocket"):
        connect(client, position)


@pytest.mark.parametrize("position", ["realtime", "responses"])
def test_connecting_while_recording_passes_with_one_warning(position: str, recordings: Path) -> None:
    """Recording the rest of a suite must not fail for it; nor must it go unnoticed."""
    client = openai.OpenAI(api_key="x")
    with inference_recording("record", recordings) as session:
        with pytest.warns(UserWarning, match="opens a websocket, which is not recorded"):
            connect(client, position)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            connect(client, position)

    assert {"live": 2} == session.counts
