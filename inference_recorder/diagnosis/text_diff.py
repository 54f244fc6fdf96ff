"""A small diff of two long texts: the lines that changed, with little around them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import islice, zip_longest

_MOST_LINES = 12
_WIDTH = 120
_BEFORE_THE_CHANGE = 30
_MOST_COMPARED = 200
"""Lines of each text; difflib takes minutes for ten thousand that repeat themselves."""
_SENTENCE_START = re.compile(r"(?<=[.!?;]\s)(?=\S)")


def small_diff(recorded: str, asked: str, most_lines: int = _MOST_LINES) -> tuple[str, ...]:
    """Return a unified diff of at most `most_lines` and a remark, each beginning with "- ", "+ " or "  ".

    A line that is too long for a screen is compared by its sentences, and shown around its change.
    """
    old, new = _lines(recorded), _lines(asked)
    start = common_length(old, new)
    end = common_length(old[start:][::-1], new[start:][::-1])
    start, end = max(start - 1, 0), max(end - 1, 0)  # a line of context on each side
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    is_cut = max(len(old), len(new)) > _MOST_COMPARED
    lines = _changes(old[:_MOST_COMPARED], new[:_MOST_COMPARED])
    shown = tuple(islice(lines, most_lines))
    rest = sum(1 for _ in lines)
    return (*shown, f"  … {rest:,} more lines") if rest else (*shown, "  …") if is_cut else shown


def common_length(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many lines, or characters, are the same from the start."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((position for position, (mine, yours) in pairs if mine != yours), min(len(one), len(other)))


def _lines(text: str) -> list[str]:
    return [
        part for line in text.split("\n") for part in ([line] if len(line) <= _WIDTH else _SENTENCE_START.split(line))
    ]


def _changes(old: list[str], new: list[str]) -> Iterator[str]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(1)):
        if number:
            yield "  …"
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from (f"  {_cut(line, 0)}" for line in old[i1:i2])
                continue
            removed, added = old[i1:i2], new[j1:j2]
            starts = [_window(one, other) for one, other in zip_longest(removed, added, fillvalue="")]
            yield from (f"- {_cut(line, start)}" for line, start in zip(removed, starts, strict=False))
            yield from (f"+ {_cut(line, start)}" for line, start in zip(added, starts, strict=False))


def _window(one: str, other: str) -> int:
    """Return where to begin two lines so that their first difference is seen."""
    if max(len(one), len(other)) <= _WIDTH:
        return 0
    same = common_length(one, other)
    return same - _BEFORE_THE_CHANGE if same > _WIDTH // 2 else 0


def _cut(line: str, start: int) -> str:
    end = start + _WIDTH
    return f"{'…' if start else ''}{line[start:end]}{'…' if len(line) > end else ''}"
