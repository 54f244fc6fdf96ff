"""What stands for a secret in a key and in a file, and what stands for a text that only looks like it.

A request or an answer may hold the text of a placeholder itself: typed in a prompt, or read from a recording by a
model. In key and file such a literal has one `_LITERAL` more than it was said with: `__REDACTED_1__` is written as
`__REDACTED_LITERAL_1__`, and comes back as it was.
"""

from __future__ import annotations

import re

PLACEHOLDER_START = "__REDACTED"
PLACEHOLDER = "__REDACTED__"
"""What stands for a secret in a key, and in a file for one that its request does not hold."""
NUMBERED = re.compile(r"__REDACTED_(\d+)([JN]?)__")
"""What stands for a secret of the request in a file: its number there; J where it stands in JSON within a string, N
where it is in a number (see `number_secrets`)."""
LITERAL = re.compile(r"(?:__REDACTED(?:_LITERAL)*(?:_\d+[JN]?)?(?=__))+__")
"""One or more placeholders, each beginning with the last two characters of the one before; written or said."""
LITERAL_MARK = "__REDACTED_LITERAL"
WRITTEN = re.compile(r"__REDACTED(?:(_LITERAL)|(?:_(\d+)([JN]?))?__)")
"""In a file, from left to right: the mark of a literal, or a placeholder with its number (see `NUMBERED`) or none."""
NUMBERS = re.compile(r"(?:__REDACTED(?:_LITERAL)+(?:_\d+[JN]?)?(?=__))+__|__REDACTED_(\d+)[JN]?__")
"""In the request of a file: a literal, or a placeholder with its number."""


def written(text: str) -> str:
    """Return a text without secrets as it is written: each start of a placeholder in it marked as a literal."""
    return text.replace(PLACEHOLDER_START, LITERAL_MARK)


def said(text: str) -> str:
    """Return what a written text without placeholders says."""
    return text.replace(LITERAL_MARK, PLACEHOLDER_START)


def is_literal(finding: str) -> bool:
    """Whether what a `Redactor` found is the text of a placeholder rather than a secret."""
    return finding.startswith(PLACEHOLDER_START) and LITERAL.fullmatch(finding) is not None


def as_keyed(finding: str) -> str:
    """Return what stands in a key for what a `Redactor` found in a request."""
    return written(finding) if is_literal(finding) else PLACEHOLDER
