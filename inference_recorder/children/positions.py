"""Counts the calls of several processes, so that each gets its own answer of a series."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from itertools import count

from .usage import lines_since


class SharedPositions:
    """Counts calls in a file: each appends a line, whose place among those of its key is the call's position.

    Appending a line is one step, so that no two calls get one position. Threads of one process hold the guard of their
    AttemptSeries.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._numbers = count(1)
        self._known: Counter[str] = Counter()
        """Key -> the calls in the lines that are known."""
        self._read = 0
        """The bytes of those lines."""

    def begin_with(self, calls: Mapping[str, int]) -> None:
        """Count calls that this process has made before: {key: how many}."""
        self._append("".join(f"{key} {many} -\n" for key, many in calls.items() if many))

    def claim(self, key: str) -> int:
        """Return the position of a call that is made now."""
        name = f"{os.getpid()}.{next(self._numbers)}"
        self._append(f"{key} 1 {name}\n")
        lines, self._read = lines_since(self.path, self._read)
        own = 0
        for line in lines:
            counted, many, made_by = line.decode().split(" ")
            self._known[counted] += int(many)
            if made_by == name:
                own = self._known[key]
        return own

    def _append(self, lines: str) -> None:
        with open(self.path, "ab", buffering=0) as file:
            file.write(lines.encode())
