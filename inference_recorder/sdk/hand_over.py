"""What a resource method hands over to the client request below it, and that to the response it waits for.

Holds state: the hand-over while a call runs, in one ContextVar.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field

from ..engine.decisions import Replay
from ..engine.engine import Engine
from ..request.request import Request
from .capture import Capture


@dataclass(slots=True, eq=False)
class HandOver:
    """A call on its way down: from the resource method to the client request, and on to its response."""

    engine: Engine
    request: Request
    replay: Replay | None = None
    """The decision, if the client request is to build a response from the recording."""
    capture: Capture | None = field(default=None, repr=False)
    """What records the answer; None if the client request is to decide."""
    is_taken: bool = False
    """Whether the client request has begun. Further requests that it causes are calls of their own."""
    has_response: bool = False
    """Whether the response has arrived, or is no longer waited for."""


_current: ContextVar[HandOver | None] = ContextVar("inference_recorder_call", default=None)


@contextmanager
def handed_over(hand_over: HandOver) -> Iterator[None]:
    """Hand a call over to what is called in the block."""
    token = _current.set(hand_over)
    try:
        yield
    finally:
        hand_over.is_taken = hand_over.has_response = True  # a task that was started in the block may outlive it
        with suppress(ValueError):  # a coroutine that nobody finished is collected in another context
            _current.reset(token)


def take() -> HandOver | None:
    """Return the call that a resource method handed over to this client request, None for a call of its own."""
    hand_over = _current.get()
    if hand_over is None or hand_over.is_taken:
        return None
    hand_over.is_taken = True
    return hand_over


def is_handed_over() -> bool:
    """Return whether a call was handed over to the client request that is about to be made."""
    hand_over = _current.get()
    return hand_over is not None and not hand_over.is_taken


def note_sent(request: object) -> None:
    """Note an HTTP request that is about to be sent, for the call whose answer is recorded."""
    hand_over = _current.get()
    if hand_over is not None and hand_over.capture is not None and not hand_over.has_response:
        hand_over.capture.decision.sent.note(request)


def capture_of_response() -> Capture | None:
    """Return the capture that waits for the response which has just arrived, once."""
    hand_over = _current.get()
    if hand_over is None or hand_over.has_response:
        return None
    hand_over.has_response = True
    return hand_over.capture


def is_being_recorded() -> bool:
    """Return whether what is sent here is sent for a call that is being recorded."""
    hand_over = _current.get()
    return hand_over is not None and hand_over.capture is not None and not hand_over.has_response
