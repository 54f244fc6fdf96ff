"""Secrets in JSON numbers: their spelling, their placeholders, and how a replay makes them numbers again.

A number that holds a secret becomes a whole JSON string, `"__REDACTED_1N__"`, with the digits around the secret left as
they are. So does one in JSON that is itself a string, where its quotes are escaped as all are there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

PLACEHOLDER = "__REDACTED_N__"
"""Replaces a secret number in a key."""
_NUMBERED = re.compile(r"__REDACTED_(\d+)J?__")
_IN_A_FILE = re.compile(rb'(?<!\\)(\\*)"([0-9.eE+-]*(?:__REDACTED_[0-9]+N__[0-9.eE+-]*)+)\1"')
_SPELLING = re.compile(r"[0-9.e+-]+")
_PART = re.compile(r"__REDACTED_([0-9]+)N__")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?')
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def spelled(number: float) -> str:
    """Return a number as a canonical text spells it."""
    return json.dumps(number)


def may_hold(secret: str) -> bool:
    """Return whether the spelling of a number may contain this text."""
    return _SPELLING.fullmatch(secret) is not None


def marked(placeholder: str) -> str:
    """Return the placeholder of a secret in a number, given its placeholder in a text."""
    return _NUMBERED.sub(r"__REDACTED_\1N__", placeholder)


def bare_numbers(text: str) -> list[tuple[int, int]]:
    """Return the spans of the numbers in a text that is JSON, such as a tool call's arguments; otherwise []."""
    if not text.lstrip().startswith(("{", "[")):
        return []
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [match.span() for match in _TOKEN.finditer(text) if not match[0].startswith('"')]


def numbers_restored(content: bytes, secret_of: Callable[[str], str | None]) -> tuple[bytes, bool]:
    """Return a recording with its secret numbers restored, and whether there were any.

    `secret_of` returns the secret for the number of a placeholder. What is not a JSON number with the present secret in
    it becomes a text.
    """
    is_changed = False
    if b"N__" not in content:
        return content, False

    def given(match: re.Match[bytes]) -> bytes:
        nonlocal is_changed
        text = match[2].decode()
        present = _PART.sub(lambda part: part[0] if (known := secret_of(part[1])) is None else known, text)
        if _PART.search(present) is not None:
            return match[0]
        is_changed = True
        if _JSON_NUMBER.fullmatch(present):
            return present.encode()
        for _ in range(len(match[1]).bit_length() + 1):  # 0, 1, 3, 7 backslashes: one level of JSON more each
            present = json.dumps(present)[1:-1]
        return match[1] + b'"' + present.encode() + match[1] + b'"'

    return _IN_A_FILE.sub(given, content), is_changed
