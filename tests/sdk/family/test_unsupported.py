"""A version of another SDK that is not supported stops its own calls, and nothing else."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest

from inference_recorder import UnsupportedSDK, inference_recording
from inference_recorder.sdk import private_names
from inference_recorder.sdk.private_names import INTERNALS, Internal

from ...conftest import HELLO
from ...support.openai_server import OpenAIServer


@pytest.mark.parametrize("mode", ["replay", "record"])
def test_only_the_calls_of_an_unsupported_version_raise(
    mode: str, server: OpenAIServer, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program may import it for something else; and its calls must not go out unrecorded."""
    groq = pytest.importorskip("groq")
    moved = Internal("groq._base_client", "BaseClient", "_moved_away")
    monkeypatch.setattr(private_names, "INTERNALS", [*INTERNALS, moved])
    monkeypatch.setattr(private_names, "_checked", {})
    with (
        openai.OpenAI(api_key="x", base_url=server.base_url) as client,
        groq.Groq(api_key="x", base_url=server.base_url, max_retries=0) as other,
    ):
        with inference_recording("record", recordings):
            expected = client.chat.completions.create(**HELLO)
        count = server.count

        with inference_recording(mode, recordings) as session:  # type: ignore[call-overload]  # a str
            with pytest.raises(UnsupportedSDK, match=r"groq .* has no groq\._base_client\.BaseClient\._moved_away"):
                other.chat.completions.create(model="m", messages=HELLO["messages"])
            assert 0 == session.counts["live"]
            assert count == server.count
            answer = client.chat.completions.create(**HELLO)

    assert expected.choices == answer.choices
