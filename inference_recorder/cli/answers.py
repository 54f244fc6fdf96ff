"""An answer as people read it: the chunks of a stream joined, without what differs between all recordings."""

from __future__ import annotations

from ..recording.body import chunk_value, untyped
from ..recording.joined import joined_answer
from ..recording.model_lists import models_in
from ..recording.recording import Recording
from ..request.jsonable import JsonObject, JsonValue


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
    """Return the chunks of a stream joined, without an id that was made from the recording's key."""
    return _without_our_id(joined_answer(chunks))


def _without_our_id(body: JsonValue) -> JsonValue:
    """Return a body without an id that was made from the recording's key."""
    if isinstance(body, dict) and str(body.get("id", "")).startswith("rec-"):
        return {name: value for name, value in body.items() if name != "id"}
    return body
