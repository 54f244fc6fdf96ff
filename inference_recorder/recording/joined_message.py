"""The events of Anthropic's Messages joined to the message that they are parts of.

Source of the rules: anthropic `lib/streaming/_messages.py`, `accumulate_event`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..json_tree import JsonObject, JsonValue, member, object_in
from . import json_bytes

_EVENTS = frozenset({"message_start", "message_delta", "content_block_start", "content_block_delta"})
_TEXTS: Mapping[str, tuple[str, str]] = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "input_json_delta": ("tool_use", "partial_json"),
}
"""Delta -> the type of the block to which it adds a text, and the member that holds the text."""


def is_message_event(event: JsonValue) -> bool:
    """Whether a chunk is an event that says something of a message."""
    kind = member(event, "type")
    return isinstance(kind, str) and kind in _EVENTS


def joined_message(events: Iterable[JsonValue]) -> JsonObject:
    """Return the Message that these events are parts of, as far as they came and in whatever order.

    The input of a tool call that did not end is the text that came of it. An error in the stream is its "error".
    """
    message: JsonObject = {}
    usage: JsonObject = {}
    blocks: dict[int, JsonObject] = {}
    texts: dict[int, dict[str, list[str]]] = {}
    citations: dict[int, list[JsonValue]] = {}
    for event in events:
        kind, index, delta = member(event, "type"), member(event, "index"), object_in(event, "delta")
        index = index if type(index) is int else 0
        if kind == "message_start":
            message = object_in(event, "message") | message
            usage = object_in(message, "usage") | usage
        elif kind == "message_delta":  # its counts are totals
            message |= _given(delta)
            usage |= _given(object_in(event, "usage"))
        elif kind == "content_block_start":
            blocks[index] = object_in(event, "content_block") | blocks.get(index, {})
        elif kind == "content_block_delta":
            block = blocks.setdefault(index, {})
            if (added := delta_text(event)) is not None:
                texts.setdefault(index, {}).setdefault(added[0], []).append(added[1])
            elif "citation" in delta:
                citations.setdefault(index, []).append(delta["citation"])
            else:  # a member as a whole, such as "signature"
                block |= {name: value for name, value in delta.items() if name != "type"}
        elif kind == "error":
            message["error"] = object_in(event, "error")
    for index, block_texts in texts.items():
        for name, parts in block_texts.items():
            _add(blocks[index], name, "".join(parts))
    for index, cited in citations.items():
        begun = blocks[index].get("citations")
        blocks[index]["citations"] = [*(begun if isinstance(begun, list) else []), *cited]
    if blocks:
        message["content"] = [blocks[index] for index in sorted(blocks)]
    if usage:
        message["usage"] = usage
    return message


def delta_text(event: JsonValue) -> tuple[str, str] | None:
    """Return what an event adds to a block: the delta's type and the text; None for one that adds no text."""
    delta = member(event, "delta")
    kind = member(delta, "type")
    text = member(delta, _TEXTS[kind][1]) if isinstance(kind, str) and kind in _TEXTS else None
    return (kind, text) if isinstance(kind, str) and isinstance(text, str) else None


def _add(block: JsonObject, delta: str, text: str) -> None:
    kind, name = _TEXTS[delta]
    block.setdefault("type", kind)
    if name != "partial_json":
        begun = block.get(name)
        block[name] = (begun if isinstance(begun, str) else "") + text
    elif text:  # of a call without arguments it is empty, and the block began with {}
        try:
            block["input"] = json_bytes.loads(text.encode(), exactly=True)
        except (ValueError, RecursionError):
            block["input"] = text


def _given(members: JsonObject) -> JsonObject:
    return {name: value for name, value in members.items() if value is not None}
