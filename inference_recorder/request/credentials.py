"""The API key of the client, as a request carries it."""

from __future__ import annotations


class Credential:
    """A client's API key. Its repr does not show it, and a copy or a pickle of it is empty.

    Equal to another one with the same key. Read `text` only where nothing is raised to the caller, since a traceback
    may show local variables.
    """

    __slots__ = ("text",)

    def __init__(self, text: str = "") -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Credential) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return "<API key, not shown>" if self.text else "<no API key>"

    def __reduce__(self) -> tuple[type[Credential], tuple[()]]:
        return Credential, ()
