"""The token usage that a recorded answer reports."""

from __future__ import annotations

from dataclasses import dataclass

from ..json_tree import JsonObject, JsonValue
from .answer import Recording, Value, items_of
from .body import chunk_value, untyped

_IN = ("prompt_tokens", "input_tokens")
_OUT = ("completion_tokens", "output_tokens")
"""The names of Chat Completions and of Responses; each API has details in "<name>_details"."""
_LARGEST_COUNT = 2**53 - 1
"""The largest integer that every reader of JSON keeps exactly."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the server counted them; `cached` are among those in, `reasoning` among those out."""

    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    reasoning: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.cached + other.cached,
            self.reasoning + other.reasoning,
        )


def usage_of(recording: Recording) -> Usage | None:
    """Return the usage that an answer reports, of a stream the last one; None where it reports none.

    Raises CorruptRecording if the line of a chunk is not JSON.
    """
    if isinstance(recording.answer, Value):
        return _usage_in(untyped(recording.answer.body))
    for chunk in reversed(items_of(recording.answer)):
        if isinstance(chunk, bytes) and b'"usage"' not in chunk:
            continue
        if (usage := _usage_in(untyped(chunk_value(chunk, recording.path)))) is not None:
            return usage
    return None


def _usage_in(value: JsonValue) -> Usage | None:
    """Return the usage of an answer or chunk; an event of the Responses API holds it in its "response"."""
    for holder in (value, _object_in(value, "response")):
        usage = _object_in(holder, "usage")
        tokens_in, tokens_out = (_count(usage, *names) for names in (_IN, _OUT))
        if tokens_in is not None or tokens_out is not None:
            cached, reasoning = _detail(usage, _IN, "cached_tokens"), _detail(usage, _OUT, "reasoning_tokens")
            return Usage(tokens_in or 0, tokens_out or 0, cached, reasoning)
    return None


def _detail(usage: JsonObject, names: tuple[str, ...], detail: str) -> int:
    return max(_count(_object_in(usage, f"{name}_details"), detail) or 0 for name in names)


def _count(counts: JsonObject, *names: str) -> int | None:
    found = (counts.get(name) for name in names)
    return max((one for one in found if type(one) is int and 0 <= one <= _LARGEST_COUNT), default=None)


def _object_in(value: JsonValue, name: str) -> JsonObject:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}
