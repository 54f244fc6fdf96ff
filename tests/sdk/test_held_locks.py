"""Answers that arrive while another writer holds the lock of their recording."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest

from inference_recorder import inference_recording
from inference_recorder.storage.locks import Locks

from ..conftest import HELLO, files_of
from ..support.openai_server import OpenAIServer


@pytest.mark.parametrize("is_streaming", [False, True], ids=["plain", "streamed"])
async def test_an_async_answer_is_kept_when_another_writer_holds_its_lock(
    is_streaming: bool, sessions_are_runs: None, server: OpenAIServer, recordings: Path
) -> None:
    """The event loop must not wait for the lock, and the answer must not be lost."""
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as client:
        with inference_recording("record", recordings):
            await create(client, is_streaming)
        [name] = files_of(recordings)
        (recordings / name).unlink()

        with inference_recording("record", recordings) as session:
            with held_by_another_writer(recordings, name.removesuffix(".json")):
                call = asyncio.create_task(create(client, is_streaming))
                finished, _ = await asyncio.wait({call}, timeout=0.5)
                stored_meanwhile = files_of(recordings)
            await call
            stored = files_of(recordings)

    assert not finished, "the call waits for the lock"
    assert [] == stored_meanwhile
    assert [name] == stored, "stored when the call returns, not only when the session ends"
    assert {"recorded": 1} == session.counts


async def create(client: openai.AsyncOpenAI, is_streaming: bool) -> None:
    if is_streaming:
        async for _ in await client.chat.completions.create(**HELLO, stream=True):
            pass
    else:
        await client.chat.completions.create(**HELLO)


@contextmanager
def held_by_another_writer(directory: Path, name: str) -> Iterator[None]:
    is_held, may_release = threading.Event(), threading.Event()

    def hold() -> None:
        with Locks(directory).writing(name):
            is_held.set()
            may_release.wait()

    writer = threading.Thread(target=hold)
    writer.start()
    try:
        is_held.wait()
        yield
    finally:
        may_release.set()
        writer.join()
