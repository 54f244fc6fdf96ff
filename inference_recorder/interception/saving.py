"""Storing and waiting, once with `await` and once without. Neither blocks an event loop for another worker."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..format.recording import Answer, Recording
from ..identity.jsonable import JsonValue
from ..identity.request import Request
from ..plans import Record, Wait
from ..session import Session
from .tape import Tape

_BIG = 64 * 1024
_BYTES_OF_A_FLOAT = 20


def settled(session: Session, request: Request, before_miss: Callable[[], None] | None = None) -> Recording | Record:
    """Return what is to be done with a call, once other workers who ask for the same have ended."""
    __tracebackhide__ = True
    plan = session.decide(request, before_miss)
    while isinstance(plan, Wait):
        if session.is_held_up_by_this_thread(plan):
            return session.decide_again(plan, may_wait=False)  # type: ignore[return-value]  # so it is no Wait
        time.sleep(plan.pause_seconds)
        plan = session.decide_again(plan)
    return plan


async def settled_async(
    session: Session, request: Request, before_miss: Callable[[], None] | None = None
) -> Recording | Record:
    """Return what is to be done with a call, once other workers who ask for the same have ended."""
    __tracebackhide__ = True
    plan = session.decide(request, before_miss)
    while isinstance(plan, Wait):
        import anyio

        await anyio.sleep(plan.pause_seconds)
        plan = session.decide_again(plan)
    return plan


async def keep_async(tape: Tape, answer: Answer | None, response: object = None) -> None:
    """Store the answer as `Tape.keep` does; a thread does it for a big one, or where another writer is waited for."""
    import anyio.to_thread

    if (answer is not None and _is_big(answer)) or not tape.keep(answer, response, wait=False):
        await anyio.to_thread.run_sync(tape.keep, answer, response)


def _is_big(answer: Answer) -> bool:
    """Whether encoding and writing an answer would hold up an event loop: some 64 KiB and more."""
    if answer.attachment is not None:
        return True
    size = 0
    waiting: list[JsonValue] = [answer.body, *(answer.chunks or ())]
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
