"""Measuring time, and how busy the machine was meanwhile."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Stopwatch:
    """Sums the CPU time (of all threads) and the wall time of the blocks it runs in, in seconds."""

    def __init__(self) -> None:
        self.cpu = 0.0
        self.wall = 0.0
        gc.collect()
        gc.freeze()  # what a worker holds, the peers' modules too, is nothing that a replay should pay for

    @contextmanager
    def running(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.cpu += time.process_time() - cpu
            self.wall += time.perf_counter() - wall

    def each(self, count: int) -> dict[str, float]:
        """Return the time of each of `count` things, in microseconds."""
        return {"cpu": self.cpu / count * 1e6, "wall": self.wall / count * 1e6}


class Busyness(NamedTuple):
    """What the machine has done since it was started, in clock ticks, and what it does now."""

    load: float
    """Processes that run or want to, on average over the last minute."""
    busy: int
    stolen: int
    total: int

    @classmethod
    def now(cls) -> Busyness:
        try:
            ticks = [int(part) for part in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        except OSError:  # no Linux
            ticks = [0] * 8
        user, nice, system, idle, waiting, interrupts, soft_interrupts, stolen = ticks
        busy = user + nice + system + interrupts + soft_interrupts + stolen
        return cls(os.getloadavg()[0], busy, stolen, busy + idle + waiting)

    def since(self, before: Busyness) -> dict[str, float]:
        """Return the loads, and what share of the machine was used and was stolen by its host, in percent."""
        total = max(1, self.total - before.total)
        return {
            "load_before": round(before.load, 2),
            "load_after": round(self.load, 2),
            "busy_percent": round(100 * (self.busy - before.busy) / total, 1),
            "stolen_percent": round(100 * (self.stolen - before.stolen) / total, 1),
        }
