"""One stage of a call, timed by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Stage:
    """Something that is done `count` times by `run`, and the parts of it that are looked at one by one."""

    name: str
    run: Callable[[], object]
    count: int
    parts: list[Stage] = field(default_factory=list)
    best: float = float("inf")
    """Microseconds of each of `count`."""

    def measure(self) -> None:
        """Do it once, and its parts."""
        begun = time.process_time()
        self.run()
        self.best = min(self.best, (time.process_time() - begun) / self.count * 1e6)
        for part in self.parts:
            part.measure()

    def lines(self, whole: float, depth: int = 0) -> Iterator[str]:
        """Yield its line and those of its parts."""
        own = self.best - sum(part.best for part in self.parts)
        own_text = f"{own:9.2f}" if self.parts else " " * 9
        yield f"{'  ' * depth + self.name:52}{self.best:9.2f}{own_text}{100 * self.best / whole:7.0f} %"
        for part in self.parts:
            yield from part.lines(whole, depth + 1)
