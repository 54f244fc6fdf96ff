"""The processes that the tests of this pytest process start, as far as they tell of themselves."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..children.usage import Use, forks, tell_started
from ..engine.run_log import lines_since

if TYPE_CHECKING:
    from ..children.started import Kind

UNHEARD = "a process that was started while their tests ran told nothing of the recordings it used"
STILL_RUNNING = "a process that was started by tests still ran when their tests ended"
_SOMETHING: dict[str, Any] = {"started": None, "kind": "program"}
"""What stands for a line that cannot be read: something that nobody knows."""


@dataclass(slots=True)
class _Process:
    is_tool: bool = False
    runs_another_program: bool = False
    is_forked: bool = False
    has_entered: bool = False
    """Whether it has entered a session."""
    directories: frozenset[str] = frozenset()
    """Where those look for recordings."""
    is_known: bool = True
    """Whether the sessions that it entered tell all that it needs."""

    @property
    def is_heard_of(self) -> bool:
        is_heard_of = self.has_entered or (self.is_forked and not self.runs_another_program)
        return self.is_tool or (self.is_known and is_heard_of)


class Processes:
    """What has been started and not ended yet. `begin` and `end` go around each test attempt, its fixtures included."""

    def __init__(self, directory: Path | None = None) -> None:
        """`directory` is where the processes tell; without it, no process is heard of."""
        self.directories: frozenset[str] = frozenset()
        """Where the sessions look for recordings that they have entered since the attempt began."""
        self._directory = directory
        self._processes: dict[int, _Process] = {}
        self._has_unknown = False
        """Whether one was started that nobody can find again."""
        self._told_forks = 0
        self._forks = 0
        self._cost: tuple[float, ...] = ()
        self._read: dict[str, int] = {}
        self._end_watch: Callable[[], None] | None = None

    def watch(self) -> None:
        """Hear of every process that is started from now on."""
        if self._end_watch is None:
            from ..children.started import cost_of_ended_children, watch

            self._cost, self._forks = cost_of_ended_children(), forks()
            self._end_watch = watch(self._started)

    def end_watch(self) -> None:
        if self._end_watch is not None:
            self._end_watch()
            self._end_watch = None

    def begin(self) -> None:
        """Forget what has ended before the attempt begins."""
        if self._end_watch is not None:
            self.end()

    def end(self) -> str | None:
        """Return why nobody knows all recordings that were used since the attempt began; None where that is known."""
        if self._end_watch is None:
            return None
        from ..children.started import cost_of_ended_children, is_alive, living_children

        self._hear()
        self._processes.pop(os.getpid(), None)
        living = {pid: process for pid, process in self._processes.items() if is_alive(pid)}
        ended = [process for pid, process in self._processes.items() if pid not in living]
        cost, forked = cost_of_ended_children(), forks()
        is_unheard = (
            self._has_unknown
            or not all(process.is_heard_of for process in ended)
            or (cost != self._cost and not ended)
            or forked - self._forks > self._told_forks
        )
        still_running = living_children() | living.keys()
        self.directories = frozenset().union(*(process.directories for process in self._processes.values()))
        self._processes, self._has_unknown, self._told_forks = living, False, 0
        self._cost, self._forks = cost, forked
        return STILL_RUNNING if still_running else UNHEARD if is_unheard else None

    def _started(self, pid: int | None, kind: Kind) -> None:
        tell_started(pid, kind)
        self._take_started(pid, kind)

    def _take_started(self, pid: int | None, kind: Kind) -> None:
        if pid is None:
            self._has_unknown = True
        else:
            process = self._processes.setdefault(pid, _Process())
            process.is_tool = kind == "tool"
            process.runs_another_program = process.runs_another_program or kind == "program"

    def _hear(self) -> None:
        if self._directory is None:
            return
        for teller, told in _lines(self._directory, self._read):
            if "started" in told:
                pid = told["started"]
                if pid == teller:  # it becomes another program; what it told before says nothing of that
                    process = self._processes.setdefault(pid, _Process())
                    process.is_forked = process.has_entered = False
                self._take_started(pid, told["kind"])
            elif "forked" in told:
                self._processes.setdefault(told["forked"], _Process()).is_forked = True
                self._told_forks += told["by"] == os.getpid()
            elif "entered" in told:
                process = self._processes.setdefault(told["entered"], _Process())
                process.has_entered = True
                process.directories |= frozenset(told["folders"])
                process.is_known = process.is_known and told["is_known"]


def uses_told_in(directory: Path) -> list[Use]:
    """Return what the processes of a run used; `directory` holds the reports of all its pytest processes."""
    return [told["used"] for below in sorted(directory.iterdir()) for _, told in _lines(below, {}) if "used" in told]


def _lines(directory: Path, read: dict[str, int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (process, what it told) for what was not read yet; `read` says how many bytes of each file were."""
    try:
        entries = list(os.scandir(directory))
    except FileNotFoundError:
        return
    for entry in entries:
        lines, read[entry.name] = lines_since(Path(entry.path), read.get(entry.name, 0))
        for line in lines:
            try:
                told = json.loads(line)
            except ValueError:  # there was no room for all of it
                told = _SOMETHING
            yield int(entry.name.partition(".")[0]), told
