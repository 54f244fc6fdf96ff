"""A task that is cancelled while it records a stream again: what was recorded before is there as it was."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import inference_recording

from ..conftest import HELLO
from ..support.openai_server import OpenAIServer, Reply, chunks

pytestmark = pytest.mark.usefixtures("sessions_are_runs")

CHAT = "/v1/chat/completions"
STREAMED: dict[str, Any] = HELLO | {"stream": True}


def events(text: str) -> Reply:
    return Reply(events=chunks(*text))


def states(directory: Path) -> dict[str, bytes]:
    """Return the recordings of a folder by name."""
    return {path.name: path.read_bytes() for path in directory.glob("*.json")}


Reading = Callable[[openai.AsyncOpenAI], Awaitable[None]]


async def waiting_between_chunks(client: openai.AsyncOpenAI) -> None:
    async for _ in await client.chat.completions.create(**STREAMED):
        await asyncio.sleep(60)


async def waiting_in_a_block(client: openai.AsyncOpenAI) -> None:
    async with await client.chat.completions.create(**STREAMED) as stream:
        async for _ in stream:
            await asyncio.sleep(60)


async def waiting_after_a_chunk(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(**STREAMED)
    await anext(stream)
    await asyncio.sleep(60)


async def waiting_with_a_name(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(**STREAMED)
    async for _ in stream:
        await asyncio.sleep(60)


async def waiting_for_a_chunk(client: openai.AsyncOpenAI) -> None:
    async for _ in await client.chat.completions.create(**STREAMED, seed=1):
        pass


async def waiting_for_a_line(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.with_streaming_response.create(**STREAMED, seed=1) as response:
        async for _ in response.iter_lines():
            pass


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def timed_out(task: asyncio.Task[None]) -> None:
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(task, 0)


@pytest.mark.parametrize("end", [cancelled, timed_out])
@pytest.mark.parametrize(
    "read",
    [waiting_between_chunks, waiting_in_a_block, waiting_with_a_name, waiting_for_a_chunk, waiting_for_a_line],
)
async def test_a_task_that_is_cancelled_replaces_nothing(
    read: Reading, end: Any, server: OpenAIServer, recordings: Path
) -> None:
    """The session goes on, and ends well: only the task was interrupted, in the middle of its stream."""
    server.scripts[CHAT] = lambda asked, number: (
        Reply(events=chunks(*"old")) if number < 2 else Reply(events=chunks(*"new"), pause_seconds=60 * (number > 2))
    )
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as client:
        with inference_recording("record", recordings):
            for seed in ({}, {"seed": 1}):
                async for _ in await client.chat.completions.create(**STREAMED, **seed):
                    pass
        before = states(recordings)
        server.scripts[CHAT] = lambda asked, number: Reply(
            events=chunks(*"new"), pause_seconds=60 if asked.json.get("seed") else 0
        )
        with inference_recording("record", recordings) as session:
            task = asyncio.ensure_future(read(client))
            while not session.requests or server.count != 3:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.05)  # its first chunk, where that comes; the outcome is the same without
            await end(task)
            del task
        gc.collect()

    assert before == states(recordings)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout came with Python 3.11")
@pytest.mark.parametrize(
    "read", [waiting_between_chunks, waiting_after_a_chunk, waiting_with_a_name, waiting_in_a_block]
)
async def test_a_timeout_inside_a_task_replaces_nothing(read: Reading, server: OpenAIServer, recordings: Path) -> None:
    """asyncio.timeout cancels the very task that goes on afterwards."""
    server.answers(CHAT, events("old"), events("new"))
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as client:
        with inference_recording("record", recordings):
            async for _ in await client.chat.completions.create(**STREAMED):
                pass
        before = states(recordings)
        with inference_recording("record", recordings):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await read(client)

    assert before == states(recordings)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("is_pulling", [False, True])
def test_a_cancelled_trio_task_replaces_nothing(
    is_pulling: bool, client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """Its cancellation is not an asyncio.CancelledError, and no task of asyncio shows it."""
    trio = pytest.importorskip("trio", reason="trio is not installed")
    server.answers(CHAT, events("old"), Reply(events=chunks(*"new"), pause_seconds=60 * is_pulling))
    with inference_recording("record", recordings):
        list(client.chat.completions.create(**STREAMED))
    before = states(recordings)

    async def read() -> None:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as async_client:
            if is_pulling:
                async for _ in await async_client.chat.completions.create(**STREAMED):
                    pass
            async with await async_client.chat.completions.create(**STREAMED) as stream:
                await anext(stream)
                await trio.sleep(60)

    async def main() -> None:
        with inference_recording("record", recordings):
            with trio.move_on_after(0.3):
                await read()

    trio.run(main)

    assert before == states(recordings)
