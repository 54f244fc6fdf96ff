"""The JSON form of the arguments that a caller passes to the SDK."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import json.encoder
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn, overload

from ..errors import UnrecordableValue
from ..json_tree import JsonObject, JsonValue
from ..packages import sdk_of_module

NOT_PART_OF_A_REQUEST = frozenset({"extra_headers", "timeout"})
"""Keyword arguments of every SDK method that change how the call is made and not what is requested. They are not part
of the recording, and of no key but those of llama-stack's recorder."""

_SENTINEL_NAMES = frozenset({"NotGiven", "Omit"})
_DEEPEST = 200
_PLAIN_TYPES = frozenset({str, int, float, bool, list, dict, tuple, type(None)})


class _NotPlainJson(Exception):
    pass


def is_sentinel(value: object) -> bool:
    """Whether `value` is an instance of one of an SDK's sentinels for "not given"."""
    kind = type(value)
    return kind.__name__ in _SENTINEL_NAMES and sdk_of_module(kind.__module__) is not None


def omitted_names(extra_body: object) -> frozenset[str]:
    """Return the arguments that the SDK leaves out because `extra_body` has the `omit` sentinel for them."""
    if not isinstance(extra_body, Mapping):
        return frozenset()
    return frozenset(
        name for name, value in extra_body.items() if is_sentinel(value) and type(value).__name__ == "Omit"
    )


def canonical_text(arguments: Mapping[str, object]) -> str:
    """Return the JSON text that keys are made of: sorted names, ", " and ": " as separators, ASCII escapes.

    Names that are numbers, such as those of `logit_bias`, are sorted as numbers, as in llama-stack's keys.
    Raises TypeError or ValueError for a value that JSON does not have.
    """
    return "".join(_canonical_parts(arguments, 0))


def plain_arguments(
    kwargs: Mapping[str, object], as_sent: Callable[[Mapping[str, object]], Mapping[str, object]] | None = None
) -> tuple[JsonObject, str, Mapping[str, object]]:
    """Return the request's body, its canonical text and the keyword arguments to call the SDK with.

    The body holds `kwargs` without sentinels and without `NOT_PART_OF_A_REQUEST`. One-shot iterables are read once: the
    body and the returned keyword arguments hold their items. Without such iterables, `kwargs` itself is returned.
    `as_sent` converts arguments that are not plain JSON as the SDK does before it serializes them.
    Raises UnrecordableValue with the JSON path of a value that has no JSON form.
    """
    arguments = {
        name: value
        for name, value in kwargs.items()
        if name not in NOT_PART_OF_A_REQUEST and (type(value) in _PLAIN_TYPES or not is_sentinel(value))
    }
    try:
        text = canonical_text(arguments)
        return arguments, text, kwargs  # type: ignore[return-value]  # it has a text, so it is JSON
    except (_NotPlainJson, TypeError, ValueError, RecursionError):
        pass
    read_kwargs = {name: _with_iterators_read(value) for name, value in kwargs.items()}
    sent = read_kwargs if as_sent is None else as_sent(read_kwargs)
    omitted = omitted_names(sent.get("extra_body"))
    body = {name: plain(sent[name], f"$.{name}") for name in arguments if name in sent and name not in omitted}
    try:
        return body, canonical_text(body), read_kwargs
    except ValueError as error:  # an integer with more digits than Python prints
        raise UnrecordableValue(f"the request has no JSON form: {error}") from error


@overload
def plain(value: Mapping[str, object], where: str = "$") -> JsonObject: ...
@overload
def plain(value: object, where: str = "$") -> JsonValue: ...
def plain(value: object, where: str = "$") -> JsonValue:
    """Return `value` in JSON's own types, as the SDK would send it.

    If all names of a mapping are numbers, they stay numbers: `canonical_text` sorts them as numbers.
    Raises UnrecordableValue with the JSON path of a value that has no JSON form.
    """
    return _plain(value, where, ())


