"""How many tokens a recorded answer says it took."""

from __future__ import annotations

from typing import NamedTuple

from ..identity.jsonable import JsonValue
from .codec import chunk_value, untyped
from .recording import Recording


class Usage(NamedTuple):
    """Tokens that a server counted."""

    tokens_in: int = 0
    tokens_out: int = 0

    def __add__(self, other: object) -> Usage:
        return Usage(self[0] + other[0], self[1] + other[1]) if isinstance(other, Usage) else NotImplemented


def usage_of(recording: Recording) -> Usage | None:
    """Return the usage that an answer reports, of a stream the last one; None where it reports none.

    Raises CorruptRecording where a chunk's line is no JSON.
    """
    if recording.answer.chunks is None:
        return _usage_in(untyped(recording.answer.body))
    for chunk in reversed(recording.answer.chunks):
        if isinstance(chunk, bytes) and b'"usage"' not in chunk:
            continue
        if (usage := _usage_in(untyped(chunk_value(chunk, recording.path)))) is not None:
            return usage
    return None


def _usage_in(value: JsonValue) -> Usage | None:
    """Return the usage of an answer or chunk; an event of the Responses API holds it in its "response"."""
    if not isinstance(value, dict):
        return None
    usage = value.get("usage")
    if isinstance(usage, dict):
        tokens_in = usage.get("prompt_tokens", usage.get("input_tokens"))
        tokens_out = usage.get("completion_tokens", usage.get("output_tokens"))
        if isinstance(tokens_in, int) or isinstance(tokens_out, int):
            return Usage(*(tokens if isinstance(tokens, int) else 0 for tokens in (tokens_in, tokens_out)))
    return _usage_in(value.get("response"))
