"""Storing and waiting, once with `await` and once without. Neither blocks an event loop for another worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from ..engine.decisions import Record, Replay, Wait
from ..engine.engine import Engine
from ..recording.answer import Answer, Value, items_of
from ..request.jsonable import JsonValue
from ..request.request import Request
from .capture import Capture

if TYPE_CHECKING:
    from anyio import CapacityLimiter
    from anyio.lowlevel import RunVar

_BIG = 64 * 1024
_BYTES_OF_A_FLOAT = 20
_MOST_THREADS = 16


def settled(engine: Engine, request: Request, before_miss: Callable[[], None] | None = None) -> Replay | Record:
    """Return what is to be done with a call, once other workers who ask for the same have ended."""
    __tracebackhide__ = True
    decision = engine.decide(request, before_miss)
    while isinstance(decision, Wait):
        if engine.is_held_up_by_this_thread(decision):
            return engine.decide_again(decision, may_wait=False)  # type: ignore[return-value]  # may_wait=False never waits
        time.sleep(decision.pause_seconds)
        decision = engine.decide_again(decision)
    return decision


async def settled_async(
    engine: Engine, request: Request, before_miss: Callable[[], None] | None = None
) -> Replay | Record:
    """Return what is to be done with a call, once other workers who ask for the same have ended."""
    __tracebackhide__ = True
    decision = engine.decide(request, before_miss)
    while isinstance(decision, Wait):
        import anyio

        await anyio.sleep(decision.pause_seconds)
        decision = engine.decide_again(decision)
    return decision


async def keep_async(capture: Capture, answer: Answer | None, response: object = None) -> None:
    """Store the answer as `Capture.keep` does; a thread does it for a big one, or where another writer is waited for.

    A task that is cancelled meanwhile loses nothing: the answer is stored all the same, and the session's end raises
    what goes wrong.
    """
    capture.ended(answer)
    is_kept = (answer is None or not _is_big(answer)) and capture.keep(answer, response, wait=False)
    if is_kept or answer is None:  # giving a call up waits for nobody
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


def _is_big(answer: Answer) -> bool:
    """Whether encoding and writing an answer would hold up an event loop: some 64 KiB and more."""
    if isinstance(answer, Value) and answer.attachment is not None:
        return True
    size = 0
    waiting: list[JsonValue] = [answer.body] if isinstance(answer, Value) else [*items_of(answer)]
    while waiting and size < _BIG:
        value = waiting.pop()
        if isinstance(value, (str, bytes)):
            size += len(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            if value and type(value[0]) is float:
                size += len(value) * _BYTES_OF_A_FLOAT
            else:
                waiting.extend(value)
    return size >= _BIG
