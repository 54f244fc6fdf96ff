"""Where two JSON values differ, as JSON paths with both values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from ..explanation import Difference
from ..json_tree import JsonValue
from ..request.keys import EXACT, KeyVersion, compared_text
from .text_diff import small_diff

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONG = 200
_MOST_ALIGNED = 128
"""Items of each list, without their common start and end; difflib takes seconds for thousands that all differ."""
_SAYS_WHAT_IT_IS = ("role", "type", "name")


def differences(
    recorded: JsonValue, asked: JsonValue, path: str = "$", version: KeyVersion = EXACT
) -> Iterator[Difference]:
    """Yield each difference between `asked` and `recorded`, in the order of `asked`.

    Two values are the same if this key version sees the same in them: 1, 1.0 and True are three. An inserted or
    removed list item is one difference; the items after it are compared with their own counterparts.
    """
    if isinstance(recorded, dict) and isinstance(asked, dict):
        yield from _of_objects(recorded, asked, path, version)
    elif isinstance(recorded, (list, tuple)) and isinstance(asked, (list, tuple)):
        yield from _of_lists(list(recorded), list(asked), path, version)
    elif compared_text(recorded, version) != compared_text(asked, version):
        yield Difference(path, recorded, asked, lines=_lines(recorded, asked))


def _of_objects(
    recorded: dict[str, JsonValue], asked: dict[str, JsonValue], path: str, version: KeyVersion
) -> Iterator[Difference]:
    for name, value in asked.items():
        if name in recorded:
            yield from differences(recorded[name], value, _member(path, name), version)
        else:
            yield Difference(_member(path, name), None, value, "request")
    for name, value in recorded.items():
        if name not in asked:
            yield Difference(_member(path, name), value, None, "recording")


def _of_lists(
    recorded: list[JsonValue], asked: list[JsonValue], path: str, version: KeyVersion
) -> Iterator[Difference]:
    for old, new in _differing(recorded, asked, version):
        # Where they differ, a system message is compared with a system message, as long as there is one.
        for i, j in _paired(recorded, asked, old, new):
            if i is None and j is not None:
                yield Difference(f"{path}[{j}]", None, asked[j], "request")
            elif j is None and i is not None:
                yield Difference(f"{path}[{i}]", recorded[i], None, "recording")
            elif i is not None and j is not None:
                yield from differences(recorded[i], asked[j], f"{path}[{j}]", version)


def _paired(
    recorded: list[JsonValue], asked: list[JsonValue], old: range, new: range
) -> Iterator[tuple[int | None, int | None]]:
    """Yield the positions to compare with each other, None where the other side has no counterpart."""
    stretches: Sequence[tuple[str, int, int, int, int]] = [("replace", 0, len(old), 0, len(new))]
    if len(old) != len(new) and max(len(old), len(new)) <= _MOST_ALIGNED:
        kinds = [_kind(recorded[i]) for i in old], [_kind(asked[j]) for j in new]
        stretches = SequenceMatcher(None, *kinds, autojunk=False).get_opcodes()
    for _, i1, i2, j1, j2 in stretches:
        both = min(i2 - i1, j2 - j1)
        yield from zip(old[i1 : i1 + both], new[j1 : j1 + both], strict=True)
        yield from ((i, None) for i in old[i1 + both : i2])
        yield from ((None, j) for j in new[j1 + both : j2])


def _differing(recorded: list[JsonValue], asked: list[JsonValue], version: KeyVersion) -> Iterator[tuple[range, range]]:
    """Yield the stretches of both lists that differ, between those that are the same."""
    old, new = ([compared_text(item, version) for item in items] for items in (recorded, asked))
    shortest = min(len(old), len(new))
    start = next((position for position in range(shortest) if old[position] != new[position]), shortest)
    ends = range(shortest - start)
    end = next((back for back in ends if old[-1 - back] != new[-1 - back]), len(ends))
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    if max(len(old), len(new)) > _MOST_ALIGNED:
        yield range(start, start + len(old)), range(start, start + len(new))
        return
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield range(start + i1, start + i2), range(start + j1, start + j2)


def _kind(item: JsonValue) -> str:
    if not isinstance(item, dict):
        return type(item).__name__
    return compared_text([item.get(name) for name in _SAYS_WHAT_IT_IS])


def _member(path: str, name: str) -> str:
    return f"{path}.{name}" if _PLAIN_NAME.fullmatch(name) else f"{path}[{json.dumps(name)}]"


def _lines(recorded: JsonValue, asked: JsonValue) -> tuple[str, ...]:
    if not isinstance(recorded, str) or not isinstance(asked, str):
        return ()
    is_long = max(len(recorded), len(asked)) > _LONG or "\n" in recorded or "\n" in asked
    return small_diff(recorded, asked) if is_long else ()