@overload
def as_recorded(value: Mapping[str, object], where: str = "$") -> JsonObject: ...
@overload
def as_recorded(value: object, where: str = "$") -> JsonValue: ...
def as_recorded(value: object, where: str = "$") -> JsonValue:
    """Return `plain(value)` as a file holds it: every name is a text. Raises UnrecordableValue as `plain` does."""
    recorded: JsonValue = json.loads(json.dumps(plain(value, where)))
    return recorded


def _plain(value: object, where: str, parents: tuple[int, ...]) -> JsonValue:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value.value if isinstance(value, enum.Enum) else value
    if id(value) in parents or len(parents) > _DEEPEST:
        refuse(value, f"{where} (nested in itself, or too deep)")
    inside = (*parents, id(value))
    if isinstance(value, Mapping):
        are_numbers = all(isinstance(name, (int, float)) for name in value)
        return {
            name if are_numbers else _name(name, where): _plain(item, f"{where}.{name}", inside)
            for name, item in value.items()
            if not is_sentinel(item)
        }
    if isinstance(value, enum.Enum):
        return _plain(value.value, where, inside)
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _plain(fields, where, inside)
    if not isinstance(value, type) and callable(dump := getattr(value, "model_dump", None)):
        # exclude_unset and JSON mode: what the SDK itself sends for a pydantic model (openai/_utils/_transform.py).
        return _plain(dump(mode="json", exclude_unset=True, by_alias=True), where, inside)
    if isinstance(value, (bytes, bytearray, memoryview, set, frozenset)):
        refuse(value, where)
    if isinstance(value, Iterable) and not isinstance(value, type):
        return [_plain(item, f"{where}[{position}]", inside) for position, item in enumerate(value)]
    refuse(value, where)


def _name(name: object, where: str) -> str:
    if isinstance(name, enum.Enum):
        name = name.value
    if isinstance(name, str):
        return name
    if name is None or isinstance(name, (bool, int, float)):
        return str(next(iter(json.loads(json.dumps({name: 0})))))  # as json writes it: true, null, 1.5
    refuse(name, f"a name in {where}")


def _with_iterators_read(value: object, depth: int = 1) -> object:
    if depth > _DEEPEST:  # `plain` raises the error, with the path
        return value
    if isinstance(value, Iterator):
        return [_with_iterators_read(item, depth + 1) for item in value]
    if type(value) is dict:  # subclasses may mean something else
        return {name: _with_iterators_read(item, depth + 1) for name, item in value.items()}
    if type(value) is list:
        return [_with_iterators_read(item, depth + 1) for item in value]
    if type(value) is tuple:
        return tuple(_with_iterators_read(item, depth + 1) for item in value)
    return value


def _refuse(value: object) -> None:
    raise _NotPlainJson


# json and not orjson, since keys are hashes of these exact bytes. A cycle ends in a RecursionError.
_ENCODER = json.JSONEncoder(sort_keys=True, default=_refuse, check_circular=False)


def _encoder_of_parts() -> Callable[[object, int], Iterable[str]]:
    """Return a function that encodes as `_ENCODER` does, but with one C encoder instead of a new one per request."""
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    sample = {"b": [1.5, None, "é\ud800"], "a": {}}
    try:
        encode = make(None, _refuse, json.encoder.encode_basestring_ascii, None, ": ", ", ", True, False, True)
        if "".join(encode(sample, 0)) == _ENCODER.encode(sample):
            return encode  # type: ignore[no-any-return]
    except TypeError:  # this Python has it with other parameters, or not at all
        pass
    return lambda value, level: _ENCODER.iterencode(value)


_canonical_parts = _encoder_of_parts()


def refuse(value: object, where: str) -> NoReturn:
    """Raise UnrecordableValue for `value`, found at the JSON path `where`."""
    kind = type(value)
    raise UnrecordableValue(
        f"{where} is a {kind.__module__}.{kind.__qualname__}, which has no JSON form; "
        "pass its JSON (such as model_dump()) or leave it out"
    )
