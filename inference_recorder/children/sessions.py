"""The sessions of this process as its child processes find them, and the calls that those report.

A session is a line of a file that only its user can read. The first byte of the line says whether it is open. Its
secrets are in a file of their own, which is written when a process is about to start. A child process
appends each call that it makes in a session to a file of its own in the same directory.

Holds state: the directory of this process. No lock guards it: it is set when the first session is exported, by pytest's
main thread if that is earlier.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, TypedDict

from ..json_tree import JsonObject, JsonValue
from .usage import new_reports

_FILE = "sessions"
OPEN, _OVER = b"+", b"-"


class ChildCall(TypedDict):
    """A call that a child process made in a session."""

    session: int
    outcome: str
    call: dict[str, Any]
    """The fields of a Call."""
    position: int
    """In its series, of a recorded answer that belongs to the attempt alone; otherwise 0."""


class Sessions:
    """The sessions that one process lets others join."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.late: list[ChildCall] = []
        """The calls in sessions that were over. Guarded by `_guard`."""
        self._process = os.getpid()
        self.path = os.path.join(directory, _FILE)
        self._file = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o600)
        self._takers: dict[int, Callable[[ChildCall], None]] = {}
        self._read: dict[str, int] = {}
        """File of a child process -> how many of its bytes are known."""
        self._guard = threading.RLock()
        """Guards all of these and the file."""

    def add(self, description: JsonObject, take: Callable[[ChildCall], None]) -> int:
        """Add a session and return its number; `take` gets the calls that child processes make in it."""
        line = OPEN + json.dumps(description).encode() + b"\n"
        with self._guard:
            number = os.lseek(self._file, 0, os.SEEK_END)
            os.write(self._file, line)
            self._takers[number] = take
        return number

    def write_redact(self, number: int, redact: JsonValue) -> None:
        """Write the secrets of a session, unless they are written; raises OSError."""
        path = f"{self.path}.{number}"
        if not os.path.exists(path):
            with open(path, "w", encoding="ascii", opener=partial(os.open, mode=0o600)) as file:
                json.dump(redact, file)

    def end(self, number: int) -> None:
        """Mark a session as over, in the process that added it."""
        if os.getpid() != self._process:
            return
        self.collect()
        with self._guard:
            os.lseek(self._file, number, os.SEEK_SET)
            os.write(self._file, _OVER)
            self._takers.pop(number, None)

    def remove(self) -> None:
        """Remove the directory, in the process that made it."""
        if os.getpid() == self._process:
            rmtree(self.directory, ignore_errors=True)

    def collect(self) -> None:
        """Hand over the calls that child processes have reported since."""
        if os.getpid() != self._process:  # another thread may have held the guard when this process was forked
            return
        with self._guard, suppress(OSError):
            for _, call in new_reports(self.directory, self._read):
                if call is not None:
                    self._takers.get(call["session"], self.late.append)(call)


_sessions: Sessions | None = None


def sessions() -> Sessions:
    """Return the sessions of this process. Raises OSError if there can be no directory for them."""
    global _sessions
    if _sessions is None or _sessions._process != os.getpid():
        parents = None if _sessions is None else _sessions.directory  # which removes it
        directory = mkdtemp(prefix="inference_recorder-sessions-", dir=parents)
        _sessions = Sessions(directory)
        atexit.register(_sessions.remove)
    return _sessions


def keep_in(directory: str) -> Callable[[], None]:
    """Keep the sessions in this directory, which exists, until the function that is returned is called."""
    global _sessions
    before, _sessions = _sessions, Sessions(directory)

    def end() -> None:
        global _sessions
        _sessions = before

    return end


def late_calls() -> list[ChildCall]:
    """Return the calls that child processes made in sessions of this process that were over."""
    if _sessions is None:
        return []
    _sessions.collect()
    return _sessions.late
