"""Which session a call belongs to. Holds state: the sessions that are open in this process.

A ContextVar says which session a task or thread is in, and each session knows the one around it, where it was entered.
Threads and servers without that context belong to the innermost open session, if the open ones enclose one another. If
they do not, nothing says which session is meant, and guessing would record a call under another test.

The pytest plugin's sessions are process-wide: pytest's hooks enter them in its own context, while fixtures and tests
may run in one that was copied long before.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass

from ..engine.engine import Engine
from ..engine.given_test import GivenTest, given_test
from ..engine.test_run import current_test_run
from ..errors import AmbiguousSession, ClosedSession, OpenSession
from ..forks import renew_in_child
from ..modes import InferenceMode
from ..redaction.requests import RequestRules


@dataclass(frozen=True, slots=True)
class _Entered:
    engine: Engine
    outer: _Entered | None
    is_process_wide: bool

    def chain(self) -> Iterator[Engine]:
        """Yield the session and then those around it, the nearest first; some may be closed by now."""
        entered: _Entered | None = self
        while entered is not None:
            yield entered.engine
            entered = entered.outer


_entered: ContextVar[_Entered | None] = ContextVar("inference_recorder_session", default=None)
_open: list[_Entered] = []
"""In the order of entering. Guarded by `_guard`."""
_guard = threading.RLock()
renew_in_child(globals())


def current_engine() -> Engine | None:
    """Return the session that a call made here belongs to: the innermost open one, or None.

    Raises AmbiguousSession where this context is in no open session and several are open that do not enclose one
    another.
    """
    entered = _entered.get()
    while entered is not None:
        if entered.engine.is_open:
            return entered.engine
        entered = entered.outer
    if not _open:
        return None
    engines = innermost_engines()
    if len(engines) <= 1:
        return next(iter(engines), None)
    if all(engine.is_live for engine in engines):
        return None  # the call goes out in any case
    given = given_test.get()
    if given is not None and len(own := [each for each in engines if each.opened_for == given.test_id]) == 1:
        return own[0]
    raise AmbiguousSession(
        OpenSession(engine.mode.value, engine.store.directories.written, engine.current_test_id()) for engine in engines
    )


def engine_after(closed: Engine, call: str) -> Engine | None:
    """Return the session of a call that was made in one which is closed now that it is awaited.

    That is the one that is open here; None, to send it, only for a call made in a live session. Raises ClosedSession
    where there is none, or where a call made in replay would be answered in another mode.
    """
    engine = current_engine()
    is_replay = closed.mode is InferenceMode.REPLAY
    if not closed.is_live and (engine is None or (is_replay and engine.mode is not InferenceMode.REPLAY)):
        raise ClosedSession(call, closed.mode.value, closed.store.directories.written)
    return engine


@contextmanager
def inside(engine: Engine) -> Iterator[None]:
    """Make this session the innermost one for what is called and awaited in the block."""
    token = _entered.set(_Entered(engine, _entered.get(), is_process_wide=False))
    try:
        yield
    finally:
        with suppress(ValueError):  # a coroutine that nobody finished is collected in another context
            _entered.reset(token)


def possible_engines() -> list[Engine]:
    """Return the sessions that a call made here may belong to; never raises AmbiguousSession."""
    try:
        engine = current_engine()
    except AmbiguousSession:
        return innermost_engines()
    return [] if engine is None else [engine]


def current_test_id() -> str | None:
    """Return the id of the test that a call made here belongs to.

    Returns:
        The id without secrets, for a running test relative to pytest's rootdir; None outside a test.
    """
    return current_test().test_id


def current_test() -> GivenTest:
    """Return the same with the test's attempt, as far as a session or the plugin knows it."""
    engines, test_run = possible_engines(), current_test_run()
    if len(engines) == 1:
        engine = engines[0]
        return GivenTest(engine.rules.scope(engine.unredacted_test_id()), engine.attempt_series.token)
    table, series = test_run.config.table, test_run.attempt_series
    rules = RequestRules(table.redact, secret_env=table.secret_env)
    return GivenTest(rules.scope(test_run.test_id_here()), "" if series is None else series.token)


def innermost_engines() -> list[Engine]:
    """Return the open session that all other open ones enclose, or all open ones where there is no such session."""
    return [entered.engine for entered in _innermost()]


def enter_around(engine: Engine) -> None:
    """Make the session one around all that are entered from now on, in any context."""
    with _guard:
        _open.insert(0, _Entered(engine, None, is_process_wide=True))


def _innermost() -> list[_Entered]:
    """Return the open session that all other open ones enclose, or all open ones where there is no such session."""
    with _guard:
        opened = _open.copy()
    for entered in reversed(opened):
        around = set(entered.chain())
        if all(other.engine in around for other in opened):
            return [entered]
    return opened


def innermost_of(engines: Collection[Engine]) -> Engine | None:
    """Return the innermost of these sessions that this context is in, None where it is in none of them."""
    return next((engine for engine in around_here() if engine in engines and engine.is_open), None)


def around_here() -> list[Engine]:
    """Return the sessions that this context is in, the innermost first; some may be closed by now."""
    entered = _entered.get()
    return [] if entered is None else list(entered.chain())


def enter(engine: Engine, *, is_process_wide: bool = False) -> None:
    """Make the session the innermost one of this context.

    One that is process-wide is also around every session that is entered, while it is open, by a context that is in no
    other.
    """
    outer = _entered.get()
    if outer is None or not any(one.is_open for one in outer.chain()):
        outer = _around_other_contexts(is_process_wide) or outer
    entered = _Entered(engine, outer, is_process_wide)
    with _guard:
        _open.append(entered)
    _entered.set(entered)


def _around_other_contexts(is_process_wide: bool) -> _Entered | None:
    """Return what is around a session that is entered by a context that is in none; None where nothing is."""
    if is_process_wide:
        innermost = _innermost()
        return innermost[0] if len(innermost) == 1 else None
    with _guard:
        return next((entered for entered in reversed(_open) if entered.is_process_wide), None)


def leave(engine: Engine) -> None:
    """Take the session away, in any order of leaving, from any context. Leaving twice is safe."""
    with _guard:
        _open[:] = [entered for entered in _open if entered.engine is not engine]
    entered = _entered.get()
    # A pytest fixture is often left in another context than it was entered in; there, `is_open` tells.
    if entered is not None and entered.engine is engine:
        _entered.set(entered.outer)
