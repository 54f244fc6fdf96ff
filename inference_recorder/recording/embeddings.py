"""Embeddings in base64, which openai asks for, and decodes, if its caller names no format; see `sent_alike`."""

from __future__ import annotations

import base64
import struct

from ..json_tree import JsonValue
from .body import untyped


def in_base64(body: JsonValue) -> JsonValue:
    """Return a recorded body with its embeddings in base64, as they were before the SDK decoded them.

    Numbers that a server sent as such stay: they are not those of 32 bits.
    """
    data = untyped(body)
    items = data.get("data") if isinstance(data, dict) else None
    if not isinstance(body, dict) or not isinstance(data, dict) or not isinstance(items, list):
        return body
    encoded: JsonValue = {**data, "data": list(map(_encoded, items))}
    return encoded if data is body else {**body, "__data__": encoded}


def _encoded(item: JsonValue) -> JsonValue:
    numbers = item.get("embedding") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(numbers, list):
        return item
    layout = f"<{len(numbers)}f"
    try:
        packed = struct.pack(layout, *numbers)
    except (struct.error, OverflowError):
        return item
    if list(struct.unpack(layout, packed)) != numbers:
        return item
    return {**item, "embedding": base64.b64encode(packed).decode()}
