"""JSON nested deeper than pydantic, orjson and Python's stack go: walked without recursion, and kept as its text.

pydantic serializes 255 levels and orjson 254. The SDK itself reads as many as Python's json does, which is some 900.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..json_tree import JsonValue
from ..request.jsonable import plain, refuse
from . import json_bytes

_DEEPEST = 100
"""Levels up to which a value is kept as JSON: more than any real answer has, and safe for every walk."""
_SCALARS = frozenset({str, int, float, bool, type(None)})


def is_deep(value: JsonValue) -> bool:
    """Whether a value is nested too deep to be kept as JSON."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [item for container in level for item in _containers_in(container)]
        if not level:
            return False
    return True


def json_text(value: JsonValue) -> str:
    """Return the JSON of a value of any depth, on one line, in ASCII."""
    parts: list[str] = []
    waiting: list[Iterator[tuple[str, JsonValue]]] = [iter([("", value)])]
    ends: list[str] = [""]
    while waiting:
        for start, item in waiting[-1]:
            parts.append(start)
            if isinstance(item, dict):
                names = (f"{',' * (position > 0)}{json.dumps(name)}:" for position, name in enumerate(item))
                waiting.append(zip(names, item.values(), strict=True))
            elif isinstance(item, list):
                waiting.append((("," * (position > 0), below) for position, below in enumerate(item)))
            else:
                parts.append(json.dumps(item))
                continue
            parts.append("{" if isinstance(item, dict) else "[")
            ends.append("}" if isinstance(item, dict) else "]")
            break
        else:
            waiting.pop()
            parts.append(ends.pop())
    return "".join(parts)


def sendable(value: JsonValue) -> bytes:
    """Return the JSON of a value read from a file, which holds itself nowhere; raises ValueError as `dumps` does."""
    try:
        return json_bytes.dumps(value)
    except RecursionError:
        return json_text(value).encode()


def dumped(model: Any) -> JsonValue:
    """Return what `model_dump` gives of a pydantic model in JSON mode, unset fields left out, whatever its depth.

    Raises UnrecordableValue, naming the place, where a value has no JSON form or holds itself.
    """
    try:
        value: JsonValue = model.model_dump(mode="json", exclude_unset=True, by_alias=True, warnings=False)
    except (ValueError, RecursionError):  # pydantic takes a deep value for one that holds itself
        return _dumped_level_by_level(model)
    return value


@dataclass(slots=True)
class _Level:
    """A container being copied: the copy, the items of the original yet to come, and which one and where it is."""

    copy: Any
    items: Iterator[tuple[Any, Any]]
    id: int = 0
    position: str = "the answer"


def _dumped_level_by_level(model: Any) -> JsonValue:
    top: list[JsonValue] = []
    levels = [_Level(top, iter([("", model)]))]
    while levels:
        level = levels[-1]
        try:
            name, item = next(level.items)
        except StopIteration:
            levels.pop()
            continue
        position = f".{name}" if isinstance(level.copy, dict) else f"[{name}]" if len(levels) > 1 else ""
        where = "".join([above.position for above in levels] + [position])
        items = _items_of(item)
        if items is None:
            copy = plain(item, where)
        elif any(above.id == id(item) for above in levels):
            refuse(item, f"{where} (nested in itself)")
        else:
            copy = [] if isinstance(item, (list, tuple)) else {}
            levels.append(_Level(copy, items, id(item), position))
        if isinstance(level.copy, dict):
            level.copy[name] = copy
        else:
            level.copy.append(copy)
    return top[0]


def _items_of(value: Any) -> Iterator[tuple[Any, Any]] | None:
    """Return the names and values in a container or a pydantic model, None for any other value."""
    if isinstance(value, dict):
        return iter(value.items())
    if isinstance(value, (list, tuple)):
        return enumerate(value)
    fields = getattr(type(value), "model_fields", None)
    if not isinstance(fields, dict):
        return None
    names = [name for name in fields if name in value.model_fields_set]
    aliases = [fields[name].serialization_alias or fields[name].alias or name for name in names]
    values = [getattr(value, name) for name in names]
    return iter([*zip(aliases, values, strict=True), *(value.model_extra or {}).items()])


def _containers_in(container: JsonValue) -> list[JsonValue]:
    items = container.values() if isinstance(container, dict) else container if isinstance(container, list) else ()
    if _SCALARS.issuperset(map(type, items)):  # an embedding has thousands
        return []
    return [item for item in items if isinstance(item, (dict, list))]
