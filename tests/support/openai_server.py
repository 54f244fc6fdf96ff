"""A server on 127.0.0.1 with OpenAI's API. Its answers can be scripted, and it remembers the requests it got."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from .loopback import serve

METHODS = ["GET", "POST", "DELETE", "PATCH", "PUT"]


@dataclass
class ReceivedRequest:
    """A request that the server received."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass
class Reply:
    """An answer to send. `events` are streamed, `pause_seconds` apart; `breaks` ends the connection after them."""

    json: Any = None
    content: bytes | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str | None = "application/json"
    raw_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Sent in addition to `headers`: repeated names, and values in any encoding."""
    events: Iterable[Any] | None = None
    pause_seconds: float = 0.0
    is_done_sent: bool = True
    breaks: bool = False
    delay_seconds: float = 0.0


Script = Callable[[ReceivedRequest, int], Reply]
"""(request, number of earlier requests with its path) -> the answer."""


class OpenAIServer:
    """The running server, as tests use it."""

    def __init__(self) -> None:
        self.base_url = ""
        self.received: list[ReceivedRequest] = []
        self.scripts: dict[str, Script] = {}
        self.elsewhere: Script = default_reply
        """Answers requests to paths without a script."""

    @property
    def count(self) -> int:
        return len(self.received)

    def answers(self, path: str, *replies: Reply) -> None:
        """Answer requests to `path` with these replies in order, and all further ones with the last."""
        start = self.count_of(path)
        self.scripts[path] = lambda request, number: replies[min(number - start, len(replies) - 1)]

    def count_of(self, path: str) -> int:
        return sum(request.path == path for request in self.received)

    async def handle(self, request: Request) -> Response:
        path, content = request.url.path, await request.body()
        received = ReceivedRequest(request.method, path, request.url.query, dict(request.headers), content)
        number = self.count_of(path)
        self.received.append(received)
        reply = self.scripts.get(path, self.elsewhere)(received, number)
        response = await _respond(reply, number)
        response.raw_headers.extend(reply.raw_headers)
        return response


@contextmanager
def running_server() -> Iterator[OpenAIServer]:
    """Run a server while the block runs."""
    server = OpenAIServer()
    with serve(Starlette(routes=[Route("/{path:path}", server.handle, methods=METHODS)])) as url:
        server.base_url = f"{url.rstrip('/')}/v1"
        yield server


async def _respond(reply: Reply, number: int) -> Response:
    if reply.delay_seconds:
        await asyncio.sleep(reply.delay_seconds)
    headers = {"x-request-id": f"req_{number}", "openai-version": "2020-10-01", "set-cookie": "session=secret"}
    headers |= reply.headers
    if reply.events is not None:
        return StreamingResponse(_event_stream(reply), media_type="text/event-stream", headers=headers)
    if reply.content is not None:
        return Response(reply.content, reply.status, headers, reply.media_type)
    return JSONResponse(reply.json, reply.status, headers)


async def _event_stream(reply: Reply) -> AsyncIterator[bytes]:
    for position, event in enumerate(reply.events or ()):
        if position and reply.pause_seconds:
            await asyncio.sleep(reply.pause_seconds)
        name, data = event if isinstance(event, tuple) else (event.get("type"), event)
        start = f"event: {name}\n" if name else ""
        yield f"{start}data: {json.dumps(data)}\n\n".encode()
    if reply.breaks:
        raise ConnectionResetError("the server of the tests breaks the connection here")
    if reply.is_done_sent:
        yield b"data: [DONE]\n\n"


def completion(text: str = "Hello!", *, number: int = 0, **changes: Any) -> dict[str, Any]:
    """Return a chat completion as OpenAI sends it; `number` makes its id and time unique."""
    return {
        "id": f"chatcmpl-{number:08d}",
        "object": "chat.completion",
        "created": 1_764_000_000 + number,
        "model": "gpt-4o-2024-08-06",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 3,
            "total_tokens": 12,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": "fp_f33640a400",
    } | changes


def chunk(
    delta: dict[str, Any] | None, *, number: int = 0, finish: str | None = None, **changes: Any
) -> dict[str, Any]:
    """Return a chunk of a streamed chat completion; a `delta` of None gives the usage chunk, without choices."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    return {
        "id": f"chatcmpl-{number:08d}",
        "object": "chat.completion.chunk",
        "created": 1_764_000_000 + number,
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
        "system_fingerprint": "fp_f33640a400",
        "choices": choices,
        "usage": None,
        "obfuscation": "aX9",
    } | changes


