"""The Responses API: its items, plain or streamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from ..json_tree import JsonObject, JsonValue, object_in
from ..recording.joined import joined_response, text_added
from .parts import Part, Turn, content_parts, described_media, objects_in, pretty, result_text, text_in
from .reply import Reply

_CALLS = {"function_call": "arguments", "custom_tool_call": "input", "mcp_call": "arguments"}
"""Item types whose call has a name, and where they keep what it is called with."""
_BESIDE_A_CALL = frozenset({"id", "call_id", "status", "type", "result"})


def request_items(body: JsonObject) -> Iterator[Turn]:
    """Yield the instructions and the input of a request."""
    if instructions := text_in(body, "instructions"):
        yield Turn("instructions", (Part("text", instructions),))
    given = body.get("input")
    if isinstance(given, list):
        yield from _turns(given, "user")
    elif given is not None:
        yield Turn("user", (Part("text" if isinstance(given, str) else "json", pretty(given)),))


def response_reply(answer: JsonValue) -> Reply:
    """Return the reply in a Response."""
    output = answer.get("output") if isinstance(answer, dict) else None
    turns = tuple(_turns(output if isinstance(output, list) else (), "assistant", _end(answer)))
    return Reply(turns, _error(answer))


def streamed_response(events: Sequence[JsonValue]) -> Reply:
    """Return the reply in the events of a stream, as far as they came."""
    return response_reply(joined_response(events))


def response_characters(event: JsonValue) -> int:
    """Return how many characters an event adds."""
    return len(text_added(event))


def _turns(items: Iterable[JsonValue], role: str, note: str = "") -> Iterator[Turn]:
    """Yield the items in their order, those next to each other that one role says as one turn."""
    spoken = [(_role(item, role), list(_item_parts(item))) for item in items]
    turns = [
        (speaker, tuple(part for _, parts in group for part in parts))
        for speaker, group in groupby(spoken, key=lambda one: one[0])
    ]
    for position, (speaker, parts) in enumerate(turns):
        yield Turn(speaker, parts, note if position == len(turns) - 1 else "")
    if note and not turns:
        yield Turn(role, (), note)


def _role(item: JsonValue, role: str) -> str:
    kind = text_in(item, "type")
    if kind.endswith("_output"):
        return "tool"
    if kind.endswith("_call") or kind == "reasoning":
        return "assistant"
    return text_in(item, "role") or role


def _item_parts(item: JsonValue) -> Iterator[Part]:
    kind = text_in(item, "type")
    if not isinstance(item, dict) or (kind in ("", "message") and "content" in item):
        yield from content_parts(item["content"] if isinstance(item, dict) else item)
    elif kind == "reasoning":
        for named in ("summary", "content"):
            for one in objects_in(item, named):
                yield Part("reasoning", text_in(one, "text"))
        if not item.get("summary") and not item.get("content"):
            yield Part("reasoning", "(kept by the server)")
    elif kind in _CALLS:
        yield Part("call", pretty(item.get(_CALLS[kind], "")), text_in(item, "name"), text_in(item, "call_id", "id"))
        if output := item.get("output") or item.get("error"):
            yield Part("result", result_text(output), text_in(item, "name"))
    elif kind.endswith("_output"):
        yield Part("result", result_text(item.get("output")), id=text_in(item, "call_id"))
    elif kind.endswith("_call"):
        arguments = {name: value for name, value in item.items() if name not in _BESIDE_A_CALL}
        yield Part(
            "call", pretty(arguments) if arguments else "", kind.removesuffix("_call"), text_in(item, "call_id", "id")
        )
        if isinstance(item.get("result"), str):
            yield Part("attachment", described_media(item, "image"))
    else:
        yield from content_parts([item])


def _end(answer: JsonValue) -> str:
    reason = text_in(object_in(answer, "incomplete_details"), "reason")
    status = text_in(answer, "status")
    return f"{status}: {reason}" if reason else status


def _error(answer: JsonValue) -> str:
    error = object_in(answer, "error")
    return text_in(error, "message") or (pretty(error) if error else "")
