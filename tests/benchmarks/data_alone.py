"""The data alone: a recording's file opened, parsed and validated in pydantic-core, and nothing else.

Any replay from JSON files costs at least this: no request is described, no key made, nothing decided or counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from . import answers
from .recorded import key_of


def _validator_of(model: Any) -> Any:
    model.model_rebuild()  # before, the SDK's models have a stand-in that makes it, at 1 us for each validation
    return model.__pydantic_validator__


_COMPLETION = _validator_of(ChatCompletion)
_CHUNK = _validator_of(ChatCompletionChunk)
_EMBEDDINGS = _validator_of(CreateEmbeddingResponse)
_FIRST, _BETWEEN, _LAST = b'"body": [\n      ', b",\n      ", b"\n    ]"


def paths_of(directory: Path, questions: Iterable[dict[str, Any]]) -> list[str]:
    """Return where the recordings of these chat completions lie."""
    with answers.memory_client() as client:
        return [str(directory / f"{key_of(client, question)}.json") for question in questions]


def completion(path: str) -> Any:
    """Return the chat completion in a file."""
    return _COMPLETION.validate_python(_data_in(path), strict=True)


def embeddings(path: str) -> Any:
    """Return the embeddings in a file; base64 as a list of vectors that are strings, since the SDK's type has none."""
    data = _data_in(path)
    if isinstance(data["data"][0]["embedding"], str):
        return CreateEmbeddingResponse.model_construct(**data)
    return _EMBEDDINGS.validate_python(data, strict=True)


def chunks(path: str) -> Iterator[Any]:
    """Yield the chunks in a file, each from its own line: what is faster than parsing the whole."""
    content = _content(path)
    lines = content[content.index(_FIRST) + len(_FIRST) : content.index(_LAST)].split(_BETWEEN)
    start = lines[0].index(b'"__data__":') + len(b'"__data__":')
    for line in lines:
        yield _CHUNK.validate_json(line[start:-1], strict=True)


def _data_in(path: str) -> Any:
    return orjson.loads(_content(path))["response"]["body"]["__data__"]


def _content(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()
