"""What is asked and what a server answers, the same for every contender; nothing leaves the process."""

from __future__ import annotations

import base64
import json
import random
import re
import struct
from functools import cache
from typing import Any

import openai

from ..support.openai_server import chunks, completion

if int(openai.__version__.partition(".")[0]) >= 3:  # another SDK may have brought httpx2 along
    import httpx2 as http
else:
    import httpx as http  # type: ignore[no-redef]

NOBODY_LISTENS = "http://127.0.0.1:9/v1"
"""The base url of clients that replay: whatever is sent after all fails."""
WORD = "word "
PACED_WORDS = 101
"""A stream of so many words comes from the loopback server with a pause before each."""
VECTORS, DIMENSIONS = 64, 1536

_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": f"look_up_{number}",
            "description": "Look something up in one of our many databases.",
            "parameters": {"type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}}},
        },
    }
    for number in range(4)
]
_SYSTEM = {"role": "system", "content": "You are a helpful assistant. " * 8}
_ASKED = re.compile(rb"live on\? \((\d+)\)")
_WORDS = re.compile(rb"Say (\d+) words")
_TEXT = "Humans live on Earth. " * 20


def question(number: int, *, has_tools: bool = False) -> dict[str, Any]:
    """Return the arguments of the chat completion that asks for answer `number`."""
    messages = [_SYSTEM, {"role": "user", "content": f"Which planet do humans live on? ({number})"}]
    return {"model": "gpt-4o", "messages": messages} | ({"tools": _TOOLS} if has_tools else {})


def check_answer(answer: Any, number: int) -> None:
    """Raise AssertionError unless this is answer `number`."""
    assert answer.choices[0].message.content == f"{_TEXT}({number})", "another answer than was recorded"


def streamed_question(words: int) -> dict[str, Any]:
    """Return the arguments of a chat completion that streams `words` words (and three chunks around them)."""
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": f"Say {words} words."}], "stream": True}


def text_of(chunk: Any) -> str | None:
    """Return the text of a chunk, or the number of words in the last one."""
    return chunk.choices[0].delta.content if chunk.choices else f"{chunk.usage.completion_tokens} words"


def check_stream(texts: list[str | None], words: int) -> None:
    """Raise AssertionError unless these are the texts of all chunks of a stream of `words` words."""
    assert texts == ["", *[WORD] * words, None, f"{words} words"], "other chunks than were recorded"


def texts_to_embed(encoding: str) -> dict[str, Any]:
    """Return the arguments of a call for embeddings: as "float", "base64", or "default", which is not to say."""
    asked = {"model": "text-embedding-3-small", "input": [f"text {number}" for number in range(VECTORS)]}
    return asked if encoding == "default" else asked | {"encoding_format": encoding}


def check_embeddings(answer: Any, encoding: str) -> None:
    """Raise AssertionError unless these are the embeddings that were asked for."""
    expected: Any = _vectors() if encoding != "base64" else [_encoded(vector) for vector in _vectors()]
    assert [item.embedding for item in answer.data] == expected, "other numbers than were recorded"


def sent_answer(number: int) -> bytes:
    """Return what the server sends as answer `number`."""
    head, tail = _answer_around()
    return head + str(number).encode() + tail


@cache
def sent_chunks(words: int) -> tuple[bytes, ...]:
    """Return the JSON of each event that the server sends for a stream of `words` words."""
    return tuple(json.dumps(chunk).encode() for chunk in chunks(*[WORD] * words))


@cache
def sent_embeddings(encoding: str) -> bytes:
    """Return what the server sends where embeddings are asked for as "float" or "base64"."""
    vectors: list[Any] = _vectors() if encoding == "float" else [_encoded(vector) for vector in _vectors()]
    data = [{"object": "embedding", "index": position, "embedding": vector} for position, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 128, "total_tokens": 128}
    return json.dumps({"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage}).encode()


def memory_client() -> openai.OpenAI:
    """Return a client whose transport answers in this process, at once: all that is left is the SDK's own cost."""
    transport = http.Client(transport=http.MockTransport(_answered))
    return openai.OpenAI(api_key="x", base_url=NOBODY_LISTENS, http_client=transport, max_retries=0)


def memory_async_client() -> openai.AsyncOpenAI:
    """Return the async client of the same kind."""
    transport = http.AsyncClient(transport=http.MockTransport(_answered))
    return openai.AsyncOpenAI(api_key="x", base_url=NOBODY_LISTENS, http_client=transport, max_retries=0)


def cut_off_client(base_url: str = NOBODY_LISTENS) -> openai.OpenAI:
    """Return a client with the SDK's own transport, for a base url where nobody listens unless one is given."""
    return openai.OpenAI(api_key="x", base_url=base_url, max_retries=0)


def cut_off_async_client(base_url: str = NOBODY_LISTENS) -> openai.AsyncOpenAI:
    """Return the async client of the same kind."""
    return openai.AsyncOpenAI(api_key="x", base_url=base_url, max_retries=0)


def _answered(request: Any) -> Any:
    content = request.content
    if (words := _WORDS.search(content)) is not None:
        events = _events(int(words.group(1)))
        return http.Response(200, headers={"content-type": "text/event-stream"}, content=events)
    if (asked := _ASKED.search(content)) is not None:
        answer = sent_answer(int(asked.group(1)))
    else:
        answer = sent_embeddings("base64" if b'"base64"' in content else "float")
    return http.Response(200, headers={"content-type": "application/json"}, content=answer)


@cache
def _events(words: int) -> bytes:
    return b"".join(b"data: " + chunk + b"\n\n" for chunk in sent_chunks(words)) + b"data: [DONE]\n\n"


@cache
def _answer_around() -> tuple[bytes, bytes]:
    head, _, tail = json.dumps(completion(f"{_TEXT}(NUMBER)")).encode().partition(b"NUMBER")
    return head, tail


@cache
def _vectors() -> list[list[float]]:
    # 32-bit numbers spelt out with all the digits of 64 bits, as OpenAI sends them.
    draw = random.Random(6)
    packed = [struct.pack(f"<{DIMENSIONS}f", *(draw.gauss(0, 0.02) for _ in range(DIMENSIONS))) for _ in range(VECTORS)]
    return [list(struct.unpack(f"<{DIMENSIONS}f", vector)) for vector in packed]


def _encoded(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
