"""Streams of unusual servers: with events that are not JSON, with and without [DONE]."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from inference_recorder import IncompleteRecording, inference_recording

from ...conftest import HELLO, Colour
from ...support.differences import differences
from ...support.openai_server import OpenAIServer, Reply, chunk
from .watching import Use, entered, parsed_line, stable

# The SDK drops its generators where an event cannot be parsed, and asyncio may be closing one that is collected then.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

STREAM = "text/event-stream"
FIRST, SECOND = (f"data: {json.dumps(chunk({'content': word}))}\n\n".encode() for word in ("Hel", "lo"))
DONE = b"data: [DONE]\n\n"
NAMED = b'event: response.output_text.delta\ndata: {"type": "response.output_text.delta", "delta": "x"}\n\n'
COMPLETED = b'event: response.completed\ndata: {"type": "response.completed", "response": {"id": "resp_1"}}\n\n'
FAILED = b'data: {"error": {"message": "no more", "code": "busy"}}\n\n'


def streamed_by_method(sdk: Colour) -> list[Any]:
    return consumed(sdk, sdk.call("chat.completions.create", **HELLO, stream=True))


def streamed_by_raw_response(sdk: Colour) -> list[Any]:
    return consumed(sdk, sdk.call("chat.completions.with_raw_response.create", **HELLO, stream=True).parse())


def streamed_by_post(sdk: Colour) -> list[Any]:
    kind = (openai.AsyncStream if sdk.is_async else openai.Stream)[ChatCompletionChunk]
    body = HELLO | {"stream": True}
    stream = sdk.call("post", "/chat/completions", body=body, cast_to=object, stream=True, stream_cls=kind)
    return consumed(sdk, stream)


def lines_of_the_response(sdk: Colour) -> list[Any]:
    manager = sdk.client.chat.completions.with_streaming_response.create(**HELLO, stream=True)
    with entered(sdk, manager) as response:
        return [stable(parsed_line(line)) for line in sdk.items(response.iter_lines())]


def consumed(sdk: Colour, stream: Any) -> list[Any]:
    """Return what a consumer sees of a stream: its chunks, and the error that it ends with."""
    seen: list[Any] = []
    while True:
        try:
            seen += sdk.take(stream, 1)
        except (StopIteration, StopAsyncIteration):
            return stable(seen)
        except (openai.APIError, ValueError) as error:
            return [*stable(seen), type(error), str(error)]


PARSERS: dict[str, Callable[[Colour], list[Any]]] = {
    "method": streamed_by_method,
    "raw": streamed_by_raw_response,
    "post": streamed_by_post,
}
READERS = PARSERS | {"lines": lines_of_the_response}


def assert_replays(recorded_by: Use, replayed_by: Use, sdk: Colour, recordings: Path) -> Any:
    """Assert that a stream comes to the same live, recorded and replayed; returns what it came to live."""
    recorded_live, replayed_live = recorded_by(sdk), replayed_by(sdk)
    with inference_recording("record", recordings):
        recorded = recorded_by(sdk)
    with inference_recording("replay", recordings):
        replayed = replayed_by(sdk)

    assert [] == differences(recorded_live, recorded)
    assert [] == differences(replayed_live, replayed)
    return replayed_live


NOT_JSON = {
    "text": b"data: OPENROUTER PROCESSING\n\n",
    "cut off": b'data: {"id": "chatcmpl-1", "obj\n\n',
    "nothing": b"data: \n\n",
    "in two lines": b"data: first\ndata: second\n\n",
    "with a name": b"event: ping\ndata: now\n\n",
    "umlauts": "data: später\n\n".encode(),
    "two values": b"data: {} {}\n\n",
}


@pytest.mark.parametrize("data", NOT_JSON)
@pytest.mark.parametrize("before", [b"", FIRST, FIRST + SECOND], ids=["first", "second", "third"])
@pytest.mark.parametrize(
    ("recorded_by", "replayed_by"),
    [
        pytest.param(one, other, id=f"{one}, replayed by {other}")
        for one in READERS
        for other in READERS
        if (one, other) != ("method", "lines")
    ],
)
def test_an_event_that_is_not_json_replays_as_it_came(
    recorded_by: str, replayed_by: str, before: bytes, data: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The SDK raises there; code that copes with it, and code that reads the lines itself, meets it again."""
    content = before + NOT_JSON[data] + SECOND + DONE
    server.answers("/v1/chat/completions", Reply(content=content, media_type=STREAM))

    live = assert_replays(READERS[recorded_by], READERS[replayed_by], sdk, recordings)

    assert replayed_by == "lines" or json.JSONDecodeError in live


def test_lines_after_an_event_that_ended_the_recorded_stream_are_missing(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The SDK stopped reading there: what the server sent then is not known."""
    content = FIRST + NOT_JSON["text"] + SECOND + DONE
    server.answers("/v1/chat/completions", Reply(content=content, media_type=STREAM))
    with inference_recording("record", recordings):
        streamed_by_method(sdk)

    with inference_recording("replay", recordings), pytest.raises(IncompleteRecording):
        lines_of_the_response(sdk)


STREAMS: dict[str, Sequence[bytes]] = {
    "nothing": [],
    "one chunk": [FIRST],
    "two chunks": [FIRST, SECOND],
    "named events": [NAMED, COMPLETED],
    "named events without an end": [NAMED, NAMED],
    "an error": [FIRST, FAILED],
}


@pytest.mark.parametrize("end", [b"", DONE], ids=["no [DONE]", "[DONE]"])
@pytest.mark.parametrize("events", STREAMS)
@pytest.mark.parametrize("recorded_by", ["raw", "post", "lines"])
def test_the_lines_of_a_stream_end_as_the_server_ended_them(
    recorded_by: str, events: str, end: bytes, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A reader of the lines treats [DONE] as the end; its absence is what a test of a broken server is about."""
    content = b"".join(STREAMS[events]) + end
    server.answers("/v1/chat/completions", Reply(content=content, media_type=STREAM))

    live = assert_replays(READERS[recorded_by], lines_of_the_response, sdk, recordings)

    assert bool(end) == (live[-2:-1] == ["data: [DONE]"])


@pytest.mark.parametrize(
    ("events", "end", "member"),
    [
        ("two chunks", DONE, None),
        ("two chunks", b"", False),
        ("named events", b"", None),
        ("named events", DONE, True),
        ("an error", b"", None),
        ("an error", DONE, True),
    ],
)
def test_a_recording_says_only_how_its_end_is_unusual(
    events: str, end: bytes, member: bool | None, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """What every server does needs no member, and older recordings have none."""
    content = b"".join(STREAMS[events]) + end
    server.answers("/v1/chat/completions", Reply(content=content, media_type=STREAM))

    with inference_recording("record", recordings):
        lines_of_the_response(sdk)

    [path] = recordings.glob("*.json")
    assert member == json.loads(path.read_text())["response"].get("ends_with_done")


def test_lines_after_an_event_that_is_not_json_replay_to_a_reader_of_lines(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Such a reader goes on, so the rest of the stream belongs to its recording."""
    content = FIRST + NOT_JSON["text"] + SECOND + DONE
    server.answers("/v1/chat/completions", Reply(content=content, media_type=STREAM))

    live = assert_replays(lines_of_the_response, lines_of_the_response, sdk, recordings)

    assert "data: OPENROUTER PROCESSING" in live
    assert "data: [DONE]" in live
    assert 2 == sum("chat.completion.chunk" in str(line) for line in live)
