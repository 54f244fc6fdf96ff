"""The part of JSONPath that says where in a request a rule applies."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from ..errors import RecorderError
from .jsonable import JsonValue

Step: TypeAlias = "str | int | None"
"""A name, a place in a list (counted from 0), or None for each name or place."""

_STEP = re.compile(
    r"(?P<deep>\.\.)?(?:"
    r"\.?(?P<name>[A-Za-z_][\w-]*)|\.?(?P<each>\*)|\[(?P<place>-?\d+)\]|\[(?P<each_place>\*)\]"
    r"|\[(?P<quote>['\"])(?P<quoted>.*?)(?P=quote)\])"
)


class JsonPath:
    """A path such as `$.messages[*].content`, `$..arguments` or `$['tools'][0]`: names, places, `*` and `..`.

    Raises RecorderError for a text that is none. Source of the notation: RFC 9535, without filters and slices.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._steps = tuple(_steps(text))

    def applied(self, value: JsonValue, change: Callable[[JsonValue], JsonValue]) -> JsonValue:
        """Return a copy of `value` in which each place of this path holds what `change` makes of what it held."""
        return _applied(value, self._steps, change)


def _steps(text: str) -> list[tuple[bool, Step]]:
    if not text.startswith("$"):
        raise RecorderError(f"{text!r} is no JSON path: it must start with $, as in $.messages[*].content")
    steps: list[tuple[bool, Step]] = []
    position = 1
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None or (match["name"] and not match["deep"] and text[position] != "."):
            raise RecorderError(
                f"{text!r} is no JSON path from character {position + 1} on; it knows .name, [0], [*], .* and ..name"
            )
        named = match["name"] or match["quoted"]
        steps.append((match["deep"] is not None, int(match["place"]) if match["place"] else named))
        position = match.end()
    return steps


def _applied(
    value: JsonValue, steps: tuple[tuple[bool, Step], ...], change: Callable[[JsonValue], JsonValue]
) -> JsonValue:
    if not steps:
        return change(value)
    (is_deep, step), rest = steps[0], steps[1:]
    if isinstance(value, dict):
        return {name: _below(item, step, name, is_deep, steps, rest, change) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        places = enumerate(value)
        if isinstance(step, int) and step < 0:
            step += len(value)
        return [_below(item, step, position, is_deep, steps, rest, change) for position, item in places]
    return value


def _below(
    item: JsonValue,
    step: Step,
    here: str | int,
    is_deep: bool,
    steps: tuple[tuple[bool, Step], ...],
    rest: tuple[tuple[bool, Step], ...],
    change: Callable[[JsonValue], JsonValue],
) -> JsonValue:
    if is_deep:
        item = _applied(item, steps, change)
    return _applied(item, rest, change) if step is None or step == here else item
