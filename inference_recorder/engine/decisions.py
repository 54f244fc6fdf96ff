"""What can be decided about a call, and what is remembered of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ..recording.recording import Answer, Failure, Recording
from ..redaction.sent import Sent
from ..request.jsonable import JsonObject
from ..request.request import Request
from ..storage.locks import InFlight
from ..tasks import Consumer
from .series import Series

Outcome = Literal["replayed", "recorded", "missed", "dropped", "live"]

_PATIENCE_SECONDS = 120.0


class Call(NamedTuple):
    """One call, as a session remembers it."""

    endpoint: str
    model: str
    key: str
    """"" for a live call, whose key nobody computed."""
    test_id: str | None
    path: str | None = None
    """The recording's file, as it was called then; None where there is none."""
    started: float = 0.0
    """When the call was made, in seconds since 1970."""
    seconds: float = 0.0
    """From then until the answer was recorded, its last chunk included; 0 for what was not recorded."""
    chunk_seconds: tuple[float, ...] = ()
    """When each chunk of a stream arrived while recording, counted from `started`."""
    explanation: str = ""
    """The text of the error that a missed call raised; of a dropped one, how it failed and that it was not recorded."""
    number: int = 0
    """Position among all calls of the session, in the order they were made; a clock may stand still or go back."""
    failure: str = ""
    """What a recorded or dropped call failed with, such as "429 RateLimitError"; "" for one that did not fail."""


@dataclass(slots=True, eq=False)  # frozen, it would take three times as long to make
class Replay:
    """Answer the call from a recording."""

    recording: Recording


@dataclass(slots=True, eq=False)
class Record:
    """The decision to let the call go out and keep what it comes to. Ends by `Session.save` or `Session.abandon`."""

    request: Request
    body: JsonObject
    key: str
    test_id: str | None
    series: Series
    position: int
    in_flight: InFlight | None
    is_over: bool = False
    is_being_stored: bool = False
    is_counted: bool = False
    so_far: Callable[[], Answer] | None = None
    """What was heard of a stream that is still being read."""
    final: Answer | None = None
    """What the call came to, once that is known: from then on nothing else is stored, however its end is reported."""
    event_failure: Failure | None = None
    """What the SDK raises at an event of a stream that is recorded as any other event."""
    is_interrupted: bool = False
    """Whether a Ctrl-C, an exit or a cancellation ended it early: then it replaces nothing that is there."""
    consumer: Consumer = field(default_factory=Consumer)
    """The task that reads a stream, if one does."""
    storing: threading.RLock = field(default_factory=threading.RLock)
    """Held while its answer is stored. Reentrant: its stream may be collected as garbage meanwhile."""
    closed_as: bytes | None = None
    """The recording as the end of its session left it, b"" for none; a stream read on later replaces only that."""
    reader: int = 0
    """The process that reads it; a forked child leaves its parent's streams alone."""
    number: int = 0
    """Position among all calls of the session."""
    replaced: bytes | None = None
    """The recording that its own has replaced."""
    is_unchanged: bool = False
    """Whether its recording was there already, and says the same."""
    sent: Sent = field(default_factory=Sent)
    """The credentials that its HTTP requests held, to be hidden wherever they occur; never stored."""
    started: float = field(default_factory=time.time)
    chunk_times: list[float] = field(default_factory=list)
    """When each chunk of a stream arrived, in seconds since 1970."""

    @property
    def may_replace(self) -> bool:
        """Whether its answer may take the place of one that is there."""
        has_ended = self.final is not None and self.final.is_complete
        return has_ended or not (self.is_interrupted or self.consumer.was_cancelled)


@dataclass(slots=True, eq=False)
class Wait:
    """The decision to wait: another worker asks the API for the same key now. `Session.decide_again` after a pause."""

    request: Request
    key: str
    test_id: str | None
    series: Series
    position: int
    until: float = field(default_factory=lambda: time.monotonic() + _PATIENCE_SECONDS)
    pause_seconds: float = 0.002


Decision = Replay | Record | Wait
"""What to do with a call. Live calls are never decided about."""
