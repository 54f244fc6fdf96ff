"""The SDK's retries: done while recording, never in replay; and a missing recording, which nothing may hide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import MissingRecording, inference_recording

from ...conftest import HELLO, Colour, files_of
from ...support.differences import differences
from ...support.openai_server import OpenAIServer, Reply, error
from .asking import plain, posted, raw, streamed
from .watching import Use, entered, skip_without, stable, used

pytestmark = pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning")

ASK: dict[str, Any] = {"model": "gpt-4o", "input": "Say hello."}
RUN = {"thread_id": "thread_1", "assistant_id": "asst_1"}


def streaming_response(sdk: Colour) -> Any:
    with entered(sdk, sdk.client.chat.completions.with_streaming_response.create(**HELLO)) as response:
        return sdk.wait(response.parse())


def parsed(sdk: Colour) -> Any:
    return sdk.call("chat.completions.parse", **HELLO)


def stream_helper(sdk: Colour) -> Any:
    with entered(sdk, sdk.client.chat.completions.stream(**HELLO)) as stream:
        return sdk.items(stream)


ASKING_CHAT: dict[str, Use] = {
    "plain": plain,
    "streamed": streamed,
    "raw": raw,
    "streaming response": streaming_response,
    "client.post": posted,
    "parse": parsed,
    "stream helper": stream_helper,
}
_NEEDS = {"parse": "chat.completions.parse", "stream helper": "chat.completions.stream"}
_SOON = {"retry-after-ms": "1"}


@pytest.fixture
def asking(request: pytest.FixtureRequest, sdk: Colour) -> Use:
    name: str = request.param
    skip_without(sdk, _NEEDS.get(name, ""))
    return ASKING_CHAT[name]


@pytest.fixture
def retrying(sdk: Colour, with_client: Callable[[Any], Colour], server: OpenAIServer) -> Colour:
    return with_client(type(sdk.client)(base_url=server.base_url, api_key="sk-test", max_retries=3))


@pytest.mark.parametrize(
    ("asking", "mode"),
    [*((name, "record") for name in ASKING_CHAT), ("plain", "record-if-missing"), ("raw", "record-if-missing")],
    indirect=["asking"],
)
def test_a_call_that_was_retried_is_one_recording_of_what_it_came_to(
    asking: Use, mode: str, retrying: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Two recorded failures before the answer would fail twice in every replay."""
    usual = server.scripts["/v1/chat/completions"]

    def third_time_lucky(asked: Any, number: int) -> Reply:
        failed = error(500)
        failed.headers |= _SOON
        return failed if number < 2 else usual(asked, number)

    server.scripts["/v1/chat/completions"] = third_time_lucky
    with inference_recording(mode, recordings) as session:
        recorded = used(asking, retrying, server)
    assert 3 == server.count
    assert {"recorded": 1} == session.counts
    assert 1 == len(files_of(recordings))

    with inference_recording("replay", recordings):
        replayed = asking(retrying)
    assert 3 == server.count
    assert [] == differences(stable(recorded), stable(replayed))


@pytest.mark.parametrize("asking", ASKING_CHAT, indirect=True)
def test_a_recorded_rate_limit_is_raised_at_once_in_replay(
    asking: Use, sdk: Colour, retrying: Colour, server: OpenAIServer, recordings: Path, slept: list[float]
) -> None:
    """Retrying a recording gives the same again, a minute later."""
    server.answers("/v1/chat/completions", error(429, "Slow down.", code="rate_limit", retry_after="60"))
    with inference_recording("record", recordings, record_errors=True):
        with pytest.raises(openai.RateLimitError) as recorded:
            asking(sdk)
    server.received.clear()
    with inference_recording("replay", recordings) as session, pytest.raises(openai.RateLimitError) as replayed:
        asking(retrying)

    assert 0 == sum(slept)
    assert 0 == server.count
    assert {"replayed": 1} == session.counts
    for name in ("message", "code", "body", "status_code", "request_id"):
        assert getattr(recorded.value, name) == getattr(replayed.value, name)
    assert "60" == replayed.value.response.headers["retry-after"]


@pytest.mark.parametrize("max_retries", [0, 2])
def test_a_call_whose_retries_all_fail_is_one_recording(
    max_retries: int, sdk: Colour, with_client: Callable[[Any], Colour], server: OpenAIServer, recordings: Path
) -> None:
    """What the caller saw was one failure."""
    failed = error(503)
    failed.headers |= _SOON
    server.answers("/v1/chat/completions", failed)
    ours = with_client(type(sdk.client)(base_url=server.base_url, api_key="x", max_retries=max_retries))
    for mode in ("record", "replay"):
        with inference_recording(mode, recordings, record_errors=True), pytest.raises(openai.InternalServerError):
            plain(ours)

    assert 1 + max_retries == server.count
    assert 1 == len(files_of(recordings))


