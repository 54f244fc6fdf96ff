"""The chunks of a big recording: found line by line when asked for, so that the file is held in memory once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload


class Lines(Sequence[bytes]):
    """The parts of `content` from `start` to `end` between `separator`s; counting or picking them looks at all."""

    def __init__(self, content: bytes, start: int, end: int, separator: bytes) -> None:
        self._content = content
        self._start = start
        self._end = end
        self._separator = separator

    def __iter__(self) -> Iterator[bytes]:
        content, end, separator = self._content, self._end, self._separator
        start, width = self._start, len(separator)
        while (found := content.find(separator, start, end)) >= 0:
            yield content[start:found]
            start = found + width
        yield content[start:end]

    def __len__(self) -> int:
        return self._content.count(self._separator, self._start, self._end) + 1

    @overload
    def __getitem__(self, place: int) -> bytes: ...

    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...

    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        return list(self)[place]
