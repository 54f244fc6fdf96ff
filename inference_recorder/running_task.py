"""The task or thread that runs now: who it is, whether its event loop waits for it, whether it is being interrupted."""

from __future__ import annotations

import asyncio
import math
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any


def running_task() -> object:
    """Return the task that runs now, of asyncio or trio, or the thread's identity where there is none."""
    task = _asyncio_task()
    if task is not None:
        return task
    trio: Any = sys.modules.get("trio")
    if trio is not None:
        try:
            return trio.lowlevel.current_task()
        except RuntimeError:  # this thread does not run trio
            pass
    return threading.get_ident()


def runs_an_event_loop() -> bool:
    """Return whether this thread is inside a running asyncio event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def is_interruption(error: BaseException | None) -> bool:
    """Return whether `error` is a Ctrl-C, an exit or a cancellation, or was raised while one was being handled.

    asyncio.timeout, for one, turns a cancellation into a TimeoutError.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if not isinstance(error, (Exception, GeneratorExit)):
            return True
        seen.add(id(error))
        error = error.__context__
    return False


def is_interrupted_here() -> bool:
    """Return whether an interruption is being handled, or the task that runs now is being cancelled.

    An exception that unwinds frames is visible only inside `except`, `finally` and `__exit__`; the cancellation of a
    task is visible everywhere, on Python 3.11 and later.
    """
    if is_interruption(sys.exc_info()[1]):
        return True
    task: Any = _asyncio_task()
    if task is not None:
        return hasattr(task, "cancelling") and task.cancelling() > 0
    trio: Any = sys.modules.get("trio")
    if trio is not None:
        try:
            return bool(trio.current_effective_deadline() == -math.inf)
        except RuntimeError:  # this thread does not run trio
            pass
    return False


class Consumer:
    """The asyncio task that read a stream last. Holds no reference that would keep the task or the stream alive."""

    __slots__ = ("_has_been_cancelled", "_task")

    def __init__(self) -> None:
        self._task: Callable[[], Any] | None = None
        """A weak reference to it."""
        self._has_been_cancelled = False

    def reads(self) -> None:
        """Remember the task that runs now."""
        task: Any = _asyncio_task()
        if task is not None and (self._task is None or self._task() is not task):
            self._task = weakref.ref(task)
            # Beside the reference, because a task that has ended may be gone before its stream is.
            task.add_done_callback(self._ended)

    @property
    def was_cancelled(self) -> bool:
        """Whether that task ended by being cancelled."""
        task: Any = None if self._task is None else self._task()
        return self._has_been_cancelled or (task is not None and task.cancelled() is True)

    def _ended(self, task: Any) -> None:
        if self._task is not None and self._task() is task:
            self._has_been_cancelled = bool(task.cancelled())


def _asyncio_task() -> object:
    try:
        return asyncio.current_task()
    except RuntimeError:  # this thread runs no event loop of asyncio
        return None
