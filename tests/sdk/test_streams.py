"""Streams end in many ways; each is recorded exactly once and replays as it was."""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import IncompleteRecording, inference_recording

from ..conftest import HELLO, Colour, files_of
from ..support.openai_server import OpenAIServer, Reply, chunks

STREAMED: dict[str, Any] = HELLO | {"stream": True}
CHAT = "/v1/chat/completions"


def left_by_close(sdk: Colour, stream: Any) -> None:
    sdk.wait(stream.close())


def left_by_the_response(sdk: Colour, stream: Any) -> None:
    sdk.wait(stream.response.aclose() if sdk.is_async else stream.response.close())


def left_by_the_block(sdk: Colour, stream: Any) -> None:
    sdk.wait(stream.__aexit__(None, None, None) if sdk.is_async else stream.__exit__(None, None, None))


@pytest.mark.parametrize("leave", [left_by_close, left_by_the_response, left_by_the_block])
@pytest.mark.parametrize("taken", [0, 2])
def test_a_stream_left_early_is_recorded_once_and_replays_so_far(
    leave: Any, taken: int, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Closing after the first token is how chat UIs stop; llama-stack's recorder recorded what nobody had read."""
    with inference_recording("record", recordings) as session:
        stream = sdk.call("chat.completions.create", **STREAMED)
        recorded = sdk.take(stream, taken)
        leave(sdk, stream)
        leave(sdk, stream)
    assert {"recorded": 1} == session.counts

    with inference_recording("replay", recordings):
        stream = sdk.call("chat.completions.create", **STREAMED)
        replayed = sdk.take(stream, taken)
        with pytest.raises(IncompleteRecording, match=f"ends after {taken} chunks"):
            sdk.take(stream, 1)

    assert [_text(item) for item in recorded] == [_text(item) for item in replayed]
    assert 1 == server.count


def test_a_dropped_stream_is_recorded_once(sdk: Colour, recordings: Path) -> None:
    """Code that forgets to close its stream has still asked, and paid."""
    with inference_recording("record", recordings) as session:
        stream = sdk.call("chat.completions.create", **STREAMED)
        sdk.take(stream, 1)
        del stream
        gc.collect()
        if sdk.is_async:
            sdk.wait(_a_few_turns_of_the_loop())
        gc.collect()

    assert {"recorded": 1} == session.counts
    assert 1 == len(files_of(recordings))


def test_a_stream_still_open_when_the_context_is_left_is_recorded_then_and_at_its_end(
    sdk: Colour, recordings: Path
) -> None:
    """`break` in an `async for` leaves a stream that nobody has closed; a server may read on after its test."""
    with inference_recording("record", recordings) as session:
        stream = sdk.call("chat.completions.create", **STREAMED)
        sdk.take(stream, 2)
    with inference_recording("replay", recordings):
        replayed = sdk.call("chat.completions.create", **STREAMED)
        sdk.take(replayed, 2)
        with pytest.raises(IncompleteRecording):
            sdk.take(replayed, 1)
    rest = sdk.items(stream)
    with inference_recording("replay", recordings):
        whole = sdk.items(sdk.call("chat.completions.create", **STREAMED))

    assert {"recorded": 1} == session.counts
    assert 1 == len(files_of(recordings))
    assert 2 + len(rest) == len(whole)


async def test_a_cancelled_stream_is_recorded_so_far(server: OpenAIServer, recordings: Path) -> None:
    """A timeout around a stream cancels it between two chunks."""
    server.answers(CHAT, Reply(events=chunks("a", "b", "c", "d"), pause_seconds=0.1))
    got: list[str] = []

    async def read(client: openai.AsyncOpenAI) -> None:
        async for item in await client.chat.completions.create(**STREAMED):
            got.append(_text(item))

    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as client:
        with inference_recording("record", recordings) as session:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(read(client), 0.25)
            gc.collect()
        assert {"recorded": 1} == session.counts
        with inference_recording("replay", recordings):
            replayed: list[str] = []
            with pytest.raises(IncompleteRecording):
                async for item in await client.chat.completions.create(**STREAMED):
                    replayed.append(_text(item))

    assert got == replayed
    assert ["", "a"] == got[:2]


def test_a_cancelled_plain_call_leaves_no_recording_and_no_place(server: OpenAIServer, recordings: Path) -> None:
    """What was never answered cannot be replayed; the next answer is the first."""
    server.answers(CHAT, Reply(events=chunks("never"), delay_seconds=5), Reply(events=chunks("second")))

    async def main() -> Any:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as client:
            with inference_recording("record", recordings) as session:
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(client.chat.completions.create(**STREAMED), 0.1)
                async for _ in await client.chat.completions.create(**STREAMED):
                    pass
            return session.counts

    assert {"recorded": 1} == asyncio.run(main())
    [name] = files_of(recordings)
    assert 69 == len(name)


def test_a_stream_that_fails_half_way_replays_its_chunks_and_then_the_failure(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Overload often strikes after the first tokens, as an error event in the stream."""
    failure = {"error": {"message": "The server is overloaded.", "type": "server_error", "code": "overloaded"}}
    server.answers(CHAT, Reply(events=[*chunks("so", "far")[:3], failure]))
    outcomes = []
    for mode in ("record", "replay"):
        with inference_recording(mode, recordings, record_errors=True) as session:
            stream = sdk.call("chat.completions.create", **STREAMED)
            texts = [_text(item) for item in sdk.take(stream, 3)]
            with pytest.raises(openai.APIError) as caught:
                sdk.take(stream, 1)
        assert 1 == sum(session.counts.values())
        outcomes.append((texts, type(caught.value), caught.value.message, caught.value.code, caught.value.body))

    recorded, replayed = outcomes
    assert (["", "so", "far"], openai.APIError, "The server is overloaded.", "overloaded") == recorded[:4]
    assert recorded == replayed


def test_a_connection_that_breaks_in_a_stream_breaks_again_in_replay(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """SDKs before 3 let the HTTP library's own error through there, later ones wrap it; replay raises the same."""
    server.answers(CHAT, Reply(events=chunks("so", "far"), breaks=True))
    outcomes = []
    for mode in ("record", "replay"):
        with inference_recording(mode, recordings, record_errors=True):
            stream = sdk.call("chat.completions.create", **STREAMED)
            got: list[str] = []
            with pytest.raises(Exception) as caught:  # noqa: PT011 - the class is compared below
                while True:
                    got.append(_text(sdk.take(stream, 1)[0]))
        outcomes.append((got, type(caught.value), str(caught.value)))

    recorded, replayed = outcomes
    assert recorded == replayed
    assert ["", "so", "far"] == recorded[0][:3]
    assert not issubclass(recorded[1], (StopIteration, StopAsyncIteration))


def test_record_if_missing_asks_again_after_a_broken_stream(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Half an answer is kept only where the caller wants failures kept."""
    server.answers(CHAT, Reply(events=chunks("so"), breaks=True), Reply(events=chunks("whole")))
    with inference_recording("record-if-missing", recordings):
        with pytest.raises(Exception):  # noqa: B017, PT011 - which class depends on the SDK's age
            sdk.items(sdk.call("chat.completions.create", **STREAMED))
        texts = [_text(item) for item in sdk.items(sdk.call("chat.completions.create", **STREAMED))]

    assert "whole" == "".join(texts)


def test_chunks_reach_the_consumer_while_the_server_still_sends(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """llama-stack's recorder, vcrpy and cassetter hand over the first chunk after the last has come."""
    server.answers(CHAT, Reply(events=chunks(*"abcdefgh"), pause_seconds=0.05))
    with inference_recording("record", recordings):
        stream = sdk.call("chat.completions.create", **STREAMED)
        sdk.take(stream, 1)
        begun = time.perf_counter()
        sdk.items(stream)

    # Eleven pauses of 50 ms came after the first chunk, where a recorder that hoards has none.
    assert time.perf_counter() - begun > 0.25


def test_a_consumer_that_changes_a_chunk_does_not_change_the_recording(sdk: Colour, recordings: Path) -> None:
    """Frameworks merge chunks in place."""
    with inference_recording("record", recordings):
        stream = sdk.call("chat.completions.create", **STREAMED)
        for item in [sdk.take(stream, 1)[0] for _ in range(3)]:
            item.choices[0].delta.content = "changed"
        sdk.items(stream)
    with inference_recording("replay", recordings):
        texts = [_text(item) for item in sdk.items(sdk.call("chat.completions.create", **STREAMED))]

    assert "Hello!" == "".join(texts)


def test_messages_appended_during_the_call_are_no_part_of_the_request(sdk: Colour, recordings: Path) -> None:
    """Agents append the answer to the very list they sent."""
    messages = [dict(HELLO["messages"][0])]
    with inference_recording("record", recordings):
        stream = sdk.call("chat.completions.create", model="m", messages=messages, stream=True)
        messages.append({"role": "assistant", "content": "Hello!"})
        sdk.items(stream)
    with inference_recording("replay", recordings) as session:
        sdk.items(sdk.call("chat.completions.create", model="m", messages=messages[:1], stream=True))

    assert {"replayed": 1} == session.counts
    assert "assistant" not in next(recordings.glob("*.json")).read_text().partition('"response"')[0]


def test_the_stream_helper_replays_its_events(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """`chat.completions.stream()` is `create(stream=True)` below; pydantic-ai and others build on it."""

    def events() -> list[str]:
        manager = sdk.client.chat.completions.stream(**HELLO)
        stream = sdk.wait(manager.__aenter__()) if sdk.is_async else manager.__enter__()
        kinds = [event.type for event in sdk.items(stream)]
        final = sdk.wait(stream.get_final_completion())
        sdk.wait(stream.close())
        return [*kinds, final.choices[0].message.content]

    if not hasattr(sdk.client.chat.completions, "stream"):
        pytest.skip("this SDK has the helper in beta")
    with inference_recording("record", recordings) as session:
        recorded = events()
    with inference_recording("replay", recordings):
        replayed = events()

    assert {"recorded": 1} == session.counts
    assert recorded == replayed
    assert "Hello!" == recorded[-1]
    assert 1 == server.count


def test_a_raw_streamed_call_replays_through_both_targets(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """langchain streams through `with_raw_response`."""
    with inference_recording("record", recordings):
        raw = sdk.call("chat.completions.with_raw_response.create", **STREAMED)
        recorded = [_text(item) for item in sdk.items(raw.parse())]
    with inference_recording("replay", recordings) as session:
        raw = sdk.call("chat.completions.with_raw_response.create", **STREAMED)
        replayed = [_text(item) for item in sdk.items(raw.parse())]
        plain = [_text(item) for item in sdk.items(sdk.call("chat.completions.create", **STREAMED))]

    assert "Hello!" == "".join(recorded)
    assert recorded == replayed == plain
    assert {"replayed": 2} == session.counts
    assert 1 == server.count


def test_the_events_below_a_replayed_stream_can_be_read_too(sdk: Colour, recordings: Path) -> None:
    """Proxies pass on the server's own events instead of the SDK's objects."""
    events = []
    for mode in ("record", "replay"):
        with inference_recording(mode, recordings):
            stream = sdk.call("chat.completions.create", **STREAMED)
            if mode == "record":
                sdk.items(stream)
            else:
                events = sdk.items(stream._iter_events())

    assert "[DONE]" == events[-1].data
    assert "Hel" in events[1].data


def test_closing_a_replayed_stream_ends_it(sdk: Colour, recordings: Path) -> None:
    """A stop button must stop in replay too."""
    with inference_recording("record", recordings):
        sdk.items(sdk.call("chat.completions.create", **STREAMED))
    with inference_recording("replay", recordings):
        stream = sdk.call("chat.completions.create", **STREAMED)
        sdk.take(stream, 1)
        sdk.wait(stream.close())

        assert [] == sdk.items(stream)
        assert stream.response.is_closed


def _text(item: Any) -> str:
    return item.choices[0].delta.content or "" if item.choices else ""


async def _a_few_turns_of_the_loop() -> None:
    for _ in range(5):
        await asyncio.sleep(0.01)