def polling(sdk: Colour) -> Any:
    return sdk.call("beta.threads.runs.create_and_poll", **RUN, poll_interval_ms=1)


def assistants_stream(sdk: Colour) -> Any:
    with entered(sdk, sdk.client.beta.threads.runs.stream(**RUN)) as stream:
        return sdk.items(stream)


def raw_stream(sdk: Colour) -> Any:
    return sdk.items(sdk.call("chat.completions.with_raw_response.create", **HELLO, stream=True).parse())


def responses_stream(sdk: Colour) -> Any:
    with entered(sdk, sdk.client.responses.stream(**ASK)) as stream:
        return sdk.items(stream)


def speech_response(sdk: Colour) -> Any:
    manager = sdk.client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input="Hi")
    with entered(sdk, manager) as response:
        return sdk.wait(response.read())


MISSING: dict[str, Use] = ASKING_CHAT | {
    "completions": lambda sdk: sdk.call("completions.create", model="m", prompt="Hi"),
    "embeddings": lambda sdk: sdk.call("embeddings.create", model="m", input="Hi"),
    "responses": lambda sdk: sdk.call("responses.create", **ASK),
    "responses.stream": responses_stream,
    "raw stream": raw_stream,
    "models list, awaited": lambda sdk: sdk.call("models.list"),
    "models list, iterated": lambda sdk: sdk.items(sdk.client.models.list()),
    "model": lambda sdk: sdk.call("models.retrieve", "gpt-4o"),
    "files list, awaited": lambda sdk: sdk.call("files.list"),
    "files list, iterated": lambda sdk: sdk.items(sdk.client.files.list()),
    "raw list": lambda sdk: sdk.call("files.with_raw_response.list"),
    "upload": lambda sdk: sdk.call("files.create", file=("a.txt", b"abc"), purpose="assistants"),
    "upload in parts": lambda sdk: sdk.call("uploads.parts.create", "upload_1", data=b"abc"),
    "transcription": lambda sdk: sdk.call("audio.transcriptions.create", file=("a.wav", b"abc"), model="m"),
    "speech": lambda sdk: sdk.call("audio.speech.create", model="tts-1", voice="alloy", input="Hi"),
    "speech, streamed": speech_response,
    "file content": lambda sdk: sdk.call("files.content", "file-small"),
    "deletion": lambda sdk: sdk.call("files.delete", "file-1"),
    "polling": polling,
    "assistants' stream": assistants_stream,
    "client.get": lambda sdk: sdk.call("get", "/odd", cast_to=object),
    "client.delete": lambda sdk: sdk.call("delete", "/odd", cast_to=object),
    "with_options": lambda sdk: sdk.wait(sdk.client.with_options(max_retries=5).chat.completions.create(**HELLO)),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_recording_is_raised_as_it_is_at_once_and_remembered(
    name: str, retrying: Colour, server: OpenAIServer, recordings: Path, slept: list[float]
) -> None:
    """Wrapped in APIConnectionError it is retried and then swallowed; the session tells of it all the same."""
    skip_without(retrying, _NEEDS.get(name, ""))
    with inference_recording("replay", recordings) as session:
        try:
            MISSING[name](retrying)
        except Exception as swallowed:  # as agents do
            raised = swallowed

    assert MissingRecording is type(raised)
    assert raised.__cause__ is None
    assert {"missed": 1} == session.counts
    assert raised.key == session.missed[0].key
    assert 0 == server.count
    assert 0 == sum(slept)


def test_a_missing_second_page_is_raised(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """A list that ends early in silence would be a wrong answer."""
    with inference_recording("record", recordings):
        page = sdk.call("files.list")
    server.received.clear()
    with inference_recording("replay", recordings) as session:
        items = sdk.client.files.list()
        with pytest.raises(MissingRecording):
            sdk.items(items)

    assert page.has_next_page()
    assert {"replayed": 1, "missed": 1} == session.counts
    assert 0 == server.count


def test_a_miss_within_a_sync_upload_helper_is_raised(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """The helper uploads in threads of its own, which have no context; the session of the process is theirs."""
    skip_without(sdk, "vector_stores.file_batches.upload_and_poll")
    with inference_recording("replay", recordings) as session, pytest.raises(MissingRecording):
        sdk.call("vector_stores.file_batches.upload_and_poll", "vs_1", files=[("a.txt", b"abc")])

    assert {"missed": 1} == session.counts
    assert 0 == server.count
