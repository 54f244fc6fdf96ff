"""Drivers: they do what a course yields, in sync or in async code."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from types import GeneratorType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ..recording.answer import Answer
from .capture import Capture, is_big
from .flow import Invoke, Pause, Save, Step
from .hand_over import HandOver, handed_over
from .patching import Args, Kwargs, Original, Wrapper

if TYPE_CHECKING:
    from anyio import CapacityLimiter
    from anyio.lowlevel import RunVar

_MOST_THREADS = 16
_T = TypeVar("_T")
Called: TypeAlias = tuple[Original, Any, Args, Kwargs]
"""What a wrapper is called with: (wrapped, instance, args, kwargs)."""


class _Exhausted(Exception):
    """Carries a StopIteration, which a mock may raise, through a generator: there it would become a RuntimeError."""

    def __init__(self, error: StopIteration) -> None:
        super().__init__(error)
        self.error = error


def wrapper(begin: Callable[[Called], object]) -> Wrapper:
    """Return the wrapper of a sync method: it drives what `begin` returns."""

    def intercept(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> object:
        __tracebackhide__ = True
        return drive(begin, (wrapped, instance, args, kwargs))

    return intercept


def async_wrapper(begin: Callable[[Called], object]) -> Wrapper:
    """Return the wrapper of an async method: it drives what `begin` returns."""

    def intercept(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> object:
        return adrive(begin, (wrapped, instance, args, kwargs))

    return intercept


def drive(begin: Callable[[_T], object], call: _T) -> object:
    """Return what `begin(call)` returns, or, of a course, what the course returns; and raise what it raises."""
    __tracebackhide__ = True
    try:
        begun = begin(call)
    except StopIteration as error:  # of a caller's iterable; it raises that in the SDK too, which reads in a generator
        raise RuntimeError("an argument raised StopIteration") from error
    if not isinstance(begun, GeneratorType):
        return begun
    course = begun
    try:
        step = course.send(None)
        while True:
            try:
                result = perform(step)
            except StopIteration as error:
                step = course.throw(_Exhausted(error))
            except BaseException as error:
                step = course.throw(error)
            else:
                step = course.send(result)
    except StopIteration as end:
        return end.value
    except _Exhausted as exhausted:
        raise exhausted.error from None


async def adrive(begin: Callable[[_T], object], call: _T) -> object:
    """Return and raise as `drive` does; a coroutine cannot raise StopIteration anyway."""
    __tracebackhide__ = True
    begun = begin(call)
    if not isinstance(begun, GeneratorType):
        return begun
    course = begun
    try:
        step = course.send(None)
        while True:
            try:
                result = await aperform(step)
            except BaseException as error:
                step = course.throw(error)
            else:
                step = course.send(result)
    except StopIteration as end:
        return end.value


def perform(step: Step) -> object:
    """Do one step, and return what the course goes on with."""
    __tracebackhide__ = True
    match step:
        case Invoke(hand_over=HandOver() as hand_over):
            with handed_over(hand_over):
                return step.function()
        case Invoke():
            return step.function()
        case Save():
            if step.answer is None:
                step.capture.abandon()
                return None
            step.capture.ended(step.answer)
            return step.capture.keep(step.answer, step.response)
        case Pause():
            if step.engine.is_held_up_by_this_thread(step.wait):
                return False
            time.sleep(step.wait.pause_seconds)
            return True


async def aperform(step: Step) -> Any:
    """Do one step, and return what the course goes on with."""
    __tracebackhide__ = True
    match step:
        case Invoke(hand_over=HandOver() as hand_over):
            with handed_over(hand_over):
                return await step.function()
        case Invoke():
            return await step.function()
        case Save():
            return await _keep(step.capture, step.answer, step.response)
        case Pause():
            import anyio

            await anyio.sleep(step.wait.pause_seconds)
            return True


async def _keep(capture: Capture, answer: Answer | None, response: object) -> None:
    """Store the answer as `Capture.keep` does; a thread does it for a big one, or where another writer is waited for.

    A task that is cancelled meanwhile loses nothing: the answer is stored all the same, and the session's end raises
    what goes wrong.
    """
    if answer is None:
        capture.abandon()
        return
    capture.ended(answer)
    if not is_big(answer) and capture.keep(answer, response, wait=False):
        return
    import anyio.to_thread

    try:
        await anyio.to_thread.run_sync(capture.keep_in_thread, answer, response, limiter=_limiter())
    except Exception as error:
        capture.engine.captures.discard_error(error)
        raise
    except BaseException:  # the task was cancelled, perhaps before a thread began
        capture.engine.captures.save_later(capture.decision, answer)
        raise


def _limiter() -> CapacityLimiter:
    """Return what bounds the threads that store for this event loop.

    Not anyio's own limiter: all the threads that it allows may belong to callers who wait for this very answer.
    """
    from anyio import CapacityLimiter

    try:
        return _limiters().get()
    except LookupError:
        limiter = CapacityLimiter(_MOST_THREADS)
        _limiters().set(limiter)
        return limiter


@cache
def _limiters() -> RunVar[CapacityLimiter]:
    from anyio.lowlevel import RunVar  # not before something is stored in a thread: a replay has no use for it

    return RunVar("inference_recorder_savers")
