"""The part of JSONPath that selects where in a request a normalizer applies."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from ..errors import RecorderError
from ..json_tree import JsonValue

_Change: TypeAlias = "Callable[[JsonValue], JsonValue]"


class _Step(NamedTuple):
    name: str | int | None
    """A member's name, an item's position (counted from 0, or from -1 at the end), or None for each of them."""
    is_deep: bool
    """Whether it applies at every depth: `..name`."""

    def selects(self, name: str | int, length: int) -> bool:
        own = self.name
        return own is None or own == name or (isinstance(own, int) and own < 0 and own + length == name)


_STEP = re.compile(
    r"(?P<deep>\.\.)?(?:"
    r"\.?(?P<name>[A-Za-z_][\w-]*)|\.?(?P<each>\*)|\[(?P<position>-?\d+)\]|\[(?P<each_item>\*)\]"
    r"|\[(?P<quote>['\"])(?P<quoted>.*?)(?P=quote)\])"
)


class JsonPath:
    """A path such as `$.messages[*].content`, `$..arguments` or `$['tools'][0]`: names, positions, `*` and `..`.

    Raises RecorderError for an invalid path. Source of the notation: RFC 9535, without filters and slices.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._steps = _steps(text)

    def applied(self, value: JsonValue, change: _Change) -> JsonValue:
        """Return a copy of `value` in which each value at this path is what `change` returns for it."""
        return _applied(value, self._steps, change)


def _steps(text: str) -> tuple[_Step, ...]:
    if not text.startswith("$"):
        raise RecorderError(f"{text!r} is not a JSON path: it must start with $, as in $.messages[*].content")
    steps: list[_Step] = []
    start = 1
    while start < len(text):
        match = _STEP.match(text, start)
        if match is None or (match["name"] and not match["deep"] and text[start] != "."):
            raise RecorderError(
                f"{text!r} is not a JSON path: character {start + 1} is not understood; "
                "use .name, ['name'], [0], [*], .* and ..name"
            )
        name = int(match["position"]) if match["position"] else match["name"] or match["quoted"]
        steps.append(_Step(name, is_deep=match["deep"] is not None))
        start = match.end()
    return tuple(steps)


def _applied(value: JsonValue, steps: tuple[_Step, ...], change: _Change) -> JsonValue:
    if not steps:
        return change(value)

    def below(item: JsonValue, name: str | int, length: int) -> JsonValue:
        if steps[0].is_deep:
            item = _applied(item, steps, change)
        return _applied(item, steps[1:], change) if steps[0].selects(name, length) else item

    if isinstance(value, dict):
        return {name: below(item, name, 0) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [below(item, position, len(value)) for position, item in enumerate(value)]
    return value
