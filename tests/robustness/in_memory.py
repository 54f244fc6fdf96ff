"""Clients whose transport answers in this process, so that what is measured or killed is the recorder."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import openai

if int(openai.__version__.partition(".")[0]) >= 3:  # another SDK may have brought httpx2 along
    import httpx2 as http
else:
    import httpx as http  # type: ignore[no-redef]

from ..support.openai_server import chunks, completion

Answer = Callable[[str, dict[str, Any]], Any]
"""(path, body of the request) -> JSON, bytes, or a list of events."""


def client_answered_by(answer: Answer, **options: Any) -> openai.OpenAI:
    """Return a client whose every request is answered by `answer`."""
    transport = http.Client(transport=http.MockTransport(lambda request: _response(answer, request)))
    return openai.OpenAI(api_key="x", base_url="http://memory/v1", http_client=transport, max_retries=0, **options)


def async_client_answered_by(answer: Answer) -> openai.AsyncOpenAI:
    """Return an async client whose every request is answered by `answer`."""
    transport = http.AsyncClient(transport=http.MockTransport(lambda request: _response(answer, request)))
    return openai.AsyncOpenAI(api_key="x", base_url="http://memory/v1", http_client=transport, max_retries=0)


def usual(path: str, body: dict[str, Any]) -> Any:
    """Return a completion, or a stream of one."""
    return chunks("Hel", "lo", "!") if body.get("stream") else completion("Hello!")


def _response(answer: Answer, request: Any) -> Any:
    body = json.loads(request.content) if request.content[:1] == b"{" else {}
    content = answer(request.url.path, body)
    if isinstance(content, bytes):
        return http.Response(200, headers={"content-type": "audio/mpeg"}, content=content)
    if isinstance(content, list):
        events = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in content)
        return http.Response(200, headers={"content-type": "text/event-stream"}, content=events + b"data: [DONE]\n\n")
    return http.Response(200, headers={"content-type": "application/json"}, content=json.dumps(content).encode())
