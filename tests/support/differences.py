"""Where two answers of the SDK differ: type, value, order, extra fields or fields set."""

from __future__ import annotations

from typing import Any

import pydantic


def differences(expected: Any, actual: Any, where: str = "$") -> list[str]:
    """Return a line for each difference, with its path; nothing for two answers that no program can tell apart."""
    if type(expected) is not type(actual):
        return [f"{where}: {type(expected).__qualname__} became {type(actual).__qualname__}"]
    if isinstance(expected, pydantic.BaseModel):
        found = []
        if expected.model_fields_set != actual.model_fields_set:
            found.append(f"{where}: fields set differ by {expected.model_fields_set ^ actual.model_fields_set}")
        return [
            *found,
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
        return [line for position, (one, other) in pairs for line in differences(one, other, f"{where}[{position}]")]
    return [] if expected == actual else [f"{where}: {expected!r} became {actual!r}"]


def without_volatile(answer: Any) -> Any:
    """Return a copy of an answer with the ids and times that the format normalises made equal."""
    copy = answer.model_copy()
    for name, constant in (("id", "-"), ("created", 0), ("created_at", 0)):
        if name in copy.__dict__ and not (name == "id" and str(copy.id).startswith(("resp", "modr", "file"))):
            copy.__dict__[name] = constant
    copy.__dict__.pop("_request_id", None)
    return copy
