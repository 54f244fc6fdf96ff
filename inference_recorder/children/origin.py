"""A session of another process, as a process that was started in it sees it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import UnrecordableCall
from ..json_tree import JsonObject
from .sessions import OPEN, ChildCall
from .usage import append_report


def variable(path: str, number: int, mode: str) -> str:
    """Return the name of a session in the environment, with its mode for processes that cannot read its description."""
    return f"{path}:{number}:{mode}"


@dataclass(frozen=True, slots=True)
class Origin:
    """The session that a child process has joined."""

    variable: str
    """Its name in the environment."""
    test_id: str | None = None
    """Of the test or fixture that started the process."""
    functions: Sequence[str] = ()
    """The functions of redact=, which no other process has."""

    @property
    def is_replay(self) -> bool:
        """Whether the session is in replay."""
        return self.variable.endswith(":replay")

    def description(self) -> JsonObject | None:
        """Return the description of the session; None if it is gone."""
        try:
            path, number, _ = self.variable.rsplit(":", 2)
            with open(path, "rb") as file:
                file.seek(int(number))
                description: JsonObject = json.loads(file.readline()[1:])
            with open(f"{path}.{number}", "rb") as file:
                description["redact"] = json.load(file)
        except (OSError, ValueError):
            return None
        return description

    def has_ended(self) -> bool:
        """Return whether the session is over."""
        try:
            path, number, _ = self.variable.rsplit(":", 2)
            with open(path, "rb", buffering=0) as file:
                file.seek(int(number))
                return file.read(1) != OPEN
        except (OSError, ValueError):
            return True

    def lets_out(self, summary: str) -> bool:
        """Return whether this call is to go out live, since the session, which records, is over.

        Raises UnrecordableCall in replay, and where the session cannot be opened in another process.
        """
        if self.has_ended():
            if not self.is_replay:
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
        path, number, _ = self.variable.rsplit(":", 2)
        fields = {**call, "test_id": call["test_id"] or self.test_id} if outcome == "live" else dict(call)
        made = ChildCall(session=int(number), outcome=outcome, call=fields, position=position)
        append_report(os.path.dirname(path), made)
