"""What is measured: the same calls through the plain SDK in memory, and replayed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai

from ..openai_server import chunks, completion

try:
    import httpx2 as http
except ImportError:  # openai before 3
    import httpx as http  # type: ignore[no-redef]

WORDS = 2_000
_TOOL_COUNT = 4
_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": f"look_up_{number}",
            "description": "Look something up in one of our many databases.",
            "parameters": {"type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}}},
        },
    }
    for number in range(_TOOL_COUNT)
]
PLAIN: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [
        {"role": "system", "content": "You are a helpful assistant. " * 8},
        {"role": "user", "content": "Which planet do humans live on?"},
    ],
}
WITH_TOOLS = PLAIN | {"tools": _TOOLS}
STREAMED = PLAIN | {"stream": True}
_ANSWER = json.dumps(completion("Humans live on Earth. " * 20)).encode()
_EVENTS = b"".join(b"data: " + json.dumps(item).encode() + b"\n\n" for item in chunks(*["word "] * WORDS))


def in_memory_client() -> openai.OpenAI:
    """Return a client whose transport answers in this process, at once: all that is left is the SDK's own cost."""

    def answer(request: Any) -> Any:
        if b'"stream":true' in request.content or b'"stream": true' in request.content:
            return http.Response(
                200, headers={"content-type": "text/event-stream"}, content=_EVENTS + b"data: [DONE]\n\n"
            )
        return http.Response(200, headers={"content-type": "application/json"}, content=_ANSWER)

    transport = http.Client(transport=http.MockTransport(answer))
    return openai.OpenAI(api_key="x", base_url="http://memory/v1", http_client=transport)


def calls(client: openai.OpenAI, kwargs: dict[str, Any], count: int) -> Callable[[], None]:
    """Return what makes `count` distinct plain calls and looks at each answer."""

    def run() -> None:
        for seed in range(count):
            answer = client.chat.completions.create(**kwargs, seed=seed)
            assert (answer.choices[0].message.content or "").startswith("Humans live on Earth.")

    return run


def stream(client: openai.OpenAI) -> Callable[[], None]:
    """Return what reads a stream of 2,000 words to its end."""

    def run() -> None:
        read = sum(1 for item in client.chat.completions.create(**STREAMED) if item.choices)
        assert read == WORDS + 2

    return run


def fill(folder: Path, count: int) -> None:
    """Put `count` recordings that nobody asks for into a folder."""
    content = next(folder.glob("*.json")).read_bytes()
    for number in range(count):
        (folder / f"{number:064x}.json").write_bytes(content)
