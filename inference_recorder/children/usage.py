"""How a process that a test started reports to the test run: that it entered a session, which recordings it used.

A run names a directory in the environment, which processes below it inherit; each appends lines to a file of its own
there. The process of pytest itself reports nothing. Holds state: the runs around this process. No lock guards it: runs
begin and end in pytest's main thread, and a line is one write.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from .started import Kind

RUN_VARIABLE = "INFERENCE_RECORDER_RUN"
"""Names the directories of all runs that a process is part of, the outermost first, as PATH names its own."""
_ENDING = ".jsonl"


class Use(TypedDict):
    """A recording that answered a call, or was made of one."""

    outcome: str
    """"replayed" or "recorded"."""
    test_id: str | None
    key: str
    path: str | None


def _named() -> tuple[str, ...]:
    return tuple(directory for directory in os.environ.get(RUN_VARIABLE, "").split(os.pathsep) if directory)


listeners: tuple[str, ...] = _named()
"""The directories of the runs that know this process only by its reports."""
_runs = listeners
"""Those, and the one of the run whose pytest this process is."""
_pid = os.getpid()
_forks = 0
_has_unknown_children = False


def begin_run(directory: str) -> Callable[[], None]:
    """Let processes that are started from now on report to `directory`, until the returned function is called.

    They report to the enclosing runs too, and so does this process. The other directories beside `directory` are
    those of other processes of the same run.
    """
    global listeners, _runs
    before = listeners, _runs, os.environ.get(RUN_VARIABLE)
    listeners = tuple(run for run in _named() if os.path.dirname(run) != os.path.dirname(directory))
    _runs = (*listeners, directory)
    os.environ[RUN_VARIABLE] = os.pathsep.join(_runs)

    def end() -> None:
        global listeners, _runs
        listeners, _runs, variable = before
        if variable is None:
            os.environ.pop(RUN_VARIABLE, None)
        else:
            os.environ[RUN_VARIABLE] = variable

    return end


def tell_use(outcome: str, test_id: str | None, key: str, path: str | None) -> None:
    """Tell that a recording is used, before its answer is given."""
    _tell({"used": Use(outcome=outcome, test_id=test_id, key=key, path=path and os.path.abspath(path))})


def tell_entered(directories: Iterable[object] = (), *, is_live: bool) -> None:
    """Tell that this process has entered a session, which looks for recordings in these directories.

    A live session says nothing of the recordings it would need, and children that it had before, nothing at all.
    """
    paths = [os.path.abspath(str(directory)) for directory in directories]
    _tell({"entered": os.getpid(), "directories": paths, "is_known": not is_live and not _has_unknown_children})


def tell_unanswered() -> None:
    """Report a call that missed, or failed unrecorded: with its answer, this process may have used more."""
    _tell({"entered": os.getpid(), "directories": [], "is_known": False})


def tell_started(pid: int | None, kind: Kind) -> None:
    """Report that this process has started another, or is about to become another program, with the id it has."""
    _tell({"started": pid, "kind": kind})


def forks() -> int:
    """Return how often this process has forked."""
    return _forks


def _tell(report: Mapping[str, object]) -> None:
    for directory in listeners:
        append_report(directory, report)


def append_report(directory: str, report: Mapping[str, object]) -> None:
    """Append a report to the file of this process in a directory; does nothing if that is gone."""
    with suppress(OSError), open(os.path.join(directory, f"{os.getpid()}{_ENDING}"), "ab", buffering=0) as file:
        file.write(json.dumps(report).encode() + b"\n")


def new_reports(directory: str | os.PathLike[str], known: dict[str, int]) -> list[tuple[int, Any]]:
    """Return (process id, report) for each new report in a directory, None for a damaged one; [] if it is gone.

    `known` counts the bytes of each file that have been read.
    """
    reports: list[tuple[int, Any]] = []
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(_ENDING):
                pid = int(entry.name.removesuffix(_ENDING))
                lines, known[entry.name] = lines_since(entry.path, known.get(entry.name, 0))
                reports += ((pid, _parsed(line)) for line in lines)
    return reports


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:  # the process was killed in the middle of it, or the disk was full
        return None


def lines_since(path: str | os.PathLike[str], known: int) -> tuple[list[bytes], int]:
    """Return the whole lines of a file from this byte on, and the byte after them; another process appends to it."""
    if os.stat(path).st_size <= known:
        return [], known
    with open(path, "rb") as file:
        file.seek(known)
        whole, newline, _ = file.read().rpartition(b"\n")  # the rest of the last line may be on its way, or never come
    return whole.splitlines(), known + len(whole) + len(newline)


def _before_fork() -> None:
    global _forks
    _forks += 1


def _after_fork() -> None:
    global listeners, _pid, _has_unknown_children
    parent, _pid, listeners, _has_unknown_children = _pid, os.getpid(), _runs, False
    if listeners:
        _tell({"forked": _pid, "by": parent})


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
if listeners:
    from .started import living_children, watch

    _has_unknown_children = bool(living_children())
    watch(tell_started)
