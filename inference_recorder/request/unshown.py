"""Wrappers for values that no repr shows."""

from __future__ import annotations

from typing import Generic, NoReturn, TypeVar

_T = TypeVar("_T")


class Unshown(Generic[_T]):
    """Holds a value that may contain a secret. Its repr does not show it, and it cannot be copied or pickled."""

    __slots__ = ("value",)

    def __init__(self, value: _T) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "<not shown>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a value that may contain a secret cannot be copied or pickled")


def is_same(one: Unshown[_T] | None, other: Unshown[_T] | None) -> bool:
    """Return whether two values are equal, or there is neither."""
    return one is other or (one is not None and other is not None and one.value == other.value)


class UnshownDict(dict[str, _T]):
    """A dict whose repr shows only its names, for example the headers that a caller passes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name!r}: <not shown>' for name in self)}}}"


def unshown(value: object) -> object:
    """Return a dict as an `UnshownDict`, and anything else unchanged."""
    return UnshownDict(value) if type(value) is dict else value
