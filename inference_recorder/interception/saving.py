"""Storing and waiting, once with `await` and once without. Neither blocks an event loop for another worker."""

from __future__ import annotations

import time

from ..format.recording import Answer
from ..identity.request import Request
from ..plans import Record, Replay, Wait
from ..session import Session
from .tape import Tape


def settled(session: Session, request: Request) -> Replay | Record:
    """Return what is to be done with a call, once other workers who ask for the same have ended."""
    __tracebackhide__ = True
    plan = session.decide(request)
    while isinstance(plan, Wait):
        if session.is_held_up_by_this_thread(plan):
            return session.decide_again(plan, may_wait=False)  # type: ignore[return-value]  # so it is no Wait
        time.sleep(plan.pause_seconds)
        plan = session.decide_again(plan)
    return plan


async def settled_async(session: Session, request: Request) -> Replay | Record:
    """Return what is to be done with a call, once other workers who ask for the same have ended."""
    __tracebackhide__ = True
    import anyio

    plan = session.decide(request)
    while isinstance(plan, Wait):
        await anyio.sleep(plan.pause_seconds)
        plan = session.decide_again(plan)
    return plan


async def keep_async(tape: Tape, answer: Answer | None, response: object = None) -> None:
    """Store the answer as `Tape.keep` does; where that takes waiting for another writer, a thread does it."""
    import anyio.to_thread

    if not tape.keep(answer, response, wait=False):
        await anyio.to_thread.run_sync(tape.keep, answer, response)
