"""Make text from untrusted sources safe for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Control characters but newline and tab; marks that turn the direction of text, which make it read as what it is not;
# halves of characters, which no output takes.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def visible(text: str) -> str:
    """Return `text` with what steers a terminal or hides from a reader spelled out as JSON does: "\\u001b".

    JSON stays the same JSON.
    """
    return _HIDDEN.sub(lambda found: f"\\u{ord(found.group()):04x}", text.replace("\r\n", "\n"))


def visible_line(text: str) -> str:
    """Return a name or a cell the same way, on one line and without tabs, so that it cannot imitate our output."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'mode'?" for the known name that is most like `name`, "" if none is."""
    from difflib import get_close_matches  # only for errors

    matches = get_close_matches(name.lower().replace("-", "_"), known, n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""
