"""An answer as people read it: the chunks of a stream joined, without what differs between all recordings."""

from __future__ import annotations

from collections.abc import Iterable

from ..recording.codec import chunk_value, untyped
from ..recording.model_lists import models_in
from ..recording.recording import RESPONSE_ENDS, Recording
from ..request.jsonable import JsonObject, JsonValue

_REPEATED = frozenset({"id", "type", "role", "name", "finish_reason"})
"""Texts that the chunks of a choice repeat; all other texts are joined."""
_NOISE = frozenset({"obfuscation"})


def readable_answer(recording: Recording) -> JsonObject:
    """Return the answer's body, and its failure if it has one, as one JSON object."""
    readable: JsonObject = {}
    path, answer = recording
    if answer.chunks is not None and answer.is_streaming:
        readable["body"] = joined([untyped(chunk_value(chunk, path)) for chunk in answer.chunks])
    elif answer.chunks is not None:
        readable["body"] = models_in(answer, path)
    elif answer.failure is None or answer.body is not None:
        readable["body"] = _without_our_id(untyped(answer.body))
    if answer.failure is not None:
        failure = answer.failure
        readable["failure"] = {
            "type": failure.type,
            "message": failure.message,
            "status_code": failure.status_code,
            "body": failure.body,
        }
    if not answer.is_complete:
        readable["is_complete"] = False
    return readable


def joined(chunks: list[JsonValue]) -> JsonValue:
    """Return the chunks of a stream joined to the form of a plain answer, or as they are if their form is unknown."""
    objects = [chunk for chunk in chunks if isinstance(chunk, dict)]
    if not objects or len(objects) < len(chunks):
        return chunks
    if any("choices" in chunk for chunk in objects):
        return _without_our_id(_joined_choices(objects))
    last = objects[-1]
    if last.get("type") in RESPONSE_ENDS and isinstance(last.get("response"), dict):
        return last["response"]
    return [{name: value for name, value in event.items() if name not in _NOISE} for event in objects]


def _joined_choices(chunks: Iterable[JsonObject]) -> JsonObject:
    whole: JsonObject = {}
    choices: list[JsonValue] = []
    for chunk in chunks:
        members = {name: value for name, value in chunk.items() if name not in _NOISE and value is not None}
        if isinstance(new_choices := members.pop("choices", None), list):
            _join_items(choices, new_choices)
        whole |= members
    whole.pop("object", None)  # that of a chunk
    for choice in choices:
        if isinstance(choice, dict) and "delta" in choice:
            choice["message"] = choice.pop("delta")
    return whole | {"choices": choices}


def _join(whole: JsonObject, delta: JsonObject) -> None:
    """Add the members of `delta` to `whole`."""
    for name, value in delta.items():
        old = whole.get(name)
        if value is None and name in whole:
            continue
        if isinstance(value, str) and isinstance(old, str) and name not in _REPEATED:
            whole[name] = old + value
        elif isinstance(value, dict):
            whole[name] = members = dict(old) if isinstance(old, dict) else {}
            _join(members, value)
        elif isinstance(value, list):
            whole[name] = items = list(old) if isinstance(old, list) else []
            _join_items(items, value)
        else:
            whole[name] = value


def _join_items(items: list[JsonValue], deltas: list[JsonValue]) -> None:
    """Add `deltas` to `items`; those with the same "index" are joined."""
    for delta in deltas:
        if not isinstance(delta, dict) or "index" not in delta:
            items.append(delta)
            continue
        item = next((item for item in items if isinstance(item, dict) and item.get("index") == delta["index"]), None)
        if item is None:
            item = {}
            items.append(item)
        _join(item, delta)


def _without_our_id(body: JsonValue) -> JsonValue:
    """Return a body without an id that was made from the recording's key."""
    if isinstance(body, dict) and str(body.get("id", "")).startswith("rec-"):
        return {name: value for name, value in body.items() if name != "id"}
    return body
