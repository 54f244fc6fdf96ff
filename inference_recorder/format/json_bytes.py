"""JSON to bytes and back: orjson, and the standard library for the few values that orjson does not keep."""

from __future__ import annotations

import json
import math

import orjson

from ..identity.jsonable import JsonValue


def dumps(value: JsonValue, *, indent: bool = False) -> bytes:
    """Return the UTF-8 JSON of `value`, on one line or with two-space indent.

    What orjson refuses or would change (integers beyond 64 bits, lone surrogates, NaN and the infinities) is written
    as the standard library writes it. Raises TypeError where a value has no JSON form, ValueError for a cycle.
    """
    if not _has_non_finite(value):
        try:
            return orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else None)
        except orjson.JSONEncodeError:
            pass
    # ASCII escapes, since a lone surrogate has no UTF-8.
    text = json.dumps(value, indent=2) if indent else json.dumps(value, separators=(",", ":"))
    return text.encode()


def loads(content: bytes, *, exactly: bool = False) -> JsonValue:
    """Return the value of JSON bytes; raises ValueError (RecursionError for one nested too deep).

    `exactly` reads integers beyond 64 bits as such; orjson turns them into floats without a word.
    """
    if not exactly:
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            pass
    return json.loads(content)


def has_large_integers(value: JsonValue) -> bool:
    """Whether `value` holds an integer that only `loads(..., exactly=True)` brings back."""
    if isinstance(value, int):
        return not -(2**63) <= value < 2**64
    if isinstance(value, dict):
        return any(has_large_integers(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(has_large_integers(item) for item in value)


def _has_non_finite(value: JsonValue) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(_has_non_finite(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        if value and type(value[0]) is float:  # an embedding: thousands of floats
            try:
                return not all(map(math.isfinite, value))
            except TypeError:
                pass
        return any(_has_non_finite(item) for item in value)
    return False
