"""What differs between two recordings of one answer and no later request can name: written as a constant.

Source: llama-stack `api_recorder.py`, `_normalize_response`. Unlike llama-stack we keep every id that a later request
may name (a response's, a file's, a tool call's), and the type of each field.
"""

from __future__ import annotations

from ..request.jsonable import JsonValue

_OBJECTS_NOBODY_NAMES = frozenset({"chat.completion", "chat.completion.chunk", "text_completion"})
_EPOCH = "1970-01-01T00:00:00.000000Z"


def recorded_id(key: str) -> str:
    """Return the id that an answer to this key carries in its recording."""
    return f"rec-{key[:12]}"


def has_constant_id(data: JsonValue) -> bool:
    """Whether an object of an answer carries `recorded_id` in its recording, since no later request can name it."""
    return isinstance(data, dict) and data.get("object") in _OBJECTS_NOBODY_NAMES


def without_volatile(data: JsonValue, key: str) -> JsonValue:
    """Return the object of an answer with id and times made constant, at its top level only; `data` is left alone."""
    if not isinstance(data, dict):
        return data
    kind = data.get("object")
    stable = dict(data)
    if has_constant_id(data) and isinstance(data.get("id"), str):
        stable["id"] = recorded_id(key)
    if kind != "model" and is_number(data.get("created")):
        stable["created"] = 0
    if "created_at" in data:
        if isinstance(data["created_at"], str):
            stable["created_at"] = _EPOCH
        elif is_number(data["created_at"]):
            stable["created_at"] = 0
    if "_duration" in "".join(data):  # a tenth of looking at each name
        for name, value in data.items():
            if name.endswith("_duration") and is_number(value):
                stable[name] = 0
    return stable


def is_number(value: JsonValue) -> bool:
    """Whether a JSON value is a number and not a boolean."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
