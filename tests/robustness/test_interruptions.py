"""Ctrl-C, an exit or a cancellation while recording again: what was recorded before is there as it was."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import IncompleteRecording, inference_recording

from ..conftest import HELLO, Colour, files_of
from ..sdk.ways.watching import entered
from ..support.openai_server import OpenAIServer, Reply, chunks, completion

pytestmark = pytest.mark.usefixtures("sessions_are_runs")

CHAT = "/v1/chat/completions"
STREAMED: dict[str, Any] = HELLO | {"stream": True}
MODES = ["record", "record-if-missing"]
INTERRUPTIONS = [KeyboardInterrupt, SystemExit, asyncio.CancelledError]


def events(text: str) -> Reply:
    return Reply(events=chunks(*text))


def states(directory: Path) -> dict[str, bytes]:
    """Return the recordings of a folder by name."""
    return {path.name: path.read_bytes() for path in directory.glob("*.json")}


def completeness(directory: Path) -> list[bool]:
    return [json.loads(content)["response"].get("is_complete", True) for content in states(directory).values()]


def take(sdk: Colour, stream: Any, count: int = 2) -> None:
    sdk.take(stream, count)


# Each leaves its stream by the interruption, as code of some kind does.


def named(sdk: Colour, error: type[BaseException]) -> None:
    stream = sdk.call("chat.completions.create", **STREAMED)
    take(sdk, stream)
    raise error


def unnamed(sdk: Colour, error: type[BaseException]) -> None:
    if sdk.is_async:
        sdk.wait(_unnamed_async(sdk, error))
    for _ in sdk.call("chat.completions.create", **STREAMED):
        raise error


async def _unnamed_async(sdk: Colour, error: type[BaseException]) -> None:
    async for _ in await sdk.client.chat.completions.create(**STREAMED):
        raise error


def in_block(sdk: Colour, error: type[BaseException]) -> None:
    if sdk.is_async:
        sdk.wait(_in_block_async(sdk, error))
    with sdk.call("chat.completions.create", **STREAMED) as stream:
        take(sdk, stream)
        raise error


async def _in_block_async(sdk: Colour, error: type[BaseException]) -> None:
    async with await sdk.client.chat.completions.create(**STREAMED) as stream:
        await anext(stream)
        raise error


def closed_finally(sdk: Colour, error: type[BaseException]) -> None:
    stream = sdk.call("chat.completions.create", **STREAMED)
    try:
        take(sdk, stream)
        raise error
    finally:
        sdk.wait(stream.close())


def closed_after_another_error(sdk: Colour, error: type[BaseException]) -> None:
    """As asyncio.timeout makes a TimeoutError of a cancellation."""
    stream = sdk.call("chat.completions.create", **STREAMED)
    take(sdk, stream)
    try:
        try:
            raise error
        except BaseException as interruption:
            raise TimeoutError from interruption
    finally:
        sdk.wait(stream.close())


def raw(sdk: Colour, error: type[BaseException]) -> None:
    stream = sdk.wait(sdk.call("chat.completions.with_raw_response.create", **STREAMED).parse())
    take(sdk, stream)
    raise error


def streamed_lines(sdk: Colour, error: type[BaseException]) -> None:
    if sdk.is_async:
        sdk.wait(_streamed_lines_async(sdk, error))
    with sdk.client.chat.completions.with_streaming_response.create(**STREAMED) as response:
        for _ in response.iter_lines():
            raise error


async def _streamed_lines_async(sdk: Colour, error: type[BaseException]) -> None:
    async with sdk.client.chat.completions.with_streaming_response.create(**STREAMED) as response:
        async for _ in response.iter_lines():
            raise error


def helped(sdk: Colour, error: type[BaseException]) -> None:
    helper = helper_of(sdk)
    if sdk.is_async:
        sdk.wait(_helped_async(helper, error))
    with helper(**HELLO) as stream:
        for _ in stream:
            raise error


async def _helped_async(helper: Any, error: type[BaseException]) -> None:
    async with helper(**HELLO) as stream:
        async for _ in stream:
            raise error


def read_whole(way: Any, sdk: Colour) -> None:
    """Make the request that `way` makes, and read its stream to the end."""

    if way is streamed_lines:
        with entered(sdk, sdk.client.chat.completions.with_streaming_response.create(**STREAMED)) as response:
            sdk.items(response.iter_lines())
    elif way is helped:
        with entered(sdk, helper_of(sdk)(**HELLO)) as stream:
            sdk.items(stream)
    else:
        sdk.items(sdk.call("chat.completions.create", **STREAMED))


def helper_of(sdk: Colour) -> Any:
    completions = sdk.client.chat.completions
    return (completions if hasattr(completions, "stream") else sdk.client.beta.chat.completions).stream


WAYS = [named, unnamed, in_block, closed_finally, closed_after_another_error, raw, streamed_lines, helped]


def record_before(way: Any, sdk: Colour, server: OpenAIServer, directory: Path) -> dict[str, bytes]:
    """Record three whole streams; the server answers otherwise from now on."""
    server.answers(CHAT, events("old"))
    with inference_recording("record", directory):
        for _ in range(3):
            read_whole(way, sdk)
    assert [True] * 3 == completeness(directory)
    server.answers(CHAT, Reply(events=chunks(*"new and longer"), pause_seconds=0.001))
    return states(directory)


@pytest.fixture
def recorded(sdk: Colour, server: OpenAIServer, recordings: Path) -> dict[str, bytes]:
    return record_before(named, sdk, server, recordings)


@pytest.mark.parametrize("interruption", INTERRUPTIONS)
@pytest.mark.parametrize("way", WAYS)
def test_an_interrupted_session_leaves_every_recording_as_it_was(
    way: Any, interruption: type[BaseException], sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Who stops a re-recording had half an answer where a whole one was, and no other answers of its series."""
    recorded = record_before(way, sdk, server, recordings)
    with pytest.raises((interruption, TimeoutError)):
        with inference_recording("record", recordings) as session:
            way(sdk, interruption)
    gc.collect()

    assert recorded == states(recordings)
    assert {} == session.counts


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", MODES)
def test_an_interrupted_stream_is_kept_where_nothing_is(
    way: Any, mode: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """It was paid for, and replays as far as it came."""
    server.answers(CHAT, Reply(events=chunks(*"new and longer"), pause_seconds=0.001))
    with pytest.raises((KeyboardInterrupt, TimeoutError)):
        with inference_recording(mode, recordings) as session:
            way(sdk, KeyboardInterrupt)
    gc.collect()

    assert {"recorded": 1} == session.counts
    assert 1 == len(files_of(recordings))


@pytest.mark.parametrize("way", [in_block, closed_finally, streamed_lines, helped])
def test_an_interruption_that_is_caught_inside_replaces_nothing_either(
    way: Any, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A server ends one request and goes on with the next; the series keeps the place of the first."""
    recorded = record_before(way, sdk, server, recordings)
    with inference_recording("record", recordings) as session:
        with suppress(KeyboardInterrupt):
            way(sdk, KeyboardInterrupt)
        read_whole(way, sdk)

    names = sorted(recorded, key=len)
    assert names[:1] == [name for name in recorded if states(recordings).get(name) == recorded[name]]
    assert {"recorded": 1} == session.counts
    assert 2 == len(files_of(recordings))


PROGRAM = """
    import asyncio, signal, sys
    import openai
    from inference_recorder import inference_recording

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    request = {request!r}

    def read():
        with openai.OpenAI(base_url={url!r}, api_key="x") as client:
            for _ in client.chat.completions.create(**request):
                print("a chunk", flush=True)

    async def read_async():
        async with openai.AsyncOpenAI(base_url={url!r}, api_key="x") as client:
            async for _ in await client.chat.completions.create(**request):
                print("a chunk", flush=True)

    with inference_recording("record", {directory!r}, test_id="t"):
        asyncio.run(read_async()) if {is_async} else read()
"""


@pytest.mark.quick_cases(2)
@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize(
    "is_there", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["recorded before", "nothing there"]
)
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("interruption", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "an exit"])
def test_a_signal_while_waiting_for_a_chunk_replaces_nothing(
    interruption: signal.Signals, is_async: bool, is_there: bool, server: OpenAIServer, recordings: Path
) -> None:
    """Where a program that is stopped by hand is nearly always found."""
    server.answers(CHAT, events("old"), Reply(events=chunks(*"new"), pause_seconds=60))
    with openai.OpenAI(base_url=server.base_url, api_key="x") as client:
        with inference_recording("record", recordings, test_id="t"):
            list(client.chat.completions.create(**STREAMED))
    before = states(recordings)
    if not is_there:
        next(recordings.glob("*.json")).unlink()
    program = PROGRAM.format(request=STREAMED, url=server.base_url, directory=str(recordings), is_async=is_async)
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(interruption)
    _, errors = process.communicate(timeout=60)

    assert "inference_recorder.errors" not in errors
    assert process.returncode in (7, -signal.SIGINT, 130)
    assert is_there == (before == states(recordings))
    assert [is_there] == completeness(recordings)


def test_a_session_left_by_an_error_keeps_what_it_did_not_come_to(
    sdk: Colour, recorded: dict[str, bytes], recordings: Path
) -> None:
    """A failing assertion after the first of three calls removed the recordings of the other two."""
    with pytest.raises(AssertionError), inference_recording("record", recordings):
        sdk.items(sdk.call("chat.completions.create", **STREAMED))
        raise AssertionError

    names = sorted(recorded)
    assert names == files_of(recordings)
    assert recorded[names[-1]] != states(recordings)[names[-1]]
    assert [recorded[name] for name in names[:-1]] == [states(recordings)[name] for name in names[:-1]]


def test_a_session_left_by_an_error_moves_no_answer_over_another(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """A call that failed left its place to what had been there; the next one's answer was moved over it."""
    with inference_recording("record", recordings):
        for _ in range(3):
            client.chat.completions.create(**HELLO)
    before = states(recordings)
    failing = Reply({"error": {"message": "down"}}, status=500)
    server.answers(CHAT, Reply(completion("one")), failing, Reply(completion("three")))
    with suppress(AssertionError), inference_recording("record", recordings, record_errors=False) as session:
        client.chat.completions.create(**HELLO)
        with suppress(openai.InternalServerError):
            client.chat.completions.create(**HELLO)
        client.chat.completions.create(**HELLO)
        raise AssertionError

    assert {"recorded": 2, "dropped": 1} == session.counts
    assert sorted(before) == files_of(recordings)


def test_a_session_that_ends_well_replaces_the_whole_series(
    sdk: Colour, recorded: dict[str, bytes], recordings: Path
) -> None:
    """As before: what the code under test no longer asks goes."""
    with inference_recording("record", recordings):
        sdk.items(sdk.call("chat.completions.create", **STREAMED))

    assert 1 == len(files_of(recordings))
    assert recorded.keys() > states(recordings).keys()


@pytest.mark.parametrize("is_read_on", [True, False])
def test_a_stream_left_by_a_break_replaces_what_was_there(
    is_read_on: bool, sdk: Colour, recorded: dict[str, bytes], recordings: Path
) -> None:
    """Leaving early is not an interruption: the next call, a look at the counts or the session's end stores it."""

    def leave() -> None:
        if sdk.is_async:
            sdk.wait(_left_async(sdk))
        else:
            for _ in sdk.call("chat.completions.create", **STREAMED):
                break

    with inference_recording("record", recordings) as session:
        leave()
        gc.collect()
        if is_read_on:
            sdk.items(sdk.call("chat.completions.create", **STREAMED))
            assert {"recorded": 2} == session.counts
        else:
            assert {"recorded": 1} == session.counts

    first = min(recorded, key=len)
    assert b'"is_complete": false' in states(recordings)[first]


async def _left_async(sdk: Colour) -> None:
    async for _ in await sdk.client.chat.completions.create(**STREAMED):
        break
    await asyncio.sleep(0)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_a_decorated_function_that_is_interrupted_replaces_nothing(
    interruption: type[BaseException], sdk: Colour, recorded: dict[str, bytes], recordings: Path
) -> None:
    """A decorator is left by the same exceptions as a block."""
    recorder = inference_recording("record", recordings)

    @recorder
    def function() -> None:
        unnamed(sdk, interruption)

    @recorder
    def generator() -> Iterator[int]:
        yield 1
        named(sdk, interruption)

    with pytest.raises(interruption):
        function()
    with pytest.raises(interruption):
        list(generator())
    gc.collect()

    assert recorded == states(recordings)


def test_a_stream_read_on_after_an_interrupted_session_is_stored_at_its_end(
    sdk: Colour, recorded: dict[str, bytes], recordings: Path
) -> None:
    """A whole answer is worth more than the one that was there; half of one is not."""
    streams = []
    with suppress(KeyboardInterrupt), inference_recording("record", recordings):
        streams.append(sdk.call("chat.completions.create", **STREAMED))
        take(sdk, streams[0], 1)
        raise KeyboardInterrupt
    after_the_session = states(recordings)
    sdk.items(streams[0])

    assert recorded == after_the_session
    assert [True] * 3 == completeness(recordings)
    assert recorded != states(recordings)


def test_what_is_kept_of_an_interrupted_stream_replays_as_far_as_it_came(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """As a stream does that was left."""
    with suppress(KeyboardInterrupt), inference_recording("record", recordings):
        named(sdk, KeyboardInterrupt)
    gc.collect()
    with inference_recording("replay", recordings):
        stream = sdk.call("chat.completions.create", **STREAMED)
        take(sdk, stream)
        with pytest.raises(IncompleteRecording):
            take(sdk, stream, 1)
