"""What an answer says, be it whole or joined from its chunks, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..identity.jsonable import JsonValue
from .parts import Turn, object_in


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the server counted them; `cached` are among those in, `reasoning` among those out."""

    tokens_in: int
    tokens_out: int
    cached: int = 0
    reasoning: int = 0


class Reply(NamedTuple):
    """An answer as turns, one for each choice."""

    turns: tuple[Turn, ...]
    usage: Usage | None = None
    failure: str = ""
    """What went wrong by the answer's own word, such as the error of a failed response."""


def usage_in(answer: JsonValue) -> Usage | None:
    """Return the usage that an answer tells under either API's names, None where it tells none."""
    usage = object_in(answer, "usage")
    if not usage:
        return None
    details_in = object_in(usage, "prompt_tokens_details") or object_in(usage, "input_tokens_details")
    details_out = object_in(usage, "completion_tokens_details") or object_in(usage, "output_tokens_details")
    return Usage(
        _count(usage.get("prompt_tokens")) or _count(usage.get("input_tokens")),
        _count(usage.get("completion_tokens")) or _count(usage.get("output_tokens")),
        _count(details_in.get("cached_tokens")),
        _count(details_out.get("reasoning_tokens")),
    )


def _count(value: JsonValue) -> int:
    # Up to what any reader of JSON keeps exactly.
    return value if type(value) is int and 0 <= value < 2**53 else 0
