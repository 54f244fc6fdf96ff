"""A machine without a key can replay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import MissingRecording, inference_recording

from ...conftest import HELLO
from ...support.openai_server import OpenAIServer

AZURE: dict[str, Any] = {"azure_endpoint": "https://test.openai.azure.com", "api_version": "2024-06-01"}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (openai.OpenAI, {}),
        (openai.AsyncOpenAI, {}),
        (openai.AzureOpenAI, AZURE),
        (openai.AsyncAzureOpenAI, AZURE),
    ],
    ids=["sync", "async", "Azure", "async Azure"],
)
def test_a_client_made_in_replay_needs_no_key(kind: Any, options: dict[str, Any], recordings: Path) -> None:
    """CI has none, and contributors have none; the code under test makes its client as always."""
    with inference_recording("replay", recordings):
        assert kind is type(kind(**options))
    with pytest.raises(openai.OpenAIError):
        kind(**options)


@pytest.mark.parametrize("mode", ["record", "record-if-missing", "live"])
def test_a_client_that_may_send_needs_its_key(mode: str, recordings: Path) -> None:
    """A made-up key would turn a clear error into a 401 from the API."""
    with inference_recording(mode, recordings), pytest.raises(openai.OpenAIError):
        openai.OpenAI()


def test_the_modules_client_needs_no_key_in_replay_and_keeps_none(recordings: Path) -> None:
    """`openai.chat.completions.create` makes its client on first use and keeps the key in the module."""
    before = openai.api_key
    with inference_recording("replay", recordings), pytest.raises(MissingRecording):
        openai.chat.completions.create(**HELLO)

    assert (before or "") == (openai.api_key or "")
    openai._reset_client()  # type: ignore[attr-defined]  # as the SDK's own tests do


def test_a_key_that_is_there_is_used(server: OpenAIServer, recordings: Path) -> None:
    """A client made in replay may live on and ask for real later."""
    with inference_recording("replay", recordings):
        client = openai.OpenAI(api_key="sk-real", base_url=server.base_url)
    client.chat.completions.create(**HELLO)
    client.close()

    assert "Bearer sk-real" == server.received[0].headers["authorization"]
