"""Where two answers of the SDK differ: type, value, order, extra fields or fields set."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pydantic

_OBJECTS_WITH_CONSTANT_IDS = ("chat.completion", "chat.completion.chunk", "text_completion")
_TIMES = ("created", "created_at")
_TIME_TYPES = (int, float, str, datetime)


def differences(expected: Any, actual: Any, where: str = "$") -> list[str]:
    """Return a line for each difference, with its path; nothing for two answers that no program can tell apart."""
    if type(expected) is not type(actual):
        return [f"{where}: {type(expected).__qualname__} became {type(actual).__qualname__}"]
    if isinstance(expected, pydantic.BaseModel):
        lines = []
        if expected.model_fields_set != actual.model_fields_set:
            lines.append(f"{where}: fields set differ by {expected.model_fields_set ^ actual.model_fields_set}")
        return [
            *lines,
            *differences(expected.__dict__, actual.__dict__, where),
            *differences(expected.__pydantic_extra__, actual.__pydantic_extra__, f"{where}(extra)"),
        ]
    if isinstance(expected, dict):
        if list(expected) != list(actual):
            return [f"{where}: names {list(expected)} became {list(actual)}"]
        return [line for name in expected for line in differences(expected[name], actual[name], f"{where}.{name}")]
    if isinstance(expected, (list, tuple)):
        if len(expected) != len(actual):
            return [f"{where}: {len(expected)} items became {len(actual)}"]
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for index, (one, other) in pairs for line in differences(one, other, f"{where}[{index}]")]
    return [] if expected == actual else [f"{where}: {expected!r} became {actual!r}"]


def stable(value: Any, *, is_top: bool = True) -> Any:
    """Return a copy of an answer in which the ids and times that recordings make constant are constant.

    Times are constant only at the top of an answer, the id of a chat or text completion wherever a helper shows it.
    """
    if isinstance(value, (list, tuple)):
        return type(value)(stable(item, is_top=is_top) for item in value)
    if isinstance(value, pydantic.BaseModel):
        copy = value.model_copy()
        members, extra = _stable_members(copy.__dict__, is_top), copy.__pydantic_extra__
        copy.__dict__.update(members)
        if extra:
            extra.update(_stable_members(extra, is_top))
        return copy
    return _stable_members(value, is_top) if isinstance(value, dict) else value


def _stable_members(members: dict[str, Any], is_top: bool) -> dict[str, Any]:
    is_named_event = is_top and {"event", "data"} <= set(members)  # the assistants': the SDK puts the name beside
    stable_members = {
        name: stable(member, is_top=is_named_event and name == "data") for name, member in members.items()
    }
    has_constant_id = members.get("object") in _OBJECTS_WITH_CONSTANT_IDS
    if has_constant_id and "id" in members:
        stable_members["id"] = "-"
    if has_constant_id or is_top:
        kept = {"created": members.get("object") == "model", "created_at": members.get("type") == "model"}
        stable_members |= {name: 0 for name in _TIMES if isinstance(members.get(name), _TIME_TYPES) and not kept[name]}
    return stable_members
