"""Keeps a recording as it is when it is made again: values that say nothing are constants, or stay the old file's.

Source of the constants: llama-stack `api_recorder.py`, `_normalize_response`. Unlike llama-stack we keep every id that
a later request may name (a response's, a file's, a tool call's), and the type of each field. Anthropic's messages keep
theirs: a request names one as `diagnostics.previous_message_id`, and to continue a thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..api_schema import is_tool_input
from ..json_tree import JsonObject, JsonValue, member
from . import json_bytes
from .codec import with_http
from .headers import with_old_values

_OBJECTS_NOBODY_NAMES = frozenset(
    {"chat.completion", "chat.completion.chunk", "text_completion", "text.completion", "completion.chunk"}
)
"""The last two are together's."""
_EPOCH = "1970-01-01T00:00:00.000000Z"
_ID_NAME = re.compile(r"(?:.*_)?ids?")
_ID = re.compile(r"([A-Za-z]+[_-])[A-Za-z0-9_-]{6,}")
_OF_ONE_MOMENT = frozenset({"obfuscation"})
"""Names whose values are random padding."""
_MEASURED_IN = frozenset({"usage", "time_info"})
"""Objects of groq and cerebras in which a number named "…_time" says how long a server took."""
_SEED_IN = frozenset({"choices", "x_groq"})
"""Objects of together and groq with the "seed" that the server chose."""
_TIME_NAME = re.compile(r"created|.*_at")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:.]+(?:Z|[+-][\d:]+)")
_EARLIEST_TIME = 1_000_000_000
"""Seconds since 1970: a number from this on counts as a time, a smaller one as a length or a count."""


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
    stable = dict(data)
    if has_constant_id(data) and isinstance(data.get("id"), str):
        stable["id"] = recorded_id(key)
    if data.get("object") != "model" and _is_number(data.get("created")):
        stable["created"] = 0
    if data.get("type") != "model" and "created_at" in data:
        if isinstance(data["created_at"], str):
            stable["created_at"] = _EPOCH
        elif _is_number(data["created_at"]):
            stable["created_at"] = 0
    for name, value in data.items():
        if name.endswith("_duration") and _is_number(value):
            stable[name] = 0
    return stable


def renamed_ids(old: bytes, new: bytes) -> dict[str, str] | None:
    """Return the ids that a server renewed, {new: old}, if two files differ in nothing else, or None.

    These are not differences: response headers, how long the pauses of a stream were, the padding that OpenAI puts into
    its chunks, how long groq and cerebras took, seeds that a server chose, and times, which are numbers or ISO texts
    below names such as "created_at" and "expires_at", and "created" of a Model. Ids are the texts below names such as
    "id", "call_id" and "file_ids", but for that of a Model, which is its name; one stands for the same one throughout.
    The input of Anthropic's tool calls is what the model has written: any difference in it is one.
    """
    try:
        one, other = (json_bytes.loads(content, exactly=True) for content in (old, new))
    except (ValueError, RecursionError):
        return None
    renamed: dict[str, str] = {}
    try:
        is_same = _is_same(_without_transport(one), _without_transport(other), "", renamed)
    except RecursionError:
        return None
    return renamed if is_same and len(set(renamed.values())) == len(renamed) else None


def with_old_headers(old: bytes, new: bytes, is_clean: Callable[[str, str], bool]) -> bytes:
    """Return a new file in our layout with the old one's values of headers that differ from run to run.

    The diff of the two files then shows only what changed. `is_clean` is given a name and a value and says whether the
    value may be kept: it may be a secret by now.
    """
    try:
        headers = member(json_bytes.loads(old), "response", "http", "headers")
    except (ValueError, RecursionError):
        return new
    if not isinstance(headers, dict):
        return new
    old_values = {name: value for name, value in headers.items() if isinstance(value, str) and is_clean(name, value)}

    def changed(http: JsonValue) -> JsonValue:
        new_headers = member(http, "headers")
        if not isinstance(http, dict) or not isinstance(new_headers, dict):
            return http
        return {**http, "headers": with_old_values(new_headers, old_values)}

    return with_http(new, changed)


def _is_same(old: JsonValue, new: JsonValue, name: str, renamed: dict[str, str]) -> bool:
    if type(old) is not type(new):  # for ==, 1 is True and 1.0
        return False
    if isinstance(old, dict) and isinstance(new, dict):
        if list(old) != list(new):
            return False
        if _is_model(old) and _is_model(new):
            return all(_is_same_of_model(old[item], new[item], item, renamed) for item in old)
        if is_tool_input(old, "input") and json_bytes.dumps(old.get("input")) != json_bytes.dumps(new.get("input")):
            return False
        return all(
            item in _OF_ONE_MOMENT
            or _is_by_chance(name, item, old[item], new[item])
            or _is_same(old[item], new[item], item, renamed)
            for item in old
        )
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(
            _is_same(one, other, name, renamed) for one, other in zip(old, new, strict=True)
        )
    if isinstance(old, (int, float)) and isinstance(new, (int, float)):
        if min(old, new) >= _EARLIEST_TIME and _TIME_NAME.fullmatch(name) is not None:
            return True
    elif isinstance(old, str) and isinstance(new, str) and old != new:
        if _TIME_NAME.fullmatch(name) is not None and _TIME.fullmatch(old) and _TIME.fullmatch(new):
            return True
        return _is_renamed(old, new, name) and renamed.setdefault(new, old) == old
    return bool(old == new) or (old != old and new != new)  # NaN


def _is_by_chance(parent: str, name: str, old: JsonValue, new: JsonValue) -> bool:
    """Return whether a member is a number that says how a server worked, and nothing of what it answered."""
    is_named = name.endswith("_time") if parent in _MEASURED_IN else name == "seed" and parent in _SEED_IN
    return is_named and _is_number(old) and _is_number(new)


def _is_model(value: JsonObject) -> bool:
    """Return whether an object is a Model, of OpenAI's form or of Anthropic's."""
    return "model" in (value.get("object"), value.get("type"))


def _is_same_of_model(old: JsonValue, new: JsonValue, name: str, renamed: dict[str, str]) -> bool:
    """Whether a member of a Model says the same: its "id" is a name that lasts, its "created" may be any number."""
    if name == "created" and _is_number(old) and _is_number(new):
        return True
    return old == new if name == "id" else _is_same(old, new, name, renamed)


def _is_renamed(old: str, new: str, name: str) -> bool:
    if _ID_NAME.fullmatch(name) is None:
        return False
    one, other = _ID.fullmatch(old), _ID.fullmatch(new)
    return one is not None and other is not None and one[1] == other[1]


def _without_transport(document: JsonValue) -> JsonValue:
    response, http = member(document, "response"), member(document, "response", "http")
    if not isinstance(document, dict) or not isinstance(response, dict) or not isinstance(http, dict):
        return document
    pauses = http.get("pauses")
    timeless = {**http, "headers": None} | ({"pauses": len(pauses)} if isinstance(pauses, list) else {})
    return {**document, "response": {**response, "http": timeless}}


def _is_number(value: JsonValue) -> bool:
    """Whether a JSON value is a number and not a boolean."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
