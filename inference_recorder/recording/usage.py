"""The token usage that a recorded answer reports.

What is counted is what the server says it used:

- Chat Completions, also those of groq, cerebras and together: `prompt_tokens` and `completion_tokens`, with their
  details. A stream has them in its last chunk; groq's has them in the `x_groq` of that chunk.
- Responses: `input_tokens` and `output_tokens`, with their details; of a stream those in the event that ends it.
- Anthropic's Messages: `input_tokens` does not include what was written to or read from the prompt cache. The tokens in
  are the sum of `input_tokens`, `cache_creation_input_tokens` and `cache_read_input_tokens`; what was read counts as
  cached. In a stream `message_start` has the counts so far, and `message_delta` has totals, which replace them.

Embeddings and other answers with a `usage` of these names count too. The answer to a `count_tokens` does not: no model
has used those tokens. Neither do seconds of sound.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..json_tree import JsonObject, JsonValue, member, object_in
from .answer import Recording, Value, items_of
from .body import chunk_value, untyped

_IN = ("prompt_tokens", "input_tokens")
_OUT = ("completion_tokens", "output_tokens")
"""The names of Chat Completions and of Responses; each API has details in "<name>_details"."""
_BESIDE_INPUT = ("cache_creation_input_tokens", "cache_read_input_tokens")
"""Tokens that Anthropic's `input_tokens` does not include; the `prompt_tokens` of a proxy does."""
_HOLDERS = ((), ("response",), ("message",), ("x_groq",))
"""The members of an answer or chunk that lead to its "usage": of events of Responses and Messages, of groq's chunks."""
_LARGEST_COUNT = 2**53 - 1
"""The largest integer that every reader of JSON keeps exactly."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the server counted them. Two of them can be added."""

    tokens_in: int = 0
    """Tokens of the requests."""
    tokens_out: int = 0
    """Tokens of the answers."""
    cached: int = 0
    """Those among `tokens_in` that the server had cached."""
    reasoning: int = 0
    """Those among `tokens_out` that the model used for reasoning."""

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
        return _counted(_counts_in(untyped(recording.answer.body)))
    counts: JsonObject = {}
    for chunk in reversed(items_of(recording.answer)):
        if isinstance(chunk, bytes) and b'"usage"' not in chunk:
            continue
        value = untyped(chunk_value(chunk, recording.path))
        if (counts_here := _counts_in(value)) and member(value, "type") != "message_delta":
            return _counted(counts_here | counts)
        counts = counts_here | counts
    return _counted(counts)


def _counts_in(value: JsonValue) -> JsonObject:
    """Return the "usage" that an answer or chunk reports, without nulls; {} if it counts no tokens."""
    for names in _HOLDERS:
        usage = object_in(value, *names, "usage")
        if _count(usage, *_IN, *_OUT) is not None:
            return {name: count for name, count in usage.items() if count is not None}
    return {}


def _counted(usage: JsonObject) -> Usage | None:
    if not usage:
        return None
    tokens_in, tokens_out = (_count(usage, *names) or 0 for names in (_IN, _OUT))
    cached = _detail(usage, _IN, "cached_tokens")
    if not any(name in usage for name in ("prompt_tokens", "input_tokens_details")):
        created, read = (_count(usage, name) or 0 for name in _BESIDE_INPUT)
        tokens_in, cached = tokens_in + created + read, max(cached, read)
    reasoning = max(_detail(usage, _OUT, name) for name in ("reasoning_tokens", "thinking_tokens"))
    return Usage(tokens_in, tokens_out, cached, reasoning)


def _detail(usage: JsonObject, names: tuple[str, ...], detail: str) -> int:
    return max(_count(usage.get(f"{name}_details"), detail) or 0 for name in names)


def _count(counts: JsonValue, *names: str) -> int | None:
    found = (member(counts, name) for name in names)
    return max((one for one in found if type(one) is int and 0 <= one <= _LARGEST_COUNT), default=None)
