"""An answer as people read it: the chunks of a stream joined, without what differs between all recordings."""

from __future__ import annotations

from ..errors import assert_never
from ..json_tree import JsonObject, JsonValue
from ..recording.answer import Failed, ModelList, Recording, Streamed, Value, failure_of, is_complete
from ..recording.body import chunk_value, untyped
from ..recording.joined import joined_answer
from ..recording.model_lists import models_in


def readable_answer(recording: Recording) -> JsonObject:
    """Return the answer's body, and its failure if it has one, as one JSON object."""
    readable: JsonObject = {}
    answer = recording.answer
    match answer:
        case Value():
            readable["body"] = _without_our_id(untyped(answer.body))
        case Streamed():
            readable["body"] = joined([untyped(chunk_value(chunk, recording.path)) for chunk in answer.chunks])
        case ModelList():
            readable["body"] = models_in(answer, recording.path)
        case Failed():
            pass
        case _:
            assert_never(answer)
    if (failure := failure_of(answer)) is not None:
        readable["failure"] = {
            "type": failure.type,
            "message": failure.message,
            "status_code": failure.status_code,
            "body": failure.body,
        }
    if not is_complete(answer):
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
