"""Folders of recordings as this package writes them, without asking a server for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inference_recorder.diagnosis.index import Index
from inference_recorder.diagnosis.nearest import Question, explanation_of
from inference_recorder.explanation import Explanation
from inference_recorder.json_tree import JsonObject, JsonValue
from inference_recorder.recording.answer import Value
from inference_recorder.recording.codec import encode
from inference_recorder.request.jsonable import plain_arguments
from inference_recorder.request.keys import request_key
from inference_recorder.request.request import Request

TEST = "tests/test_a.py::test_greeting"
CHAT = "/v1/chat/completions"


def asks(*texts: str, model: str = "gpt-4o", **more: Any) -> JsonObject:
    """Return the arguments of a chat call, the first text being the system's if there are several."""
    roles = ["system", "user", "assistant", "user"][len(texts) == 1 :]
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return {"model": model, "messages": messages} | more


def request(body: JsonObject, endpoint: str = CHAT, base_url: str = "http://127.0.0.1/v1") -> Request:
    plain, text, _ = plain_arguments(body)
    return Request("POST", endpoint, base_url + endpoint, plain, text)


def question(body: JsonObject, test_id: str | None = TEST, position: int = 1, **which: Any) -> Question:
    asked = request(body, **which)
    return Question(asked, request_key(asked, test_id), test_id, position)


def put(
    directory: Path,
    body: JsonObject,
    test_id: str | None = TEST,
    *,
    name: str | None = None,
    normalize: list[str] | None = None,
    answer: JsonValue = "Hello!",
    **which: Any,
) -> Path:
    """Write a recording, named after its key or as given."""
    asked = request(body, **which)
    document = {"method": "POST", "url": asked.url, "headers": {}, "body": asked.body, "endpoint": asked.endpoint}
    document |= {"model": asked.model} | ({} if normalize is None else {"normalize": normalize})
    path = directory / f"{name or request_key(asked, test_id)}.json"
    directory.mkdir(exist_ok=True)
    path.write_bytes(encode(test_id, document, Value(answer)))
    return path


def explain(directory: Path, asked: Question) -> Explanation:
    return explanation_of(asked, Index([directory]))
