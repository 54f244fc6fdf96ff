"""Requests whose body is bytes, which the recording names by their digest."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import inference_recording

from ...conftest import Colour
from ...support.openai_server import OpenAIServer, Reply

pytestmark = pytest.mark.skipif(
    "content" not in inspect.signature(openai.OpenAI.post).parameters, reason="this SDK sends no raw bytes"
)


def test_two_contents_are_two_requests(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Two uploads that differ in their bytes alone get different answers."""
    contents = [b"one", b"two"]

    def send_all() -> list[Any]:
        return [sdk.call("post", "/uploads/raw", cast_to=object, content=content) for content in contents]

    server.answers("/v1/uploads/raw", *(Reply({"number": number}) for number in range(2)))
    with inference_recording("record", recordings):
        live = send_all()
    with inference_recording("replay", recordings):
        contents.reverse()
        replayed = send_all()

    assert [{"number": 0}, {"number": 1}] == live
    assert live[::-1] == replayed
    assert [b"one", b"two"] == [request.content for request in server.received]
