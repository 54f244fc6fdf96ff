"""How many tokens a recorded answer says were used."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from .format.codec import chunk_value, untyped
from .format.recording import Answer
from .identity.jsonable import JsonObject, JsonValue
from .storage.catalogue import entry_of

_NAMES = (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens"))
"""As the chat, completion and embedding endpoints name them, and as Responses and images do."""


class Usage(NamedTuple):
    """Tokens that went in and came out."""

    tokens_in: int = 0
    tokens_out: int = 0

    def __add__(self, other: object) -> Usage:
        if not isinstance(other, Usage):
            return NotImplemented
        return Usage(self.tokens_in + other.tokens_in, self.tokens_out + other.tokens_out)


def usage_of(path: Path) -> Usage | None:
    """Return what the recording in this file says was used, None where it does not; raises CorruptRecording."""
    return answered_usage(entry_of(path).recording().answer)


def answered_usage(answer: Answer) -> Usage | None:
    """Return what an answer says was used; a stream says it in its last chunks, if at all."""
    if answer.chunks is None:
        return _usage(untyped(answer.body))
    if not answer.is_streaming:
        return None
    for chunk in reversed(answer.chunks):
        if isinstance(chunk, bytes) and b'"usage"' not in chunk:
            continue
        data = untyped(chunk_value(chunk))
        if isinstance(data, dict) and (usage := _usage(data) or _usage(data.get("response"))) is not None:
            return usage
    return None


def _usage(data: JsonValue) -> Usage | None:
    told = data.get("usage") if isinstance(data, dict) else None
    if not isinstance(told, dict):
        return None
    for name_in, name_out in _NAMES:
        if name_in in told:
            return Usage(_count(told, name_in), _count(told, name_out))
    return None


def _count(told: JsonObject, name: str) -> int:
    count = told.get(name)
    return count if isinstance(count, int) else 0
