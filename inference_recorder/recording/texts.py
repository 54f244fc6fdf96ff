"""The texts of an answer that a later request may repeat."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from ..errors import CorruptRecording
from ..json_tree import JsonValue
from .answer import Value, items_of
from .body import chunk_value, untyped
from .codec import decode
from .joined import joined_texts


def new_texts(new: bytes, old: bytes | None) -> set[str]:
    """Return the texts of one recording's answer that another's does not have; all of them where there is no other."""
    return _texts_of(new) - (set() if old is None else _texts_of(old))


def repeats_one(request: JsonValue, texts: Iterable[str]) -> bool:
    """Whether a request contains one of these texts, alone or between other words."""
    request_texts = [text for _, text in _leaves(request, ())]
    return any(_stands_in(text, request_text) for text in texts for request_text in request_texts)


def _texts_of(content: bytes) -> set[str]:
    """Return the texts, ids included, in a recording's answer; of a stream joined, of JSON in a text its texts too."""
    try:
        answer = decode(content, "").answer
        values = [answer.body] if isinstance(answer, Value) else [chunk_value(item, "") for item in items_of(answer)]
    except CorruptRecording:
        return set()
    at_places: dict[tuple[object, ...], set[str]] = {}
    for value in values:
        for path, text in _leaves(untyped(value), ()):
            at_places.setdefault(path, set()).add(text)
    # A text that differs from chunk to chunk is part of a longer one.
    texts = {text for found in at_places.values() if len(found) == 1 for text in found} | set(joined_texts(values))
    texts |= {inner for text in texts if text[:1] in ("{", "[") for inner in _texts_in_json(text)}
    return {text.strip() for text in texts} - {""}


def _leaves(value: JsonValue, path: tuple[object, ...]) -> Iterator[tuple[tuple[object, ...], str]]:
    """Yield each text with its path; an item of a list is known by its "index" where it has one, as choices are."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, (*path, name))
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            yield from _leaves(item, (*path, item.get("index", position) if isinstance(item, dict) else position))


def _texts_in_json(text: str) -> Iterator[str]:
    try:
        yield from (inner for _, inner in _leaves(json.loads(text), ()))
    except (ValueError, RecursionError):
        pass


def _stands_in(text: str, longer: str) -> bool:
    start = longer.find(text)
    while start >= 0:
        before, after = longer[start - 1 : start], longer[start + len(text) :][:1]
        if not (text[:1].isalnum() and before.isalnum()) and not (text[-1:].isalnum() and after.isalnum()):
            return True
        start = longer.find(text, start + 1)
    return False
