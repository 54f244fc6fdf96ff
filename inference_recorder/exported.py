"""The open session, for Python processes that are started now to join.

Holds state: the sessions that such processes may have joined. Guarded by `_guard`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from secrets import token_hex

from .children import variables
from .children.origin import Origin, variable
from .children.positions import SharedPositions
from .children.sessions import ChildCall, Sessions, sessions
from .children.started import watch
from .engine.attempt_series import AttemptSeries
from .engine.engine import Engine
from .forks import renew_in_child
from .json_tree import JsonObject, JsonValue
from .modes import InferenceMode
from .sdk import context


@dataclass(frozen=True, slots=True)
class _Exported:
    """A session, as the processes that one attempt or wider fixture starts join it."""

    sessions: Sessions
    number: int
    origin: Origin
    redact: JsonValue
    """What only a process that is started may know, and no file before."""


_exported: dict[tuple[Engine, AttemptSeries], _Exported] = {}
_guard = threading.RLock()
renew_in_child(globals())
_end_watch: Callable[[], None] | None = None


def refresh() -> None:
    """Export the innermost session, as it is now; none if it is live, or if open sessions do not enclose one another.

    Call it when a session or what calls belong to begins or ends.
    """
    global _end_watch
    with _guard:
        engines = context.innermost_engines()
        if not engines:
            variables.restore()
            if _end_watch is not None:
                _end_watch()
                _end_watch = None
            return
        variables.export(_variable_for(engines[0]) if len(engines) == 1 else None)
        if _exported and _end_watch is None:
            _end_watch = watch(lambda pid, kind: None, _count_together)


def end(*, engine: Engine | None = None, attempt_series: AttemptSeries | None = None) -> None:
    """End a session, or all that belongs to an attempt or fixture, for the processes that were started in it."""
    with _guard:
        for key, exported in list(_exported.items()):
            if engine in key or attempt_series in key:
                exported.sessions.end(exported.number)
                del _exported[key]


def _variable_for(engine: Engine) -> str | None:
    if engine.call_log.origin is not None:
        return engine.call_log.origin.variable
    if engine.is_live or not engine.has_children:
        return None
    try:
        key = engine.at_call(), engine.attempt_series
        if key not in _exported:
            _exported[key] = _added(*key)
    except OSError:  # a full disk: in replay, no call goes out of a process that cannot join
        return variable(os.devnull, 0, engine.mode.value)
    return _exported[key].origin.variable


def _added(engine: Engine, attempt_series: AttemptSeries) -> _Exported:
    """Describe a session for child processes; raises OSError."""
    known = sessions()
    path = os.path.join(known.directory, f"{token_hex(8)}.positions")
    with attempt_series.guard:
        positions = attempt_series.positions.setdefault(engine.mode_and_directory, SharedPositions(path))
    description = _description_of(engine) | {"positions": positions.path}
    redact = description.pop("redact")
    number = known.add(description, partial(_take, engine, attempt_series))
    engine.call_log.collect = known.collect
    name = variable(known.path, number, engine.mode.value)
    return _Exported(known, number, Origin(name, engine.test_run.test_id_here()), redact)


def _description_of(engine: Engine) -> JsonObject:
    """Return what a child process needs to open this session, in JSON and with the secrets of its rules."""
    from .redaction.described import described  # not for sessions that start no process

    test_run, test_id, directories = engine.test_run, engine.unredacted_test_id(), engine.store.directories
    is_wide, roots, run_log = test_run.is_wide(test_id, engine.has_own_id), directories.roots, test_run.run_log
    engine.ids.of(test_id)  # the calls of the child processes have the id with which it is recorded
    return {
        "mode": engine.mode.value,
        "written": str(directories.written),
        "read": [str(directory) for directory in directories.read],
        "roots": None if roots is None else [str(path) for path in (roots.of_run, *roots.of_recordings)],
        "given_id": engine.given_test_id,
        "is_shared": engine.has_own_id and test_id is None,
        "test_id": test_run.test_id_here(),
        "attempt": engine.attempt_series.token,
        "is_wide": is_wide,
        "is_kept": is_wide and engine.mode is InferenceMode.RECORD and test_run.is_kept(),
        "record_errors": engine.record_errors,
        "may_repeat": engine.may_repeat,
        "has_plugin": test_run.has_plugin,
        "rootdir": test_run.from_here(""),
        "run_log": None if run_log.directory is None else str(run_log.directory),
        "overwritten": test_run.overwritten,
        "network": [engine.network.blocks_all, list(engine.network.allow_hosts)],
        **described(engine.rules),
    }


def _take(engine: Engine, attempt_series: AttemptSeries, reported: ChildCall) -> None:
    """Log a call of a child process, and let the end of the series know of its recording."""
    engine.call_log.add(reported)
    if reported["position"] or reported["outcome"] == "dropped":
        attempt_series.note_elsewhere(
            engine.mode_and_directory,
            str(reported["call"]["key"]),
            engine.store,
            reported["position"],
            is_replaced=engine.mode is InferenceMode.RECORD,
        )


def _count_together() -> None:
    """Let the process that is about to start know the rules, and count its calls on from those of this one."""
    with _guard:
        for (engine, attempt_series), exported in _exported.items():
            with suppress(OSError):  # never the error of what the user starts
                exported.sessions.write_redact(exported.number, exported.redact)
                attempt_series.share(engine.mode_and_directory)


def _after_fork() -> None:
    """Make the sessions that a forked process inherits those of its parent."""
    for (engine, _), exported in _exported.items():
        engine.call_log.origin = exported.origin
    _exported.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_count_together, after_in_child=_after_fork)
