"""The environment that child processes inherit: which session they join, and what makes Python do it at their start.

Holds state: the environment as it was before. Guarded by the guard of `exported`, which calls what changes
that state; `rejoin` is called by any thread that starts a process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

SESSION_VARIABLE = "INFERENCE_RECORDER_SESSION"
"""Names a session that a process may join, as `sessions` does."""
_PATH_VARIABLE = "PYTHONPATH"
_BOOTSTRAP = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bootstrap")

inherited = os.environ.get(SESSION_VARIABLE, "")
"""The session that this process was started in; "" for none."""
_before: tuple[str | None, str | None] | None = None
"""Both variables before the first session was exported, the path's first."""


def export(session: str | None) -> None:
    """Let processes that are started from now on join this session; None for no session."""
    global _before
    if _before is None:
        path = os.environ.get(_PATH_VARIABLE)
        # Without a session, a path with our directory was put back by a test after its session had ended.
        _before = path if inherited else _without_ours(path), os.environ.get(SESSION_VARIABLE)
    _set(SESSION_VARIABLE, session)
    changed = _without_ours if session is None else _with_ours
    _set(_PATH_VARIABLE, changed(os.environ.get(_PATH_VARIABLE)))


def rejoin() -> None:
    """Let processes join the exported session although a test has replaced the path."""
    if os.environ.get(SESSION_VARIABLE):
        _set(_PATH_VARIABLE, _with_ours(os.environ.get(_PATH_VARIABLE)))
        if not os.environ.get(SESSION_VARIABLE):  # another thread has ended the session just now
            _set(_PATH_VARIABLE, _without_ours(os.environ.get(_PATH_VARIABLE)))


def joining(environment: Any) -> Any:
    """Return the environment for a process; a copy, if its path was replaced and it names a session to join."""
    is_own = isinstance(environment, type(os.environ))  # see `rejoin`; that of bytes takes no text
    if is_own or not isinstance(environment, Mapping) or not environment.get(SESSION_VARIABLE):
        return environment
    path = environment.get(_PATH_VARIABLE)
    complete = _with_ours(path and os.fsdecode(path))
    return environment if complete == path else {**environment, _PATH_VARIABLE: complete}


def restore() -> None:
    """Make the environment what it was before the first call of `export`; what others have changed since stays."""
    global _before
    if _before is None:
        return
    path, session = _before
    _set(SESSION_VARIABLE, session)  # first: see `rejoin`
    current = os.environ.get(_PATH_VARIABLE)
    if current != path:
        other = _without_ours(current)
        _set(_PATH_VARIABLE, path if other == _without_ours(path) else other)
    _before = None


def leave() -> None:
    """Be a run of one's own: join no session, and let no child process join one."""
    global inherited
    if inherited:
        inherited = ""
        os.environ.pop(SESSION_VARIABLE, None)
        _set(_PATH_VARIABLE, _without_ours(os.environ.get(_PATH_VARIABLE)))


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _with_ours(path: str | None) -> str:
    if not path:  # an empty entry would be the working directory
        return _BOOTSTRAP
    return path if _BOOTSTRAP in path.split(os.pathsep) else f"{_BOOTSTRAP}{os.pathsep}{path}"


def _without_ours(path: str | None) -> str | None:
    if path == _BOOTSTRAP:
        return "" if _before is not None and _before[0] == "" else None
    if path is None:
        return None
    return os.pathsep.join(entry for entry in path.split(os.pathsep) if entry != _BOOTSTRAP)
