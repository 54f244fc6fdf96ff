"""The placeholders that replace secrets in keys and files, and how texts that look like a placeholder are escaped.

A request or an answer may hold the text of a placeholder itself: typed in a prompt, or read from a recording by a
model. Such a literal is escaped in keys and files with one more `_LITERAL`: `__REDACTED_1__` becomes
`__REDACTED_LITERAL_1__`, and is restored on replay.
"""

from __future__ import annotations

import re

from ..recording import json_bytes

PLACEHOLDER_START = "__REDACTED"
PLACEHOLDER = "__REDACTED__"
"""Replaces a secret in a key, and in a file a secret that the request does not hold."""
NUMBERED = re.compile(r"__REDACTED_(\d+)([JN]?)__")
"""Replaces a secret of the request in a file, by its number. J: it is in JSON within a string. N: it is in a number
(see `numbers`)."""
LITERAL = re.compile(r"(?:__REDACTED(?:_LITERAL)*(?:_\d+[JN]?)?(?=__))+__")
"""One or more placeholders, escaped or not, each of which starts with the last two characters of the one before."""
LITERAL_MARK = "__REDACTED_LITERAL"
ESCAPED_OR_PLACEHOLDER = re.compile(r"__REDACTED(?:(_LITERAL)|(?:_(\d+)([JN]?))?__)")
"""In a file, from left to right: the escape of a literal, or a placeholder with or without a number."""
NUMBERS = re.compile(r"(?:__REDACTED(?:_LITERAL)+(?:_\d+[JN]?)?(?=__))+__|__REDACTED_(\d+)[JN]?__")
"""In the request of a file: a literal, or a placeholder with its number."""


def escaped(text: str) -> str:
    """Return a text with everything that starts like a placeholder escaped."""
    return text.replace(PLACEHOLDER_START, LITERAL_MARK)


def unescaped(text: str) -> str:
    """Return an escaped text as it was."""
    return text.replace(LITERAL_MARK, PLACEHOLDER_START)


def is_literal(finding: str) -> bool:
    """Return whether a finding of a `Scanner` is the text of a placeholder and not a secret."""
    return finding.startswith(PLACEHOLDER_START) and LITERAL.fullmatch(finding) is not None


def as_keyed(finding: str) -> str:
    """Return what replaces a finding of a `Scanner` in a key."""
    return escaped(finding) if is_literal(finding) else PLACEHOLDER


def in_a_string(secret: str) -> str:
    """Return a secret as it is spelled in JSON that is itself a string, such as a tool call's arguments."""
    return json_bytes.dumps(secret)[1:-1].decode()
