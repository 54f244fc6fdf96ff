"""How much of an answer has arrived, and whether it is stored."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from ..recording.answer import Answer, Failure, failure_of, is_complete
from ..tasks import Consumer


class Phase(Enum):
    """How far storing has come."""

    OPEN = "open"
    STORING = "storing"
    OVER = "over"
    """Stored or given up; nothing is stored any more."""


@dataclass(frozen=True, slots=True)
class Streaming:
    """A stream that is being read."""

    so_far: Callable[[], Answer]
    """Returns the chunks that have arrived, as an answer."""


@dataclass(slots=True, eq=False)
class CaptureState:
    """What changes while one call is recorded.

    Where no lock is named, only the thread or task that makes the call writes the field.
    """

    position: int
    """Position in its series. Guarded by the guard of the series."""
    arrived: Streaming | Answer | None = None
    """A stream being read or, once it is known, the whole answer: from then on nothing else is stored."""
    event_failure: Failure | None = None
    """What the SDK raises for an event in a stream; the event is recorded like any other."""
    known_lists: Mapping[str, str] = field(default_factory=dict)
    """The recorded lists of models that stay as they are: names as if they had the call's key, and paths."""
    is_interrupted: bool = False
    """Whether a Ctrl-C, an exit or a cancellation ended the call early: then it replaces no recording."""
    consumer: Consumer = field(default_factory=Consumer)
    """The task that reads the stream, if a task does."""
    chunk_times: list[float] = field(default_factory=list)
    """When each chunk of a stream arrived, in seconds since 1970."""
    reader: int = 0
    """The process that reads the answer; a forked child leaves its parent's streams alone."""
    storing: threading.RLock = field(default_factory=threading.RLock)
    """Held while the answer is stored. Reentrant: storing may collect the stream as garbage, which stores it."""
    phase: Phase = Phase.OPEN
    """Guarded by `storing`."""
    closed_as: bytes | None = None
    """The recording as the end of the session left it, b"" for none; a stream read on replaces only that one.

    Guarded by `storing`.
    """
    is_counted: bool = False
    """Whether the session's log has it as recorded. Guarded by `storing`."""
    replaced: bytes | None = None
    """The recording that its own has replaced. Guarded by `storing`."""
    is_unchanged: bool = False
    """Whether an equal recording was there already. Guarded by `storing`."""

    @property
    def is_over(self) -> bool:
        """Whether the answer is stored or given up."""
        return self.phase is Phase.OVER

    @property
    def final(self) -> Answer | None:
        """The whole answer, None while it is still arriving."""
        return None if isinstance(self.arrived, Streaming) else self.arrived

    @property
    def so_far(self) -> Answer | None:
        """The whole answer, or as much of a stream as has arrived; None if nothing has."""
        return self.arrived.so_far() if isinstance(self.arrived, Streaming) else self.arrived

    @property
    def may_replace(self) -> bool:
        """Whether the answer may replace an existing recording."""
        has_ended = self.final is not None and is_complete(self.final)
        return has_ended or not (self.is_interrupted or self.consumer.was_cancelled)

    def failure_in(self, answer: Answer | None) -> Failure | None:
        """Return the failure that the call ended with, if it did."""
        return (None if answer is None else failure_of(answer)) or self.event_failure
