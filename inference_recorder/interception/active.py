"""Which session a call belongs to. Holds state: the sessions that are open in this process.

A ContextVar says which session a task or thread is in. Threads and servers that lost the context belong to the session
that was entered last and is still open.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from contextvars import ContextVar
from dataclasses import dataclass

from ..session import Session


@dataclass(frozen=True, slots=True)
class _Entered:
    session: Session
    outer: _Entered | None


_entered: ContextVar[_Entered | None] = ContextVar("inference_recorder_session", default=None)
_open: list[Session] = []
_guard = threading.Lock()


def current_session() -> Session | None:
    """Return the innermost open session of this context, else of the process; None where there is none."""
    entered = _entered.get()
    while entered is not None:
        if entered.session.is_open:
            return entered.session
        entered = entered.outer
    return _open[-1] if _open else None


def innermost_of(sessions: Collection[Session]) -> Session | None:
    """Return the innermost of these sessions that this context is in, None where it is in none of them."""
    entered = _entered.get()
    while entered is not None:
        if entered.session in sessions and entered.session.is_open:
            return entered.session
        entered = entered.outer
    return None


def enter(session: Session) -> None:
    """Make `session` the innermost one, here and for whoever has no context of its own."""
    with _guard:
        _open.append(session)
    _entered.set(_Entered(session, _entered.get()))


def leave(session: Session) -> None:
    """Take `session` away, in any order of leaving, from any context. Leaving twice is safe."""
    with _guard:
        if session in _open:
            _open.remove(session)
    entered = _entered.get()
    # A pytest fixture is often left in another context than it was entered in; there, `is_open` tells.
    if entered is not None and entered.session is session:
        _entered.set(entered.outer)
