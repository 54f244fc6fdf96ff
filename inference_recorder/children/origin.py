"""A session of another process, as a process that was started in it sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import UnrecordableCall
from . import sessions


@dataclass(frozen=True, slots=True)
class Origin:
    """The session that a child process has joined."""

    variable: str
    """Its name in the environment."""
    is_recording: bool
    test_id: str | None
    """Of the test or fixture that started the process."""
    functions: Sequence[str] = ()
    """The functions of redact=, which no other process has."""

    def is_over(self, summary: str) -> bool:
        """Return whether the session is over, so that this call is to go out live.

        Raises UnrecordableCall in replay, and where the session cannot be opened in another process.
        """
        if sessions.is_over(self.variable):
            if self.is_recording:
                return True
            raise UnrecordableCall(
                f"{summary}: the session of {self.test_id or 'the process that started this one'} is over "
                "or cannot be read, and this process belongs to it; nothing was sent\n"
                "  end this process before its test, fixture or block ends, or start it in a wider fixture"
            )
        if self.functions:
            raise UnrecordableCall(
                f"{summary}: redact= has {', '.join(self.functions)}, and a function cannot be passed on to this "
                "process, which might record what it declares a secret; nothing was sent\n"
                "  declare strings or patterns instead, or set children=False, which leaves such processes alone"
            )
        return False

    def report(self, outcome: str, call: Mapping[str, object], position: int = 0) -> None:
        """Tell the session's own process of a call."""
        call = {**call, "test_id": self.test_id} if outcome == "live" else call
        sessions.report(self.variable, outcome, call, position)