def chunks(*words: str, number: int = 0) -> list[dict[str, Any]]:
    """Return the chunks of a streamed chat completion of these words, usage included."""
    usage = {"prompt_tokens": 9, "completion_tokens": len(words), "total_tokens": 9 + len(words)}
    return [
        chunk({"role": "assistant", "content": "", "refusal": None}, number=number),
        *(chunk({"content": word}, number=number) for word in words),
        chunk({}, finish="stop", number=number),
        chunk(None, usage=usage, number=number),
    ]


def response(text: str = "Hello!", *, number: int = 0, **changes: Any) -> dict[str, Any]:
    """Return an answer of the Responses API."""
    return {
        "id": f"resp_{number:08d}",
        "object": "response",
        "created_at": 1_764_000_000 + number,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "model": "gpt-4o-2024-08-06",
        "output": [
            {
                "type": "message",
                "id": f"msg_{number:08d}",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
            }
        ],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": {
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 3,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 12,
        },
        "metadata": {},
    } | changes


def response_events(text: str = "Hello!", *, number: int = 0) -> list[dict[str, Any]]:
    """Return the events of a streamed answer of the Responses API."""
    done = response(text, number=number)
    started = done | {"status": "in_progress", "output": [], "usage": None}
    message = done["output"][0]
    position = {"item_id": message["id"], "output_index": 0, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": started},
        {"type": "response.in_progress", "response": started},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": message | {"content": [], "status": "in_progress"},
        },
        {
            "type": "response.content_part.added",
            **position,
            "part": {"type": "output_text", "text": "", "annotations": []},
        },
        *(
            {"type": "response.output_text.delta", **position, "delta": word, "logprobs": []}
            for word in text.split(" ")
        ),
        {"type": "response.output_text.done", **position, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **position, "part": message["content"][0]},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {"type": "response.completed", "response": done},
    ]
    return [event | {"sequence_number": position} for position, event in enumerate(events)]


def error(status: int, message: str = "That went wrong.", *, code: str | None = None, **headers: str) -> Reply:
    """Return a failure as OpenAI sends it."""
    body = {"error": {"message": message, "type": "test_error", "param": None, "code": code}}
    return Reply(body, status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})


def default_reply(request: ReceivedRequest, number: int) -> Reply:
    path, body = request.path.removeprefix("/v1"), request.json if request.content[:1] == b"{" else {}
    if path == "/chat/completions":
        if body.get("stream"):
            return Reply(events=chunks("Hel", "lo", "!", number=number))
        return Reply(completion(f"Hello {number}!", number=number))
    if path == "/completions":
        text = {"id": f"cmpl-{number}", "object": "text_completion", "created": 1_764_000_000 + number, "model": "m"}
        choice = {"index": 0, "text": "Hi", "logprobs": None, "finish_reason": "stop"}
        if body.get("stream"):
            return Reply(events=[text | {"choices": [choice]}, text | {"choices": [choice | {"text": "!"}]}])
        return Reply(
            text | {"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
        )
    if path == "/responses":
        if body.get("stream"):
            return Reply(events=response_events("Hello there !", number=number), is_done_sent=False)
        return Reply(response(f"Hello {number}!", number=number))
    if path == "/embeddings":
        return Reply(embeddings(body))
    if path == "/moderations":
        return Reply({"id": f"modr-{number}", "model": "omni-moderation-latest", "results": [_MODERATION]})
    if path == "/images/generations":
        return Reply({"created": 1_764_000_000 + number, "data": [{"b64_json": "aGk="}], "size": "1024x1024"})
    if path == "/models":
        return Reply({"object": "list", "data": [_model("gpt-4o"), _model("gpt-4o-mini")]})
    return error(404, f"no such path: {path}", code="not_found")


def embeddings(
    body: dict[str, Any], vector_of: Callable[[str], list[float]] = lambda text: [float(len(text)), 0.5, -0.25]
) -> dict[str, Any]:
    """Return the vectors of the texts that a request asks for, in the format that it asks for."""
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    vectors: list[Any] = [vector_of(str(text)) for text in texts]
    if body.get("encoding_format") == "base64":
        vectors = [base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() for vector in vectors]
    data = [{"object": "embedding", "index": position, "embedding": vector} for position, vector in enumerate(vectors)]
    return {"object": "list", "data": data, "model": body["model"], "usage": {"prompt_tokens": 2, "total_tokens": 2}}


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1_715_367_049, "owned_by": "system"}


_CATEGORIES = ["harassment", "hate", "sexual", "violence"]
_MODERATION = {
    "flagged": False,
    "categories": dict.fromkeys(_CATEGORIES, False),
    "category_scores": dict.fromkeys(_CATEGORIES, 0.001),
    "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
}
