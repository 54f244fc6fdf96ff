"""JSON values: their types, one walk and one map over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias, TypeVar

JsonScalar: TypeAlias = "str | int | float | bool | None"
JsonValue: TypeAlias = "JsonScalar | list[JsonValue] | dict[str, JsonValue]"
JsonObject: TypeAlias = "dict[str, JsonValue]"
SameKind = TypeVar("SameKind", str, "list[JsonValue]", "JsonObject", "JsonValue")
"""For a function that gives an object for an object, a list for a list and a text for a text."""


def member(value: JsonValue, *names: str) -> JsonValue:
    """Return what these names of members lead to, one below the other; None if one of them is not there."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def object_in(value: JsonValue, *names: str) -> JsonObject:
    """Return the object that these names of members lead to, {} if there is none."""
    found = member(value, *names)
    return found if isinstance(found, dict) else {}


def walk(value: JsonValue, name: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Yield a value and every value inside it, parents first, each with the name of the member that holds it.

    The items of a list have the name of the list. Tuples count as lists.
    """
    yield name, value
    if isinstance(value, dict):
        for member, item in value.items():
            yield from walk(item, member)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from walk(item, name)


def map_scalars(value: JsonValue, change: Callable[[JsonScalar], JsonValue]) -> JsonValue:
    """Return a copy of a value in which each text, number, boolean and null is what `change` returns for it."""
    if isinstance(value, dict):
        return {name: map_scalars(item, change) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [map_scalars(item, change) for item in value]
    return change(value)


def map_texts(value: JsonValue, change: Callable[[str], str]) -> JsonValue:
    """Return a copy of a value in which each text is changed; the names of members stay."""
    return map_scalars(value, lambda scalar: change(scalar) if isinstance(scalar, str) else scalar)


def map_texts_and_names(value: SameKind, change: Callable[[str], str]) -> SameKind:
    """Return a copy of a value in which each text and each name of a member is changed."""
    if isinstance(value, dict):
        return {change(name): map_texts_and_names(item, change) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [map_texts_and_names(item, change) for item in value]
    return change(value) if isinstance(value, str) else value
