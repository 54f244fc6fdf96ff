"""The chunks of a stream joined: to the answer that they are parts of, and to texts that are split between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from ..api_schema import is_enumerated
from ..json_tree import JsonObject, JsonValue, member, object_in
from .answer import RESPONSE_ENDS
from .joined_message import is_message_event, joined_message

_EVENT_POSITION = ("type", "item_id", "output_index", "content_index", "summary_index", "index")
_EVENT_NAMES = frozenset(_EVENT_POSITION)
_REPEATED = frozenset({"id", "object", "model", "type", "role", "name", "status", "finish_reason"})
"""Texts that a chunk holds whole; all other texts are joined."""
_INDEXED_LISTS = frozenset({"choices", "tool_calls"})
"""Lists whose items are joined by their "index" even where a server leaves it out."""
_NOISE = frozenset({"obfuscation"})
_DELTAS: dict[str, tuple[str, str]] = {
    "response.output_text.delta": ("message", "output_text"),
    "response.refusal.delta": ("message", "refusal"),
    "response.reasoning_text.delta": ("reasoning", "content"),
    "response.reasoning_summary_text.delta": ("reasoning", "summary"),
    "response.function_call_arguments.delta": ("function_call", "arguments"),
    "response.mcp_call_arguments.delta": ("mcp_call", "arguments"),
    "response.custom_tool_call_input.delta": ("custom_tool_call", "input"),
}
"""Event -> the type of the item to which it adds a text, and the member of the item that takes it."""


def joined_answer(chunks: Sequence[JsonValue]) -> JsonValue:
    """Return the chunks of a stream joined to the form of a plain answer, or as they are if their form is unknown."""
    objects = [chunk for chunk in chunks if isinstance(chunk, dict)]
    if not objects or len(objects) < len(chunks):
        return list(chunks)
    if any("choices" in chunk for chunk in objects):
        return joined_choices(objects)
    if any(map(is_message_event, objects)):
        return joined_message(objects)
    last = objects[-1]
    if last.get("type") in RESPONSE_ENDS and isinstance(last.get("response"), dict):
        return last["response"]
    return [{name: value for name, value in event.items() if name not in _NOISE} for event in objects]


def joined_choices(chunks: Iterable[JsonValue]) -> JsonObject:
    """Return the ChatCompletion or Completion that these chunks are parts of."""
    whole: JsonObject = {}
    choices: list[JsonValue] = []
    for chunk in chunks:
        if isinstance(chunk, dict):
            members = {name: value for name, value in chunk.items() if name not in _NOISE and value is not None}
            if isinstance(new_choices := members.pop("choices", None), list):
                _join_items(choices, new_choices, are_indexed=True)
            whole |= members
    whole.pop("object", None)  # that of a chunk
    for choice in choices:
        if isinstance(choice, dict) and "delta" in choice:
            choice["message"] = choice.pop("delta")
    return whole | {"choices": choices}


def joined_response(events: Iterable[JsonValue]) -> JsonObject:
    """Return the Response that these events are parts of.

    Items that did not end hold the texts that their events added.
    """
    response: JsonObject = {}
    items: dict[int, JsonObject] = {}
    texts: dict[int, dict[tuple[str, str], list[str]]] = {}
    error: JsonObject | None = None
    for event in events:
        if not isinstance(event, dict):
            continue
        kind, index = event.get("type"), event.get("output_index")
        index = index if isinstance(index, int) else 0
        if kind in ("response.output_item.added", "response.output_item.done"):
            items[index] = object_in(event, "item")
            if kind == "response.output_item.done":
                texts.pop(index, None)
        elif isinstance(kind, str) and kind in _DELTAS:
            texts.setdefault(index, {}).setdefault(_DELTAS[kind], []).append(text_added(event))
        elif isinstance(kind, str) and kind in RESPONSE_ENDS:
            response = object_in(event, "response")
        elif kind == "error":
            error = event
    for index, item_texts in texts.items():
        items[index] = _with_texts(items.get(index, {}), item_texts)
    if items:
        response = response | {"output": [items[index] for index in sorted(items)]}
    return response if error is None else response | {"error": error}


def text_added(event: JsonValue) -> str:
    """Return the text that an event of the Responses API adds to an item, "" for none."""
    kind, delta = member(event, "type"), member(event, "delta")
    return delta if isinstance(kind, str) and kind in _DELTAS and isinstance(delta, str) else ""


def _join(whole: JsonObject, delta: JsonObject) -> None:
    """Add the members of `delta` to `whole`."""
    for name, value in delta.items():
        old = whole.get(name)
        if (value is None or value == "") and name in whole:
            continue
        if isinstance(value, str) and isinstance(old, str) and _is_joined(name, old, value):
            whole[name] = old + value
        elif isinstance(value, dict):
            whole[name] = members = dict(old) if isinstance(old, dict) else {}
            _join(members, value)
        elif isinstance(value, list):
            whole[name] = items = list(old) if isinstance(old, list) else []
            _join_items(items, value, are_indexed=name in _INDEXED_LISTS)
        else:
            whole[name] = value


def _is_joined(name: str, old: str, new: str) -> bool:
    # Some servers repeat a function's name in each chunk, and some split it.
    return name not in _REPEATED or (name == "name" and new != old)


def _join_items(items: list[JsonValue], deltas: list[JsonValue], *, are_indexed: bool) -> None:
    """Add `deltas` to `items`; those with the same "index" are joined."""
    for delta in deltas:
        if not isinstance(delta, dict) or not (are_indexed or "index" in delta):
            items.append(delta)
            continue
        index = delta.get("index")
        same = (item for item in reversed(items) if isinstance(item, dict) and item.get("index") == index)
        item = next(same, None)
        if item is None or _are_different_calls(item, delta):
            item = {}
            items.append(item)
        _join(item, delta)


def _are_different_calls(item: JsonObject, delta: JsonObject) -> bool:
    # Ollama gives every tool call the index 0; only their ids tell them apart.
    old, new = item.get("id"), delta.get("id")
    return bool(old and new and old != new)


def _with_texts(item: JsonObject, texts: dict[tuple[str, str], list[str]]) -> JsonObject:
    """Return an item that did not end, with the texts that its events added."""
    whole = dict(item)
    for (kind, name), parts in texts.items():
        whole.setdefault("type", kind)
        text = "".join(parts)
        if kind == "message":
            content = whole.get("content")
            before = [item for item in content if isinstance(item, dict)] if isinstance(content, list) else []
            part: JsonObject = {"type": name, ("text" if name == "output_text" else name): text}
            whole["content"] = [*before, part]
        elif kind == "reasoning":
            whole[name] = [{"text": text}]
        else:
            whole[name] = text
    return whole


_T = TypeVar("_T")
_Path: TypeAlias = "tuple[object, ...]"
_Add: TypeAlias = "Callable[[_Path, Any, str | int, bool], None]"
"""Takes a text: its path in the chunk, its container, its name there, and whether it is the text of a token."""


@dataclass(slots=True)
class TextPart:
    """A part of a text that is split between chunks; it is `holder[name]`."""

    holder: Any
    name: str | int
    is_token: bool = False

    @property
    def text(self) -> str:
        text: str = self.holder[self.name]
        return text

    def become(self, text: str) -> None:
        """Replace the text; of a token, its bytes and alternatives too, which repeat it."""
        if self.is_token and text != self.text:
            self.holder.update({"bytes": None} if "bytes" in self.holder else {})
            self.holder.update({"top_logprobs": []} if "top_logprobs" in self.holder else {})
        self.holder[self.name] = text


def joined_texts(values: Iterable[JsonValue]) -> list[str]:
    """Return the texts that are split between these chunks, or between the tokens of one answer, each joined."""
    return ["".join(parts) for parts in _grouped(values, lambda holder, name, is_token: holder[name])]


def split_texts(values: Iterable[JsonValue]) -> list[list[TextPart]]:
    """Return the texts that are split between these chunks, or between the tokens of one answer, each as its parts.

    The parts of one text have the same path in their chunks: the same names, and in a list the same "index" (without
    one, the same position). Parts in events also have the same "type", "item_id" and indexes.
    """
    return _grouped(values, TextPart)


def rewrite_parts(parts: Sequence[TextPart], changes: Sequence[tuple[int, int, str]]) -> None:
    """Replace passages of a text that is split: (start, end, new text), in their order and without overlaps.

    A new text goes to the part in which the old one begins; the following parts lose what they had of it.
    """
    position, first = 0, 0
    for part in parts:
        text = part.text
        start, end = position, position + len(text)
        kept, at = [], start
        while first < len(changes) and changes[first][1] <= start:
            first += 1
        for number in range(first, len(changes)):
            change_start, change_end, new = changes[number]
            if change_start >= end:
                break
            kept += [text[at - start : max(change_start, start) - start], new if change_start >= start else ""]
            at = min(change_end, end)
        part.become("".join([*kept, text[at - start :]]))
        position = end


def _grouped(values: Iterable[JsonValue], made: Callable[[Any, str | int, bool], _T]) -> list[list[_T]]:
    """Return what is `made` of each text (see `TextPart`), one list for each path that has more than one."""
    texts: dict[_Path, list[_T]] = {}

    def add(path: _Path, holder: Any, name: str | int, is_token: bool) -> None:
        texts.setdefault(path, []).append(made(holder, name, is_token))

    for value in values:
        data = value.get("__data__", value) if isinstance(value, dict) else value
        event: _Path = ()
        if isinstance(data, dict) and not _EVENT_NAMES.isdisjoint(data):
            event = tuple(str(data.get(name)) for name in _EVENT_POSITION)
        _find(data, event, add)
    return [parts for parts in texts.values() if len(parts) > 1]


def _find(value: JsonValue, path: _Path, add: _Add) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            if isinstance(item, str):
                if name not in _REPEATED and not is_enumerated(name, item):
                    add((*path, name), value, name, False)
            elif item:
                _find(item, (*path, name), add)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            if isinstance(item, str):
                add((*path, number), value, number, False)
            elif isinstance(item, dict) and isinstance(item.get("token"), str) and "logprob" in item:
                add((*path, "token"), item, "token", True)
            elif item:
                index = item.get("index", number) if isinstance(item, dict) else number
                _find(item, (*path, str(index)), add)
