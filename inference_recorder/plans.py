"""What can be decided about a call, and what is remembered of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from .format.recording import Answer, Recording
from .identity.jsonable import JsonObject
from .identity.request import Request
from .rows import Row
from .storage.locks import Flight

Outcome = Literal["replayed", "recorded", "missed", "passed"]

_PATIENCE_SECONDS = 120.0


class Exchange(NamedTuple):
    """One call, as a session remembers it."""

    endpoint: str
    model: str
    key: str
    """"" for a call that passed, whose key nobody computed."""
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
    """The text of the error that a missed call raised."""


@dataclass(slots=True, eq=False)
class Record:
    """The decision to let the call go out and keep what it comes to. Ends by `Session.save` or `Session.abandon`."""

    request: Request
    body: JsonObject
    key: str
    test_id: str | None
    row: Row
    place: int
    flight: Flight | None
    is_over: bool = False
    is_counted: bool = False
    so_far: Callable[[], Answer] | None = None
    """What was heard of a stream that is still being read."""
    reader: int = 0
    """The process that reads it; a forked child leaves its parent's streams alone."""
    replaced: bytes | None = None
    """The recording that its own has replaced."""
    is_unchanged: bool = False
    """Whether its recording was there already, and says the same."""
    started: float = field(default_factory=time.time)
    chunk_times: list[float] = field(default_factory=list)
    """When each chunk of a stream arrived, in seconds since 1970."""


@dataclass(slots=True, eq=False)
class Wait:
    """The decision to wait: another worker asks the API for the same key now. `Session.decide_again` after a pause."""

    request: Request
    key: str
    test_id: str | None
    row: Row
    place: int
    until: float = field(default_factory=lambda: time.monotonic() + _PATIENCE_SECONDS)
    pause_seconds: float = 0.002


Plan = Recording | Record | Wait
"""What is done with a call: this recording answers it, it goes out, or it waits."""
