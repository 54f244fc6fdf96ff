"""fastapi: a server under test that eight tests call at once, each with its own recordings."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI, OpenAI

from inference_recorder import test_id_context
from inference_recorder.asgi import TestIdMiddleware, event_hooks

from ...support.loopback import serve
from .questions import API_KEY, MODEL, QUESTION

ASK: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}]}
TESTS = [f"test_it.py::test_it[{number}]" for number in range(8)]


def plain(base_url: str) -> Any:
    return _answers(base_url, "/async")


def plain_in_thread(base_url: str) -> Any:
    return _answers(base_url, "/sync")


def plain_in_background(base_url: str) -> Any:
    return _answers(base_url, "/background")


def streamed(base_url: str) -> Any:
    return _answers(base_url, "/stream")


def _answers(base_url: str, path: str) -> Any:
    """Return what each test gets that asks the same twice, all of them at once."""
    begin = threading.Barrier(len(TESTS))

    def run(test_id: str) -> list[str]:
        with test_id_context(test_id), httpx.Client(base_url=url, event_hooks=event_hooks(), timeout=60) as client:
            answers = []
            for _ in range(2):
                begin.wait(60)
                answers.append(client.get(path).raise_for_status().text)
            return answers

    with serve(_app(base_url)) as url, ThreadPoolExecutor(len(TESTS)) as pool:
        return list(pool.map(run, TESTS))


def _app(base_url: str) -> FastAPI:
    app = FastAPI()
    app.add_middleware(TestIdMiddleware)
    sync_client, client = OpenAI(base_url=base_url, api_key=API_KEY), AsyncOpenAI(base_url=base_url, api_key=API_KEY)

    async def ask() -> str | None:
        return (await client.chat.completions.create(**ASK)).choices[0].message.content

    @app.get("/async")
    async def asked() -> str | None:
        return await ask()

    @app.get("/sync")
    def asked_in_thread() -> str | None:
        return sync_client.chat.completions.create(**ASK).choices[0].message.content

    @app.get("/background")
    async def asked_in_background(tasks: BackgroundTasks) -> str:
        tasks.add_task(ask)
        return "soon"

    @app.get("/stream")
    async def asked_while_sending() -> StreamingResponse:
        async def words() -> AsyncIterator[str]:
            async for chunk in await client.chat.completions.create(**ASK, stream=True):
                for choice in chunk.choices:
                    yield choice.delta.content or ""

        return StreamingResponse(words())

    return app
