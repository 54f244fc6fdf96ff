"""An answer as a person reads it, whole or joined from its chunks."""

from __future__ import annotations

from typing import NamedTuple

from .parts import Turn


class Reply(NamedTuple):
    """An answer as turns, one for each choice."""

    turns: tuple[Turn, ...]
    failure: str = ""
    """What went wrong by the answer's own word, such as the error of a failed response."""
