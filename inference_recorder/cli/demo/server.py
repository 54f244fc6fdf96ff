"""`embedded_server()`: as much of OpenAI's API as a demonstration needs, without a model behind it."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

NO_SUCH_MODEL = "no-such-model"
"""The one model that the server does not have."""
PAUSE_SECONDS = 0.03

GREETING = "Hello! Ask me once; your tests will never have to ask again."
HAIKU = "Asked once, it answers;\nrecorded, it speaks again\nwhile the network sleeps."

_WORDS = re.compile(r"\s*\S+")
_FINGERPRINT = "fp_embedded"


def embedded_server(pause_seconds: float = PAUSE_SECONDS) -> Starlette:
    """Return the application: `POST /v1/chat/completions`, plain and streamed, and OpenAI's own words for errors.

    A streamed answer rests `pause_seconds` before each chunk; a plain one comes at once. Whoever asks for a haiku gets
    one, anybody else a greeting.
    """

    async def chat_completions(request: Request) -> Response:
        try:
            asked = await request.json()
            model, question = asked["model"], asked["messages"][-1]["content"]
        except (ValueError, LookupError, TypeError):
            return _error(400, "The body must be JSON with a model and messages.", "invalid_request_error", None)
        if model == NO_SUCH_MODEL:
            message = f"The model `{model}` does not exist"
            return _error(404, message, "invalid_request_error", "model_not_found")
        answer = _Answer(model, str(question))
        if not asked.get("stream"):
            return JSONResponse(answer.whole(), headers=_headers())
        has_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
        events = _events(answer.chunks(has_usage=has_usage), pause_seconds)
        return StreamingResponse(events, media_type="text/event-stream", headers=_headers())

    return Starlette(
        routes=[Route("/v1/chat/completions", chat_completions, methods=["POST"])],
        exception_handlers={HTTPException: _not_served},
    )


class _Answer:
    """What the model that is not there says, in both of the API's forms."""

    def __init__(self, model: str, question: str) -> None:
        self._text = HAIKU if "haiku" in question.lower() else GREETING
        self._words = _WORDS.findall(self._text)
        self._shared = {
            "id": f"chatcmpl-{secrets.token_hex(14)}",
            "created": int(time.time()),
            "model": model,
            "service_tier": "default",
            "system_fingerprint": _FINGERPRINT,
        }
        asked, answered = len(_WORDS.findall(question)), len(self._words)
        self._usage = {
            "prompt_tokens": asked,
            "completion_tokens": answered,
            "total_tokens": asked + answered,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }

    def whole(self) -> dict[str, Any]:
        """Return the `chat.completion` object."""
        message: dict[str, Any] = {"role": "assistant", "content": self._text, "refusal": None, "annotations": []}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return {**self._shared, "object": "chat.completion", "choices": [choice], "usage": self._usage}

    def chunks(self, *, has_usage: bool) -> Iterator[dict[str, Any]]:
        """Yield the `chat.completion.chunk` objects: the role, a word each, the end and, if asked for, the usage."""
        shared = {**self._shared, "object": "chat.completion.chunk"}
        if has_usage:
            shared["usage"] = None
        yield {**shared, "choices": [_delta({"role": "assistant", "content": "", "refusal": None})]}
        for word in self._words:
            yield {**shared, "choices": [_delta({"content": word})]}
        yield {**shared, "choices": [_delta({}, finish_reason="stop")]}
        if has_usage:
            yield {**shared, "choices": [], "usage": self._usage}


def _delta(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


async def _events(chunks: Iterator[dict[str, Any]], pause_seconds: float) -> AsyncIterator[str]:
    for chunk in chunks:
        await asyncio.sleep(pause_seconds)
        yield f"data: {json.dumps(chunk)}\n\n"
    yield "data: [DONE]\n\n"


async def _not_served(request: Request, error: Exception) -> Response:
    status_code = error.status_code if isinstance(error, HTTPException) else 500
    message = f"Invalid URL ({request.method} {request.url.path})"
    return _error(status_code, message, "invalid_request_error", None)


def _error(status_code: int, message: str, kind: str, code: str | None) -> Response:
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return JSONResponse(body, status_code=status_code, headers=_headers())


def _headers() -> dict[str, str]:
    return {"x-request-id": f"req_{secrets.token_hex(16)}", "openai-version": "2020-10-01"}
