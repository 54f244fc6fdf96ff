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
from .children.origin import Origin
from .children.sessions import Sessions, sessions, variable
from .children.started import watch
from .engine import across_processes
from .engine.attempt_series import AttemptSeries
from .engine.engine import Engine
from .forks import renew_in_child
from .json_tree import JsonValue
from .sdk import context


@dataclass(frozen=True, slots=True)
class _Exported:
    """A session, as the processes that one attempt or wider fixture starts join it."""

    engine: Engine
    attempt_series: AttemptSeries
    sessions: Sessions
    number: int
    test_id: str | None
    redact: JsonValue
    """What only a process that is started may know, and no file before."""

    @property
    def variable(self) -> str:
        return self.sessions.variable(self.number, self.engine.mode.value)


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
    if engine.origin is not None:
        return engine.origin.variable
    if engine.is_live or not engine.has_children:
        return None
    key = engine, engine.attempt_series
    if key not in _exported:
        try:
            _exported[key] = _added(engine, engine.attempt_series)
        except OSError:  # a full disk: in replay, no call goes out of a process that cannot join
            return variable(os.devnull, 0, engine.mode.value)
    return _exported[key].variable


def _added(engine: Engine, attempt_series: AttemptSeries) -> _Exported:
    """Describe a session for child processes; raises OSError."""
    known = sessions()
    path = os.path.join(known.directory, f"{token_hex(8)}.positions")
    positions = across_processes.positions(engine, attempt_series, path)
    description = across_processes.description_of(engine) | {"positions": positions.path}
    redact = description.pop("redact")
    number = known.add(description, partial(across_processes.take, engine, attempt_series))
    engine.call_log.collect = known.collect
    test_id = description["test_id"]
    of_test = None if test_id is None else str(test_id)
    return _Exported(engine, attempt_series, known, number, of_test, redact)


def _count_together() -> None:
    """Let the process that is about to start know the rules, and count its calls on from those of this one."""
    with _guard:
        for exported in _exported.values():
            with suppress(OSError):  # never the error of what the user starts
                exported.sessions.write_redact(exported.number, exported.redact)
                across_processes.share_positions(exported.engine, exported.attempt_series)


def _after_fork() -> None:
    """Make the sessions that a forked process inherits those of its parent."""
    for exported in _exported.values():
        engine = exported.engine
        engine.join_from(Origin(exported.variable, engine.mode.writes, exported.test_id))
    _exported.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_count_together, after_in_child=_after_fork)
