"""The processes that the tests of this pytest process start, and what they report of themselves."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from ..children.usage import Use, forks, new_reports, tell_started

if TYPE_CHECKING:
    from ..children.started import Kind

    class _Message(TypedDict, total=False):
        """A line of a process; it has `started`, `forked`, `entered` or `used`. See `children.usage`."""

        started: int | None
        kind: Kind
        forked: int
        by: int
        entered: int
        directories: list[str]
        is_known: bool
        used: Use


UNREPORTED = "a process that was started while their tests ran did not report the recordings it used"
STILL_RUNNING = "a process that was started by tests still ran when their tests ended"


@dataclass(slots=True)
class _Process:
    is_tool: bool = False
    runs_another_program: bool = False
    is_forked: bool = False
    has_entered: bool = False
    """Whether it has entered a session."""
    directories: frozenset[str] = frozenset()
    """Where its sessions look for recordings."""
    is_known: bool = True
    """Whether the sessions that it entered report all that it needs."""

    @property
    def is_accounted_for(self) -> bool:
        has_reported = self.has_entered or (self.is_forked and not self.runs_another_program)
        return self.is_tool or (self.is_known and has_reported)


class Processes:
    """The processes that have started and not ended yet. Call `end` before and after each test, fixtures included."""

    def __init__(self, directory: Path | None = None) -> None:
        """`directory` is where the processes report; without it, none is accounted for."""
        self.directories: frozenset[str] = frozenset()
        """Where the sessions that they entered since the attempt began look for recordings."""
        self._directory = directory
        self._processes: dict[int, _Process] = {}
        self._has_unknown = False
        """Whether one was started whose id is not known."""
        self._reported_forks = 0
        self._forks = 0
        self._cost: tuple[float, ...] = ()
        self._read: dict[str, int] = {}
        self._end_watch: Callable[[], None] | None = None

    def watch(self) -> None:
        """Note every process that is started from now on."""
        if self._end_watch is None:
            from ..children.started import cost_of_ended_children, watch

            self._cost, self._forks = cost_of_ended_children(), forks()
            self._end_watch = watch(self._started)

    def end_watch(self) -> None:
        if self._end_watch is not None:
            self._end_watch()
            self._end_watch = None

    def end(self) -> str | None:
        """Return why not all recordings used since the last call of this are known; None if they are."""
        if self._end_watch is None:
            return None
        from ..children.started import cost_of_ended_children, is_alive, living_children

        self._read_messages()
        self._processes.pop(os.getpid(), None)
        living = {pid: process for pid, process in self._processes.items() if is_alive(pid)}
        ended = [process for pid, process in self._processes.items() if pid not in living]
        cost, forked = cost_of_ended_children(), forks()
        is_unreported = (
            self._has_unknown
            or not all(process.is_accounted_for for process in ended)
            or (cost != self._cost and not ended)
            or forked - self._forks > self._reported_forks
        )
        still_running = living_children() | living.keys()
        self.directories = frozenset().union(*(process.directories for process in self._processes.values()))
        self._processes, self._has_unknown, self._reported_forks = living, False, 0
        self._cost, self._forks = cost, forked
        return STILL_RUNNING if still_running else UNREPORTED if is_unreported else None

    def _started(self, pid: int | None, kind: Kind) -> None:
        tell_started(pid, kind)
        self._note_started(pid, kind)

    def _note_started(self, pid: int | None, kind: Kind) -> None:
        if pid is None:
            self._has_unknown = True
        else:
            process = self._of(pid)
            process.is_tool = kind == "tool"
            process.runs_another_program = process.runs_another_program or kind == "program"

    def _read_messages(self) -> None:
        if self._directory is None:
            return
        message: _Message | None
        for sender, message in new_reports(self._directory, self._read):
            if message is None:  # it may have named a process
                self._has_unknown = True
            elif "started" in message:
                pid = message["started"]
                if pid == sender:  # it becomes another program, for which its earlier messages do not hold
                    self._of(pid).is_forked = self._of(pid).has_entered = False
                self._note_started(pid, message["kind"])
            elif "forked" in message:
                self._of(message["forked"]).is_forked = True
                self._reported_forks += message["by"] == os.getpid()
            elif "entered" in message:
                process = self._of(message["entered"])
                process.has_entered = True
                process.directories |= frozenset(message["directories"])
                process.is_known = process.is_known and message["is_known"]

    def _of(self, pid: int) -> _Process:
        return self._processes.setdefault(pid, _Process())


def uses_in_reports(directory: Path) -> list[Use]:
    """Return what the processes of a run used; `directory` holds one directory for each of its pytest processes."""
    return [
        message["used"]
        for below in sorted(directory.iterdir())
        for _, message in new_reports(below, {})
        if message is not None and "used" in message
    ]
