"""A recording's own map of ids, applied to the whole of it."""

from __future__ import annotations

from ..errors import CorruptRecording
from ..json_tree import JsonObject
from . import json_bytes

_LARGEST_GROWTH = 10
"""How many times the text of a file may grow by its own id mapping."""
_MOST_REPLACED = 1 << 33
"""Characters that may be searched for the ids of a mapping; each id is searched in the whole text."""


def with_ids_normalised(document: JsonObject, path: str) -> JsonObject:
    """Apply a recording's own id mapping {normalised: original}: each original is replaced in the whole text.

    Source: llama-stack `api_recorder.py`, `_recording_from_file`.
    """
    mapping = document.get("id_normalization_mapping") or {}
    if not mapping:
        return document
    members = mapping if isinstance(mapping, dict) else {}
    originals = {name: original for name, original in members.items() if isinstance(original, str)}
    if not originals or len(originals) < len(members):
        raise CorruptRecording(path, "$.id_normalization_mapping must hold strings")
    try:
        text = json_bytes.dumps({**document, "id_normalization_mapping": {}}).decode()
        replaced = json_bytes.loads(_with_ids_replaced(text, originals).encode(), exactly=True)
    except (ValueError, RecursionError) as error:
        raise CorruptRecording(path, f"$.id_normalization_mapping breaks it: {error}") from None
    if not isinstance(replaced, dict):
        raise CorruptRecording(path, "$.id_normalization_mapping breaks it: the result is not an object")
    return replaced


def _with_ids_replaced(text: str, mapping: dict[str, str]) -> str:
    """Return `text` with each original as its normalised form; raises ValueError where that takes too much."""
    largest = len(text) * _LARGEST_GROWTH
    if len(text) * len(mapping) > _MOST_REPLACED:
        raise ValueError(f"{len(mapping)} ids are too many for {len(text)} characters")
    for normalised, original in mapping.items():
        if original:
            if len(text) + text.count(original) * (len(normalised) - len(original)) > largest:
                raise ValueError(f"the text would grow to more than {_LARGEST_GROWTH} times its size")
            text = text.replace(original, normalised)
    return text
