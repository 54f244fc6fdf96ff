"""The task or thread that runs now: which it is, and whether it is being interrupted."""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from typing import Any

_CONSUMERS = "_inference_recorder_consumers"


def running_task() -> object:
    """Return the task that runs now, of asyncio or trio, otherwise the thread's identity."""
    return _asyncio_task() or _trio_task() or threading.get_ident()


def runs_an_event_loop() -> bool:
    """Return whether this thread is inside a running event loop of asyncio or trio."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _trio_task() is not None
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
    """Return whether an interruption is being handled: in `except`, `finally` or `__exit__`, or what they call."""
    return is_interruption(sys.exc_info()[1])


class Consumer:
    """The asyncio task that reads a stream, and whether it was cancelled meanwhile."""

    __slots__ = ("__weakref__", "_consumers_of_task", "was_cancelled")

    def __init__(self) -> None:
        self.was_cancelled = False
        self._consumers_of_task: weakref.WeakSet[Consumer] | None = None

    def reads(self) -> None:
        """Note that the running task reads the stream."""
        task = _asyncio_task()
        consumers = None if task is None else _consumers_in(task)
        if consumers is self._consumers_of_task:
            return
        if self._consumers_of_task is not None:
            self._consumers_of_task.discard(self)
        if consumers is not None:
            consumers.add(self)
        self._consumers_of_task = consumers


def _consumers_in(task: asyncio.Task[object]) -> weakref.WeakSet[Consumer]:
    """Return the streams that a task reads, which are marked when it is cancelled.

    asyncio.timeout cancels a task and takes that back in one step, which leaves no trace: a stream that the task was
    not waiting for at that moment, and that nobody closes, would look like one that was left by a `break`. So `cancel`
    is replaced on the task itself, for as long as it lives, without a reference to the task, which would be a cycle.
    """
    consumers: weakref.WeakSet[Consumer] | None = getattr(task, _CONSUMERS, None)
    if consumers is not None:
        return consumers
    consumers, known_task = weakref.WeakSet(), weakref.ref(task)

    def cancel(*args: object, **kwargs: object) -> bool:
        task = known_task()
        if task is None:
            return False
        if not task.done():
            for consumer in tuple(consumers):
                consumer.was_cancelled = True
        return bool(type(task).cancel(task, *args, **kwargs))

    setattr(task, _CONSUMERS, consumers)
    task.cancel = cancel  # type: ignore[method-assign]
    return consumers


def _asyncio_task() -> asyncio.Task[object] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # this thread runs no event loop of asyncio
        return None


def _trio_task() -> object:
    trio: Any = sys.modules.get("trio")
    try:
        return None if trio is None else trio.lowlevel.current_task()
    except (RuntimeError, AttributeError):  # this thread does not run trio, or trio is still being imported
        return None
