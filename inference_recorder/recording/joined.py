"""Texts that an answer tells in pieces: from chunk to chunk, and token by token in its log probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from ..api_schema import is_enumerated
from ..request.jsonable import JsonValue

_PLACES_OF_AN_EVENT = ("type", "item_id", "output_index", "content_index", "summary_index", "index")
_NAMES_OF_AN_EVENT = frozenset(_PLACES_OF_AN_EVENT)
_WHOLE_IN_EACH_CHUNK = frozenset({"id", "object", "model", "type", "role", "name", "status", "finish_reason"})


_T = TypeVar("_T")
_Place: TypeAlias = "tuple[object, ...]"
_Add: TypeAlias = "Callable[[_Place, Any, str | int, bool], None]"
"""Takes a text: its place in the chunk, what holds it, under which name there, and whether it is a token's."""


@dataclass(slots=True)
class Piece:
    """A part of a text, and where it stands: `holder[name]`, to be written to."""

    holder: Any
    name: str | int
    is_token: bool = False

    @property
    def text(self) -> str:
        text: str = self.holder[self.name]
        return text

    def become(self, text: str) -> None:
        """Have the place hold this text; of a token, what else tells of its text is taken away."""
        if self.is_token and text != self.text:
            self.holder.update({"bytes": None} if "bytes" in self.holder else {})
            self.holder.update({"top_logprobs": []} if "top_logprobs" in self.holder else {})
        self.holder[self.name] = text


def texts_in(values: Iterable[JsonValue]) -> list[str]:
    """Return the texts of these chunks (or of one answer) that come in more than one piece, each in one."""
    return ["".join(pieces) for pieces in _grouped(values, lambda holder, name, is_token: holder[name])]


def pieces_in(values: Iterable[JsonValue]) -> list[list[Piece]]:
    """Return the texts of these chunks (or of one answer) that come in more than one piece, each as its pieces.

    Pieces of one text stand at the same place in their chunks: below the same names, and in a list below the same
    "index", else the same place; of an event also with the same "type", "item_id" and indexes.
    """
    return _grouped(values, Piece)


def rewrite(pieces: Sequence[Piece], changes: Sequence[tuple[int, int, str]]) -> None:
    """Replace parts of a text in pieces: (start, end, new text), in their order and without overlaps.

    A new text goes where the old one begins; the pieces that the old one goes on into lose their part of it.
    """
    position, first = 0, 0
    for piece in pieces:
        text = piece.text
        start, end = position, position + len(text)
        kept, at = [], start
        while first < len(changes) and changes[first][1] <= start:
            first += 1
        for number in range(first, len(changes)):
            change_start, change_end, new = changes[number]
            if change_start >= end:
                break
            kept += [text[at - start : max(change_start, start) - start], new if change_start >= start else ""]
            at = min(change_end, end)
        piece.become("".join([*kept, text[at - start :]]))
        position = end


def _grouped(values: Iterable[JsonValue], made: Callable[[Any, str | int, bool], _T]) -> list[list[_T]]:
    """Return what is `made` of each text (see `Piece`), one list for each place that has more than one."""
    texts: dict[_Place, list[_T]] = {}

    def add(position: _Place, holder: Any, name: str | int, is_token: bool) -> None:
        texts.setdefault(position, []).append(made(holder, name, is_token))

    for value in values:
        data = value.get("__data__", value) if isinstance(value, dict) else value
        is_event = isinstance(data, dict) and not _NAMES_OF_AN_EVENT.isdisjoint(data)
        event = tuple(str(data.get(name)) for name in _PLACES_OF_AN_EVENT) if is_event else ()
        _find(data, event, add)
    return [pieces for pieces in texts.values() if len(pieces) > 1]


def _find(value: JsonValue, position: _Place, add: _Add) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            if isinstance(item, str):
                if name not in _WHOLE_IN_EACH_CHUNK and not is_enumerated(name, item):
                    add((*position, name), value, name, False)
            elif item:
                _find(item, (*position, name), add)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            if isinstance(item, str):
                add((*position, number), value, number, False)
            elif isinstance(item, dict) and isinstance(item.get("token"), str) and "logprob" in item:
                add((*position, "token"), item, "token", True)
            elif item:
                index = item.get("index", number) if isinstance(item, dict) else number
                _find(item, (*position, str(index)), add)
