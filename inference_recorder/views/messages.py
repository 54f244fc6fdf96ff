"""Anthropic's Messages: their content blocks, plain or streamed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from ..json_tree import JsonObject, JsonValue, object_in
from ..recording.joined_message import delta_text, joined_message
from .parts import Part, Turn, content_parts, objects_in, pretty, text_in
from .reply import Reply


def request_blocks(body: JsonObject) -> Iterator[Turn]:
    """Yield the system prompt and the messages of a request; results of tools are turns of their own."""
    if system := body.get("system"):
        yield Turn("system", tuple(content_parts(system)))
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else [messages]:
        if isinstance(message, dict):
            yield from _message_turns(message)
        elif message is not None:
            yield Turn("user", (Part("json", pretty(message)),))


def request_batch(body: JsonObject) -> Iterator[Turn]:
    """Yield how many requests a batch has, and what its caller calls them."""
    names = [text_in(request, "custom_id") or "(without an id)" for request in objects_in(body, "requests")]
    if names:
        count = f"{len(names):,} request{'' if len(names) == 1 else 's'}"
        yield Turn("batch", (Part("attachment", count), Part("text", "\n".join(names))))


def message_reply(answer: JsonValue) -> Reply:
    """Return the reply in a Message."""
    content = answer.get("content") if isinstance(answer, dict) else None
    refusal = text_in(object_in(answer, "stop_details"), "explanation")
    parts = (*content_parts(content), *([Part("refusal", refusal)] if refusal else []))
    note = ": ".join(text for text in (text_in(answer, "stop_reason"), text_in(answer, "stop_sequence")) if text)
    turns = (Turn(text_in(answer, "role") or "assistant", parts, note),) if parts or note else ()
    error = object_in(answer, "error")
    return Reply(turns, text_in(error, "message") or (pretty(error) if error else ""))


def streamed_message(events: Sequence[JsonValue]) -> Reply:
    """Return the reply in the events of a stream, as far as they came."""
    return message_reply(joined_message(events))


def count_reply(answer: JsonValue) -> Reply:
    """Return how many tokens a request would have."""
    count = answer.get("input_tokens") if isinstance(answer, dict) else None
    return Reply((Turn("count", (Part("text", f"{count:,} tokens in"),)),) if type(count) is int else ())


def message_characters(event: JsonValue) -> int:
    """Return how many characters an event adds: of text, of thinking, of a call's input."""
    added = delta_text(event)
    return 0 if added is None else len(added[1])


def _message_turns(message: JsonObject) -> Iterator[Turn]:
    role, content = text_in(message, "role") or "user", message.get("content")

    def speaker(block: JsonValue) -> str:
        return "tool" if role == "user" and text_in(block, "type").endswith("tool_result") else role

    if not isinstance(content, list) or not content:
        yield Turn(role, tuple(content_parts(content)))
        return
    for name, blocks in groupby(content, key=speaker):
        yield Turn(name, tuple(content_parts(list(blocks))))
