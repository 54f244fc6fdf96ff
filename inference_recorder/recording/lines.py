"""The chunks of a recorded stream: cut out of the file when asked for, so that it is held in memory once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

_FIRST_BLOCK = 1 << 10
_BLOCK = 1 << 16


class Lines(Sequence[bytes]):
    """The parts of `content` from `start` to `end` between `separator`s; counting or picking them looks at all."""

    def __init__(self, content: bytes, start: int, end: int, separator: bytes) -> None:
        self._content = content
        self._start = start
        self._end = end
        self._separator = separator

    def __iter__(self) -> Iterator[bytes]:
        # In blocks, since finding one line after the other costs more; the first is small, for who wants one chunk.
        content, separator, start, size = self._content, self._separator, self._start, _FIRST_BLOCK
        while start + size < self._end:
            cut = content.rfind(separator, start, start + size)
            if cut < 0:
                size *= 2
                continue
            yield from content[start:cut].split(separator)
            start, size = cut + len(separator), _BLOCK
        yield from content[start : self._end].split(separator)

    def __len__(self) -> int:
        return self._content.count(self._separator, self._start, self._end) + 1

    def __bool__(self) -> bool:
        return True  # without counting

    @overload
    def __getitem__(self, position: int) -> bytes: ...

    @overload
    def __getitem__(self, position: slice) -> list[bytes]: ...

    def __getitem__(self, position: int | slice) -> bytes | list[bytes]:
        return list(self)[position]
