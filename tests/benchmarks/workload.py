"""What a workload is: something every contender does, prepared once and measured in each round."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from .contenders import Contender

Measured = dict[str, float]
"""Metric -> value: microseconds of "cpu" or "wall" for one call, chunk or entry, unless the workload says otherwise."""


class CannotMeasure(Exception):
    """This contender, or this version of it, has not what the workload measures; the text says what."""


class Setting(NamedTuple):
    """Where one contender runs one workload."""

    directory: Path
    """Its own; kept from round to round."""
    base_url: str
    """Of the loopback server."""
    is_quick: bool

    def scaled(self, count: int, contender: Contender | None = None) -> int:
        """Return how many things to do, of `count`: fewer for the slow, and in a quick run a tenth of that."""
        effort = 1.0 if contender is None else contender.effort
        return max(10, int(count * effort / (10 if self.is_quick else 1)))


class Workload:
    """One line of what is measured. `prepare` runs once, untimed; `measure` once a round."""

    name: str
    contenders: tuple[str, ...]
    """In the order of the first round; the next round begins with the next one."""
    is_fresh = False
    """Whether each measurement runs in a process of its own."""
    most_rounds = 9

    def prepare(self, contender: Contender, setting: Setting) -> None:
        """Record what `measure` replays."""

    def measure(self, contender: Contender, setting: Setting) -> Measured:
        """Do it once, checking the content of all answers."""
        raise NotImplementedError


def emptied(directory: Path) -> Path:
    """Return `directory`, with nothing in it."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory
