"""The API key of the client that asks, as a request carries it."""

from __future__ import annotations


class Credential:
    """The API key that a client asks with. No repr shows it, and a copy or a pickle of it is an empty one.

    Equal to one with the same key. Take `text` only where nothing is raised to the caller: a traceback may show locals.
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
