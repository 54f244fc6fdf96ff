"""An answer as a person reads it: a stream joined to what it came to, without what every recording makes anew."""

from __future__ import annotations

from collections.abc import Iterable

from ..recording.codec import chunk_value, untyped
from ..recording.model_lists import models_in
from ..recording.recording import RESPONSE_ENDS, Recording
from ..request.jsonable import JsonObject, JsonValue

_SAID_ANEW = frozenset({"id", "type", "role", "name", "finish_reason"})
"""Texts within a choice that chunks repeat, where all others are pieces of one text."""
_NOISE = frozenset({"obfuscation"})


def as_read(recording: Recording) -> JsonObject:
    """Return the answer's body, and its failure where it has one, as one JSON object."""
    told: JsonObject = {}
    path, answer = recording
    if answer.chunks is not None and answer.is_streaming:
        told["body"] = joined([untyped(chunk_value(chunk, path)) for chunk in answer.chunks])
    elif answer.chunks is not None:
        told["body"] = models_in(answer, path)
    elif answer.failure is None or answer.body is not None:
        told["body"] = _without_our_id(untyped(answer.body))
    if answer.failure is not None:
        failure = answer.failure
        told["failure"] = {
            "type": failure.type,
            "message": failure.message,
            "status_code": failure.status_code,
            "body": failure.body,
        }
    if not answer.is_complete:
        told["is_complete"] = False
    return told


def joined(chunks: list[JsonValue]) -> JsonValue:
    """Return what the chunks of a stream come to, in the form of a plain answer; the chunks where that is unknown."""
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
        said = {name: value for name, value in chunk.items() if name not in _NOISE and value is not None}
        if isinstance(pieces := said.pop("choices", None), list):
            _join_items(choices, pieces)
        whole |= said
    whole.pop("object", None)  # it says that this was a chunk
    for choice in choices:
        if isinstance(choice, dict) and "delta" in choice:
            choice["message"] = choice.pop("delta")
    return whole | {"choices": choices}


def _join(whole: JsonObject, piece: JsonObject) -> None:
    for name, value in piece.items():
        old = whole.get(name)
        if value is None and name in whole:
            continue
        if isinstance(value, str) and isinstance(old, str) and name not in _SAID_ANEW:
            whole[name] = old + value
        elif isinstance(value, dict):
            whole[name] = target = dict(old) if isinstance(old, dict) else {}
            _join(target, value)
        elif isinstance(value, list):
            whole[name] = target_list = list(old) if isinstance(old, list) else []
            _join_items(target_list, value)
        else:
            whole[name] = value


def _join_items(items: list[JsonValue], pieces: list[JsonValue]) -> None:
    for piece in pieces:
        if not isinstance(piece, dict) or "index" not in piece:
            items.append(piece)
            continue
        item = next((one for one in items if isinstance(one, dict) and one.get("index") == piece["index"]), None)
        if item is None:
            item = {}
            items.append(item)
        _join(item, piece)


def _without_our_id(body: JsonValue) -> JsonValue:
    """Return a body without the id that is made of the recording's own key."""
    if isinstance(body, dict) and str(body.get("id", "")).startswith("rec-"):
        return {name: value for name, value in body.items() if name != "id"}
    return body
