"""A server under test that asks models: as an ASGI application, in a thread or in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from inference_recorder import MissingRecording, inference_recording
from inference_recorder.asgi import TestIdMiddleware

from .loopback import serve

ROOT = Path(__file__).parents[2]
MODEL_VARIABLE, OWN_SESSION_VARIABLE = "MODEL_SERVER", "OWN_SESSION"


class ChatApp:
    """Its endpoints ask the model what the query says; each client of the SDK is made once."""

    def __init__(self, model_url: str) -> None:
        options: Any = {"base_url": model_url, "api_key": "x", "max_retries": 0}
        options["default_headers"] = {"connection": "close"}  # nobody closes the clients
        self._async = openai.AsyncOpenAI(**options, http_client=openai.DefaultAsyncHttpxClient(verify=False))
        self._sync = openai.OpenAI(**options, http_client=openai.DefaultHttpxClient(verify=False))
        self.done = threading.Semaphore(0)
        """Released at the end of each background task."""
        endpoints = self.plain, self.in_thread, self.streamed, self.later, self.in_task
        routes = [Route(f"/{endpoint.__name__}", endpoint) for endpoint in endpoints]
        self.app = Starlette(
            routes=routes, middleware=[Middleware(TestIdMiddleware)], exception_handlers={MissingRecording: _missing}
        )

    async def _ask(self, text: str) -> str:
        answer = await self._async.chat.completions.create(**_question(text))
        return answer.choices[0].message.content or ""

    async def plain(self, request: Request) -> Response:
        return PlainTextResponse(await self._ask(request.query_params["text"]))

    def in_thread(self, request: Request) -> Response:
        answer = self._sync.chat.completions.create(**_question(request.query_params["text"]))
        return PlainTextResponse(answer.choices[0].message.content or "")

    async def streamed(self, request: Request) -> Response:
        """Ask only once the body is being sent."""

        async def words() -> AsyncIterator[str]:
            question = _question(request.query_params["text"])
            async for chunk in await self._async.chat.completions.create(**question, stream=True):
                for choice in chunk.choices:
                    yield choice.delta.content or ""

        return StreamingResponse(words())

    async def later(self, request: Request) -> Response:
        """Ask after the answer was sent."""
        return PlainTextResponse("soon", background=BackgroundTask(self._ask_and_say, request.query_params["text"]))

    async def in_task(self, request: Request) -> Response:
        """Ask in a task that outlives the request."""
        self._task = asyncio.create_task(self._ask_and_say(request.query_params["text"]))
        return PlainTextResponse("soon")

    async def _ask_and_say(self, text: str) -> None:
        try:
            await self._ask(text)
        finally:
            self.done.release()


def _question(text: str) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}


async def _missing(request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 500)


@contextmanager
def in_thread(model_url: str) -> Iterator[str]:
    """Serve the app in a thread of this process; yields its url."""
    with serve(ChatApp(model_url).app) as url:
        yield url


@contextmanager
def in_process(model_url: str, *, own_session: bool = False) -> Iterator[str]:
    """Serve the app in another process, which joins this one's session or opens one; yields its url."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        environment = os.environ | {MODEL_VARIABLE: model_url} | ({OWN_SESSION_VARIABLE: "1"} if own_session else {})
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(listener.fileno())],
            pass_fds=[listener.fileno()],
            env=environment,
            cwd=None if own_session else ROOT,
        )
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def main() -> None:
    """Serve the app on a listening socket that this process has inherited."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    config = uvicorn.Config(
        ChatApp(os.environ[MODEL_VARIABLE]).app, http="h11", loop="asyncio", log_level="critical", lifespan="off"
    )
    with inference_recording() if OWN_SESSION_VARIABLE in os.environ else contextlib.nullcontext():
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
