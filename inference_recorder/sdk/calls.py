"""What a resource method hands over to the client request below it: the request, and where the answer is recorded.

Holds state: the hand-over while a call runs, in ContextVars.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ..engine.decisions import Replay
from ..recording.answer import Http
from ..redaction.sent import Sent
from ..request.request import Request


@dataclass(slots=True, eq=False)
class HandOver:
    """A call on its way from a resource method to its client request."""

    request: Request
    kwargs: Mapping[str, Any] = field(repr=False)
    """What to call the SDK with: one-shot iterables have been read into lists."""
    is_settled_above: bool = False
    """Whether the resource method records the result; the client request then only notes the response."""
    replay: Replay | None = None
    """The resource method's decision, if the client request is to build the answer."""
    http: Http | None = None
    """Status and headers of the HTTP response that the client request received."""
    response: Any = None
    """That response."""
    sent: Sent | None = None
    """Notes the HTTP requests, if the resource method records."""


_listener: ContextVar[object] = ContextVar("inference_recorder_listener", default=None)
_handed_down: ContextVar[HandOver | None] = ContextVar("inference_recorder_call", default=None)


@contextmanager
def handed_down(call: HandOver) -> Iterator[None]:
    """Hand a call over to the client request that is made in the block."""
    token = _handed_down.set(call)
    try:
        yield
    finally:
        _handed_down.reset(token)


def take_handed_down() -> HandOver | None:
    """Return the call that was handed over, once: further requests that it causes are calls of their own."""
    call = _handed_down.get()
    if call is not None:
        _handed_down.set(None)
    return call


@contextmanager
def listening(listener: object) -> Iterator[None]:
    """Make `listener` receive the response to the request made in the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def note_sent(request: Any) -> None:
    """Note an HTTP request that is about to be sent, for the call that waits for its response."""
    sent = getattr(_listener.get(), "sent", None)
    if sent is not None:
        sent.note(request)


def take_listener() -> object:
    """Return the listener of the response that arrived, once, or None."""
    listener = _listener.get()
    if listener is not None:
        _listener.set(None)
    return listener
