"""Mocks put in the place of the SDK's methods, before, during and after a session."""

from __future__ import annotations

import contextvars
import json
import types
from collections.abc import Generator
from pathlib import Path
from unittest.mock import AsyncMock, Mock, patch

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from inference_recorder import inference_recording

from ..conftest import HELLO
from ..support.openai_server import OpenAIServer, completion

CREATE = "openai.resources.chat.completions.Completions.create"
ASYNC_CREATE = "openai.resources.chat.completions.AsyncCompletions.create"
CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}
REQUEST = "openai._base_client.SyncAPIClient.request"


def test_a_mock_of_a_method_is_recorded_under_the_url_of_its_client(recordings: Path) -> None:
    """A mock is not bound to a resource, and the recording of a local server would name api.openai.com."""
    with (
        patch(CREATE, Mock(return_value=ChatCompletion.model_validate(completion("mocked")))),
        openai.OpenAI(api_key="x", base_url="http://local.test:9/v1") as client,
        inference_recording("record", recordings),
    ):
        client.chat.completions.create(**HELLO)

    [path] = recordings.glob("*.json")
    assert "http://local.test:9/v1/v1/chat/completions" == json.loads(path.read_text())["request"]["url"]


@pytest.mark.parametrize("mode", ["record", "record-if-missing", "live"])
def test_an_exhausted_mock_raises_its_own_stop_iteration(client: openai.OpenAI, recordings: Path, mode: str) -> None:
    """Python turns a StopIteration that leaves a generator into a RuntimeError, and a call passes through one."""
    with patch(CREATE, Mock(side_effect=[])), inference_recording(mode, recordings) as session:
        with pytest.raises(StopIteration):
            client.chat.completions.create(**HELLO)

    assert not session.recorded


async def test_an_exhausted_async_mock_raises_its_own_stop_async_iteration(recordings: Path) -> None:
    """The same, for what an AsyncMock raises."""
    client = openai.AsyncOpenAI(api_key="x", base_url="http://local.test:9/v1")
    with patch(ASYNC_CREATE, AsyncMock(side_effect=[])), inference_recording("record", recordings) as session:
        with pytest.raises(StopAsyncIteration):
            await client.chat.completions.create(**HELLO)

    assert not session.recorded


def test_a_mocked_stream_that_is_closed_early_is_stored_at_once(client: openai.OpenAI, recordings: Path) -> None:
    """As one of the SDK's is."""
    chunk = ChatCompletionChunk.model_validate(CHUNK)
    with patch(CREATE, Mock(return_value=iter([chunk, chunk]))), inference_recording("record", recordings):
        stream = client.chat.completions.create(**HELLO, stream=True)
        next(iter(stream))
        stream.close()

        [path] = recordings.glob("*.json")
    assert 1 == len(json.loads(path.read_text())["response"]["body"])


def test_a_call_that_nobody_finishes_may_be_collected_in_another_context(recordings: Path) -> None:
    """A ContextVar cannot be set back there."""

    async def unfinished(*args: object, **kwargs: object) -> None:
        await suspended()

    client = openai.AsyncOpenAI(api_key="x", base_url="http://local.test:9/v1")
    with patch(ASYNC_CREATE, unfinished), inference_recording("record", recordings) as session:
        coroutine = client.chat.completions.create(**HELLO)
        contextvars.copy_context().run(coroutine.send, None)
        coroutine.close()

    assert not session.recorded


@types.coroutine
def suspended() -> Generator[None, None, None]:
    yield


def test_all_methods_are_patched_again_after_a_mock_brought_a_wrapper_back(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """A mock that outlives a session puts our wrapper back; the methods beside it have none any more."""
    mock = patch(REQUEST)
    with inference_recording("replay", recordings):
        mock.start()
    mock.stop()

    with inference_recording("record", recordings) as session:
        client.chat.completions.with_raw_response.create(**HELLO)
        client.chat.completions.create(**HELLO)

    assert {"recorded": 2} == session.counts
    assert 2 == server.count


class AsksFirst(openai.OpenAI):
    """A client that makes a call of its own before each request, as for a token."""

    def _prepare_options(self, options: openai._models.FinalRequestOptions) -> openai._models.FinalRequestOptions:
        if options.url != "/models":
            self.models.with_raw_response.list()
        return super()._prepare_options(options)


@pytest.mark.parametrize("is_raw", [False, True], ids=["plain", "raw"])
def test_a_call_that_a_client_makes_while_preparing_another_is_recorded_by_itself(
    is_raw: bool, server: OpenAIServer, recordings: Path
) -> None:
    """Its response must not be taken for that of the call that was being prepared, nor that one be lost."""
    outcomes = []
    for mode in ("record", "replay"):
        with (
            AsksFirst(api_key="x", base_url=server.base_url, max_retries=0) as client,
            inference_recording(mode, recordings),
        ):
            completions = client.chat.completions
            answer = completions.with_raw_response.create(**HELLO).parse() if is_raw else completions.create(**HELLO)
            outcomes.append((answer.choices[0].message.content, answer._request_id))

    assert outcomes[0] == outcomes[1]
    assert "Hello 0!" == outcomes[0][0]
    assert 2 == server.count
    stored = [json.loads(path.read_text()) for path in recordings.glob("*.json")]
    assert {"/v1/models", "/v1/chat/completions"} == {document["request"]["endpoint"] for document in stored}
    assert all(document["response"].get("http") for document in stored), "each has the response that it got"
