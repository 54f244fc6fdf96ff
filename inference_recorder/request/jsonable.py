"""The JSON form of what a caller passed to the SDK."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import json.encoder
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias, cast

from ..errors import UnrecordableValue, refuse

JsonValue: TypeAlias = Any
"""A str, int, float, bool, None, or a list or str-keyed dict of these (mypy has no useful recursive JSON type)."""
JsonObject: TypeAlias = dict[str, JsonValue]

NOT_PART_OF_A_REQUEST = frozenset({"extra_headers", "timeout"})
"""Keyword arguments of every SDK method that say how to call, not what to ask; neither hashed nor stored."""

_SENTINEL_NAMES = frozenset({"NotGiven", "Omit"})
_DEEPEST = 200
_PLAIN_TYPES = frozenset({str, int, float, bool, list, dict, tuple, type(None)})


class _NotPlainJson(Exception):
    pass


def is_sentinel(value: object) -> bool:
    """Whether `value` is one of the SDK's marks for "not given", whichever instance of them."""
    kind = type(value)
    return kind.__name__ in _SENTINEL_NAMES and kind.__module__.partition(".")[0] == "openai"


def omitted_names(extra_body: object) -> frozenset[str]:
    """Return the arguments that the SDK leaves out since `extra_body` has its mark "omit" for them."""
    if not isinstance(extra_body, Mapping):
        return frozenset()
    return frozenset(
        name for name, value in extra_body.items() if is_sentinel(value) and type(value).__name__ == "Omit"
    )


def canonical_text(arguments: Mapping[str, object]) -> str:
    """Return the text whose bytes a key is made of: sorted keys, ", " and ": ", ASCII escapes.

    Names that are numbers, such as those of `logit_bias`, are sorted as numbers, as in the ancestor's keys.
    Raises UnrecordableValue where a value has no JSON form.
    """
    return "".join(_canonical_parts(arguments, 0))


def with_texts(value: JsonValue, changed: Callable[[str], str]) -> JsonValue:
    """Return a copy of a JSON value with each text in it changed, names among them."""
    if isinstance(value, str):
        return changed(value)
    if isinstance(value, dict):
        return {with_texts(name, changed): with_texts(item, changed) for name, item in value.items()}
    return [with_texts(item, changed) for item in value] if isinstance(value, (list, tuple)) else value


def plain_arguments(
    kwargs: Mapping[str, object], as_sent: Callable[[Mapping[str, object]], Any] | None = None
) -> tuple[JsonObject, str, Mapping[str, object]]:
    """Return the request's body, its canonical text and the keyword arguments to call the SDK with.

    The body holds `kwargs` without sentinels and without what is no part of a request. One-shot iterables are read
    once: the body holds their items and so do the returned keyword arguments, which are otherwise `kwargs` itself.
    `as_sent` makes of arguments that are not plain JSON what the SDK makes of them before it serializes them.
    Raises UnrecordableValue, naming the JSON path, where a value has no JSON form.
    """
    body = {
        name: value
        for name, value in kwargs.items()
        if name not in NOT_PART_OF_A_REQUEST and (type(value) in _PLAIN_TYPES or not is_sentinel(value))
    }
    try:
        return body, canonical_text(body), kwargs
    except (_NotPlainJson, TypeError, ValueError, RecursionError):
        pass
    callable_with = _with_iterators_read(kwargs)
    sent = callable_with if as_sent is None else as_sent(callable_with)
    omitted = omitted_names(sent.get("extra_body"))
    body = {name: plain(sent[name], f"$.{name}") for name in body if name in sent and name not in omitted}
    try:
        return body, canonical_text(body), callable_with
    except ValueError as error:  # an integer of more digits than Python prints
        raise UnrecordableValue(f"the request has no JSON form: {error}") from error


def plain(value: object, where: str = "$") -> JsonValue:
    """Return `value` in JSON's own types, as the SDK would send it; raises UnrecordableValue naming the path.

    Names that are all numbers are left as they are, since a key has them in their own order: see `canonical_text`.
    """
    return _plain(value, where, ())


def as_recorded(value: object, where: str = "$") -> JsonValue:
    """Return `value` as `plain` does, but as a file has it: each name is a text. Raises as `plain` does."""
    return json.loads(json.dumps(plain(value, where)))


def _plain(value: object, where: str, ancestors: tuple[int, ...]) -> JsonValue:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value.value if isinstance(value, enum.Enum) else value
    if id(value) in ancestors or len(ancestors) > _DEEPEST:
        refuse(value, f"{where} (nested in itself, or too deep)")
    inside = (*ancestors, id(value))
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
        return str(next(iter(json.loads(json.dumps({name: 0})))))  # as json spells it: true, null, 1.5
    refuse(name, f"a name in {where}")


def _with_iterators_read(value: Any, depth: int = 0) -> Any:
    if depth > _DEEPEST:  # left to `plain`, which says where
        return value
    if isinstance(value, Iterator):
        return [_with_iterators_read(item, depth + 1) for item in value]
    if type(value) is dict:
        return {name: _with_iterators_read(item, depth + 1) for name, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_with_iterators_read(item, depth + 1) for item in value)
    return value


def _stop(value: object) -> None:
    raise _NotPlainJson


# json, not orjson: the key is a hash of these exact bytes. A cycle ends in a RecursionError.
_ENCODER = json.JSONEncoder(sort_keys=True, default=_stop, check_circular=False)


def _encoder_of_parts() -> Callable[[object, int], Iterable[str]]:
    """Return what encodes as `_ENCODER` does: the C encoder below it, made once instead of for every request."""
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    sample = {"b": [1.5, None, "é\ud800"], "a": {}}
    try:
        encode = make(None, _stop, json.encoder.encode_basestring_ascii, None, ": ", ", ", True, False, True)
        if "".join(encode(sample, 0)) == _ENCODER.encode(sample):
            return cast("Callable[[object, int], Iterable[str]]", encode)
    except TypeError:  # another Python may make it otherwise
        pass
    return lambda value, level: _ENCODER.iterencode(value)


_canonical_parts = _encoder_of_parts()
