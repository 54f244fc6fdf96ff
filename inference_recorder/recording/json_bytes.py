"""JSON to bytes and back: orjson, and the standard library for the few values that orjson does not keep."""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Callable, Collection, Iterator
from typing import Any

import orjson

from ..json_tree import JsonObject, JsonValue

_SCALARS = frozenset({str, int, float, bool, type(None)})
_LONG = 16
"""Items from which a list of numbers is easier to read on one line."""


def dumps(value: JsonValue, *, indent: bool = False) -> bytes:
    """Return the UTF-8 JSON of `value`, on one line or with two-space indent.

    With indent, a long list of numbers, such as an embedding, is on one line all the same.
    What orjson refuses or would change (integers beyond 64 bits, lone surrogates, NaN and the infinities) is written
    as the standard library writes it. Raises TypeError where a value has no JSON form, ValueError for a cycle.
    """
    if not _has_non_finite(value):
        try:
            if indent:
                return orjson.dumps(_with_numbers_in_rows(value), option=orjson.OPT_INDENT_2)
            return orjson.dumps(value)
        except orjson.JSONEncodeError:
            pass
    # ASCII escapes, since a lone surrogate has no UTF-8.
    text = json.dumps(value, indent=2) if indent else json.dumps(value, separators=(",", ":"))
    return text.encode()


def _with_numbers_in_rows(value: JsonValue) -> object:
    if isinstance(value, dict):
        return {name: _with_numbers_in_rows(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        if len(value) >= _LONG and type(value[0]) in (float, int) and type(value[-1]) in (float, int):
            return orjson.Fragment(orjson.dumps(value))
        return [_with_numbers_in_rows(item) for item in value]
    return value


def loads(content: bytes, *, exactly: bool = False) -> JsonValue:
    """Return the value of JSON bytes; raises ValueError (RecursionError for one nested too deep).

    `exactly` reads integers beyond 64 bits as such; orjson turns them into floats without a word.
    """
    value: JsonValue
    if not exactly:
        try:
            value = orjson.loads(content)
            return value
        except orjson.JSONDecodeError:
            pass
    value = json.loads(_text(content))
    return value


def loads_sparingly(content: bytes) -> JsonValue:
    """Return the value of JSON bytes in two thirds of the memory that orjson takes, which copies them, and more time.

    Raises ValueError.
    """
    from pydantic_core import from_json

    value: JsonValue = from_json(content)
    return value


def loads_object(content: bytes) -> JsonObject:
    """Return the object of JSON bytes that begin with a brace.

    Raises ValueError for anything that orjson does not read, even if it is JSON.
    """
    value: JsonObject = orjson.loads(content)
    return value


def loads_strictly(content: bytes) -> JsonValue:
    """Return the value of JSON bytes, exactly; raises as `loads` does, and DuplicateNames where an object has those.

    Several times slower than `loads`, which takes the last one of each name as every reader of JSON does.
    """
    duplicates: dict[int, tuple[JsonObject, str]] = {}

    def object_of(members: list[tuple[str, JsonValue]]) -> JsonObject:
        found = dict(members)
        if len(found) != len(members):
            seen: set[str] = set()
            for name, _ in members:
                if name in seen:
                    duplicates[id(found)] = found, name
                seen.add(name)
        return found

    value: JsonValue = json.loads(_text(content), object_pairs_hook=object_of)
    if duplicates:
        for where, item in _walked(value):
            if id(item) in duplicates:
                raise DuplicateNames(f"{where} has {duplicates[id(item)][1]!r} more than once")
        raise DuplicateNames("an object in what a later name replaced has a name more than once")
    return value


class DuplicateNames(ValueError):
    """A JSON object that has one name twice; the text says where."""


def byte_offset(error: json.JSONDecodeError) -> int:
    """Return the byte, counted from 0, at which JSON was found malformed."""
    return len(error.doc[: error.pos].encode(errors="surrogatepass"))


def _text(content: bytes) -> str:
    # By the standard library's own guess, UTF-16 would do too. Windows editors put a byte order mark before UTF-8.
    return content.decode("utf-8-sig" if content.startswith(codecs.BOM_UTF8) else "utf-8")


def _walked(value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    waiting: list[tuple[str, JsonValue]] = [("$", value)]
    while waiting:
        where, item = waiting.pop()
        yield where, item
        if isinstance(item, dict):
            waiting.extend((f"{where}.{name}", below) for name, below in item.items())
        elif isinstance(item, list):
            waiting.extend((f"{where}[{position}]", below) for position, below in enumerate(item))


def has_large_integers(value: JsonValue) -> bool:
    """Whether `value` holds an integer that only `loads(..., exactly=True)` brings back."""
    return not _all(value, int, _is_small)


def _has_non_finite(value: JsonValue) -> bool:
    return not _all(value, float, math.isfinite)


def _is_small(number: int) -> bool:
    return -(2**63) <= number < 2**64


def _all(value: JsonValue, kind: type, is_fine: Callable[[Any], bool]) -> bool:
    """Whether all numbers of this kind that are anywhere in a value are fine."""
    if isinstance(value, dict):
        items: Collection[JsonValue] = value.values()
    elif isinstance(value, (list, tuple)):
        items = value
        # An embedding has thousands: no step of the loop for each.
        if len(items) >= _LONG and _SCALARS.issuperset(kinds := set(map(type, items))):
            return kind not in kinds or all(
                map(is_fine, items if len(kinds) == 1 else [item for item in items if type(item) is kind])
            )
    else:
        return not isinstance(value, kind) or isinstance(value, bool) or is_fine(value)
    for item in items:
        found = type(item)
        if found is kind:
            if not is_fine(item):
                return False
        elif found not in _SCALARS and not _all(item, kind, is_fine):
            return False
    return True
