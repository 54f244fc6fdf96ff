"""A body or a chunk as a file holds it: `{"__type__": name, "__data__": data}`.

The name says what was recorded, for people and for other readers. It is never used to build anything, except that the
names below, which no type of the SDK has, say that the data is not the JSON of one of the SDK's objects.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeAlias

from ..errors import CorruptRecording
from ..json_tree import JsonObject, JsonValue
from . import json_bytes
from .damage import conflict_in
from .deep_json import is_deep, json_text
from .layout import DATA_MARK, TYPE_MARK

Chunk: TypeAlias = "bytes | JsonValue"
"""A chunk of a stream or a model of a list: its JSON text (a line of a file in our layout) or its value (any other)."""

TEXT, BASE64 = "text", "base64"
"""A body that is not JSON: its text, or its bytes in base64. TEXT is also a chunk that is not JSON."""
JSON_TEXT = "json"
"""A body, a chunk or a model that is nested too deep for a file: the text of its JSON."""
PLAIN, LIST = "plain", "list"
"""A JSON value, and a list of the SDK's objects, where the SDK has one object.

Mocks return such values, and so does the SDK for what half-compatible servers send.
"""


def typed(type_name: str, data: JsonValue) -> JsonObject:
    """Return a body with the name of the type it was recorded as."""
    return {"__type__": type_name, "__data__": data}


def typed_json(type_name: str, data: JsonValue) -> JsonObject:
    """Return a body that is JSON; as JSON_TEXT if it is nested too deep for a file."""
    return typed(JSON_TEXT, json_text(data)) if is_deep(data) else typed(type_name, data)


def plain_body(value: JsonValue) -> JsonObject:
    """Return a body for a value that the server or a mock gave where the SDK has an object of its own."""
    return typed_json(LIST if isinstance(value, list) else PLAIN, value)


def untyped(body: JsonValue) -> JsonValue:
    """Return the data of a body; the body itself if it has no type."""
    if isinstance(body, dict) and "__type__" in body and "__data__" in body:
        return body["__data__"]
    return body


def data_in(body: JsonValue, path: Path | str) -> JsonValue:
    """Return the data of a body read from `path`, that of a JSON_TEXT parsed.

    Raises CorruptRecording, and RecursionError as the SDK would for what it cannot read either.
    """
    data = untyped(body)
    if not isinstance(body, dict) or body.get("__type__") != JSON_TEXT:
        return data
    try:
        value: JsonValue = json.loads(data if isinstance(data, str) else "")
    except ValueError as error:
        raise CorruptRecording(path, f"the text of a {JSON_TEXT!r} in $.response cannot be read: {error}") from None
    return value


def typed_data(body: JsonValue, path: Path | str) -> JsonValue:
    """Return the JSON from which the SDK makes an object or a list of objects; None for any other body.

    Raises CorruptRecording, naming the `path` it was read from.
    """
    if not isinstance(body, dict) or "__type__" not in body or "__data__" not in body:
        return None
    type_name, data = body["__type__"], body["__data__"]
    if type_name == JSON_TEXT:
        data = data_in(body, path)
    return data if type(data) is dict or (type(data) is list and type_name in (LIST, JSON_TEXT)) else None


def is_plain(body: JsonValue) -> bool:
    """Whether a body or a chunk is a PLAIN value."""
    return isinstance(body, dict) and body.get("__type__") == PLAIN and "__data__" in body


def is_text(chunk: JsonValue) -> bool:
    """Whether a chunk, as a value, is the data of an event that is not JSON."""
    return isinstance(chunk, dict) and chunk.get("__type__") == TEXT


def chunk_value(chunk: Chunk, path: Path | str) -> JsonValue:
    """Return a chunk or model read from `path` as a value; raises CorruptRecording if its line is not JSON."""
    if not isinstance(chunk, bytes):
        return chunk
    try:
        return json_bytes.loads(chunk, exactly=True)
    except (ValueError, RecursionError) as error:
        start = chunk[:40].decode(errors="replace")
        damage = conflict_in(path) or f"the chunk of $.response.body that begins {start!r} is not JSON: {error}"
        raise CorruptRecording(path, damage) from None


def chunk_data_start(chunk: Chunk) -> bytes | None:
    """Return the part of a chunk's line before the JSON of its "__data__", which ends one byte before the line does.

    None if only parsing can tell.
    """
    if not isinstance(chunk, bytes) or not chunk.startswith(TYPE_MARK):
        return None
    position = chunk.find(DATA_MARK)
    return chunk[: position + len(DATA_MARK)] if position > 0 else None


def line(chunk: Chunk) -> bytes:
    """Return a chunk or model as its line in a file."""
    return chunk if isinstance(chunk, bytes) else json_bytes.dumps(chunk)
