"""Recordings made without asking anybody, many at a time; and the data alone that they hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import openai
import orjson
from openai.resources.chat.completions import Completions

from inference_recorder.recording.answer import Answer, Streamed, Value
from inference_recorder.recording.codec import encode
from inference_recorder.request.keys import request_key
from inference_recorder.sdk.describe import described
from inference_recorder.sdk.methods import METHODS

from . import answers

_METHOD = next(method for method in METHODS if method.owner == Completions.__name__ and "chat" in method.name)


def key_of(client: openai.OpenAI, kwargs: dict[str, Any]) -> str:
    """Return the name of the recording of a chat completion, outside of a test."""
    return request_key(described(_METHOD, client, kwargs)[0], None)


def write_answers(directory: Path, numbers: Iterable[int], *, has_tools: bool = False) -> None:
    """Write the recordings of these answers, as `answers.question` asks for them."""
    kind = "openai.types.chat.chat_completion.ChatCompletion"
    _write(
        directory,
        (
            (answers.question(number, has_tools=has_tools), _body(kind, answers.sent_answer(number)))
            for number in numbers
        ),
    )


def write_stream(directory: Path, kwargs: dict[str, Any], lines: Iterable[bytes]) -> Path:
    """Write the recording of a streamed chat completion with these events."""
    kind = b'{"__type__":"openai.types.chat.chat_completion_chunk.ChatCompletionChunk","__data__":'
    answer = Streamed([kind + line + b"}" for line in lines])
    (path,) = _write(directory, [(kwargs, answer)])
    return path


def crowd(directory: Path, count: int) -> None:
    """Put `count` recordings that no request has into a directory with one that is requested."""
    content = next(directory.glob("*.json")).read_bytes()
    for number in range(count):
        (directory / f"{number:064x}.json").write_bytes(content)


def _write(directory: Path, recordings: Iterable[tuple[dict[str, Any], Answer]]) -> list[Path]:
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    with answers.memory_client() as client:
        for kwargs, answer in recordings:
            request = described(_METHOD, client, kwargs)[0]
            asked = {
                "method": request.method,
                "url": request.url,
                "headers": {},
                "body": request.body,
                "endpoint": request.endpoint,
                "model": request.model,
            }
            paths.append(directory / f"{request_key(request, None)}.json")
            paths[-1].write_bytes(encode(None, asked, answer))
    return paths


def _body(kind: str, content: bytes) -> Answer:
    return Value({"__type__": kind, "__data__": orjson.loads(content)})
