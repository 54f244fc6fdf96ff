"""What the engine can decide about a request: replay a recording, record the answer, wait, or send it unrecorded."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from ..json_tree import JsonObject
from ..recording.answer import Recording
from ..redaction.sent import Sent
from ..request.request import Request
from ..storage.locks import InFlight
from .capture_state import CaptureState
from .series import Series

_PATIENCE_SECONDS = 120.0


@dataclass(slots=True, eq=False)  # not frozen: every replay makes one, and a frozen one takes three times as long
class Replay:
    """Answer the call from a recording."""

    recording: Recording


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """Make the call and store its answer. Ends with `Captures.save` or `Engine.abandon`."""

    request: Request
    body: JsonObject
    """The arguments as they were when the call was made."""
    key: str
    test_id: str | None
    series: Series
    in_flight: InFlight | None
    state: CaptureState
    number: int = 0
    """Position among all calls of the session, from 1."""
    sent: Sent = field(default_factory=Sent)
    """The credentials in its HTTP requests, to be replaced wherever the answer repeats them; never stored."""
    started: float = field(default_factory=time.time)


@dataclass(slots=True, eq=False)
class Wait:
    """Call `Engine.decide_again` after a pause: another worker is making the same request."""

    request: Request
    key: str
    test_id: str | None
    series: Series
    position: int
    until: float = field(default_factory=lambda: time.monotonic() + _PATIENCE_SECONDS)
    pause_seconds: float = 0.002


@dataclass(frozen=True, slots=True)
class Live:
    """Make the call unrecorded: the session is over in the process that opened it."""


Decision = Replay | Record | Wait | Live
"""What to do with a call of a session that is not live."""
