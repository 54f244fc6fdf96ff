"""An async call belongs to the session in which it was made, whenever it is awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai._models import FinalRequestOptions

from inference_recorder import ClosedSession, inference_recording

from ..conftest import HELLO, AsyncColour
from ..support.openai_server import OpenAIServer, ReceivedRequest, Reply, default_reply
from .ways.watching import skip_without

STREAMED = {**HELLO, "stream": True}


async def _listed(pages: Any) -> list[str]:
    return [model.id async for model in pages]


async def _read(call: Awaitable[Any]) -> int:
    return len([chunk async for chunk in await call])


async def _entered(manager: Any) -> str:
    async with manager as response:
        return str(type(response).__name__)


async def _awaited(call: Awaitable[Any]) -> Any:
    return await call


WAYS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "create": lambda client: client.chat.completions.create(**HELLO),
    "stream": lambda client: _read(client.chat.completions.create(**STREAMED)),
    "stream helper": lambda client: _entered(client.chat.completions.stream(**HELLO)),
    "streaming response": lambda client: _entered(client.chat.completions.with_streaming_response.create(**HELLO)),
    "models.list": lambda client: client.models.list(),
    "async for": lambda client: _listed(client.models.list()),
    "post": lambda client: client.post("/chat/completions", body=HELLO, cast_to=object),
    "get": lambda client: client.get("/models", cast_to=object),
    "request": lambda client: client.request(
        object, FinalRequestOptions.construct(method="post", url="/chat/completions", json_data=HELLO)
    ),
    "raw response": lambda client: client.chat.completions.with_raw_response.create(**HELLO),
    "raw stream": lambda client: client.chat.completions.with_raw_response.create(**STREAMED),
    "raw list": lambda client: client.models.with_raw_response.list(),
    "outside the table": lambda client: client.models.retrieve("gpt-4o"),
    "outside the table, decorated": lambda client: client.audio.transcriptions.create(
        model="whisper-1", file=("a.wav", b"sound")
    ),
    "outside the table, raw": lambda client: client.batches.with_raw_response.retrieve("b"),
    "outside the table, streaming response": lambda client: _entered(client.files.with_streaming_response.content("f")),
    "outside the table, async for": lambda client: _listed(client.batches.list()),
}


def _reply(asked: ReceivedRequest, number: int) -> Reply:
    page = {"id": "any", "object": "list", "data": [{"id": "any"}], "has_more": False, "text": "any"}
    reply = default_reply(asked, number)
    return Reply(page) if reply.status == 404 else reply


@pytest.fixture
def sdk(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[AsyncColour]:
    """The async SDK, on an event loop of its own."""
    monkeypatch.setattr(server, "elsewhere", _reply)
    colour = AsyncColour(server.base_url)
    yield colour
    colour.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["replay", "record", "record-if-missing"])
def test_a_call_that_is_awaited_after_its_session_is_not_sent(
    way: str, mode: str, sdk: AsyncColour, server: OpenAIServer, recordings: Path
) -> None:
    """Nothing would answer or record it, and the counts would not show it."""
    skip_without(sdk, "chat.completions.stream" if way == "stream helper" else "")

    async def main() -> None:
        with inference_recording("record", recordings):
            await WAYS[way](sdk.client)
        sent = server.count
        with inference_recording(mode, recordings) as session:
            call = WAYS[way](sdk.client)
        with pytest.raises(ClosedSession, match="is awaited; nothing was sent") as caught:
            await call
        assert (mode, recordings, sent, {}) == (caught.value.mode, caught.value.directory, server.count, session.counts)
        with inference_recording("replay", recordings) as session:
            await WAYS[way](sdk.client)
        assert ({"replayed": 1}, sent) == (session.counts, server.count)

    sdk.wait(main())


@pytest.mark.parametrize(
    "way",
    [
        "create",
        "models.list",
        "post",
        "request",
        "raw response",
        "outside the table",
        "outside the table, raw",
        "outside the table, async for",
    ],
)
def test_a_call_belongs_to_the_session_in_which_it_was_made(
    way: str, sdk: AsyncColour, server: OpenAIServer, recordings: Path
) -> None:
    """An inner session that is open when it is awaited has another directory or mode."""

    async def main() -> None:
        with inference_recording("record", recordings) as outer:
            call = WAYS[way](sdk.client)
            with inference_recording("replay", recordings / "inner") as inner:
                await call
            before, task = WAYS[way](sdk.client), asyncio.ensure_future(_awaited(WAYS[way](sdk.client)))
            await asyncio.gather(before, task)
        assert ({"recorded": 3}, {}) == (outer.counts, inner.counts)

    sdk.wait(main())


def test_a_session_around_it_answers_once_its_own_is_closed(
    sdk: AsyncColour, server: OpenAIServer, recordings: Path
) -> None:
    """As it would answer a call made there; but a call made in replay is never recorded for it."""

    async def main() -> None:
        with inference_recording("record-if-missing", recordings) as outer:
            with inference_recording("record-if-missing", recordings / "inner"):
                call = WAYS["create"](sdk.client)
            await call
            with inference_recording("replay", recordings / "inner"):
                call = WAYS["create"](sdk.client)
            with pytest.raises(ClosedSession):
                await call
        with inference_recording("replay", recordings) as replaying:
            with inference_recording("record", recordings / "inner"):
                call = WAYS["create"](sdk.client)
            await call
        with inference_recording("live"):
            call = WAYS["create"](sdk.client)
        await call
        assert ({"recorded": 1}, {"replayed": 1}, 2) == (outer.counts, replaying.counts, server.count)

    sdk.wait(main())


def test_a_call_made_outside_belongs_to_the_session_in_which_it_is_awaited(
    sdk: AsyncColour, server: OpenAIServer, recordings: Path
) -> None:
    """Nothing else keeps it from being sent in replay."""

    async def main() -> None:
        calls = [WAYS[way](sdk.client) for way in ("create", "post")]
        with inference_recording("record", recordings) as session:
            for call in calls:
                await call
        assert ({"recorded": 2}, 2) == (session.counts, server.count)

    sdk.wait(main())
