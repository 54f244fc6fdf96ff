"""A value that is kept and not shown: neither by a repr nor in a copy or a pickle."""

from __future__ import annotations

from typing import Any, Generic, NoReturn, TypeVar

_T = TypeVar("_T")


class Unshown(Generic[_T]):
    """Holds a value that may be a secret or hold one. No repr shows it, and it cannot be copied or pickled."""

    __slots__ = ("value",)

    def __init__(self, value: _T) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "<not shown>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("what is not to be shown is neither copied nor pickled")


class UnshownDict(dict[str, Any]):
    """A dict whose repr shows its names alone, such as that of the headers which a caller passes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name!r}: <not shown>' for name in self)}}}"


def unshown(value: Any) -> Any:
    """Return a dict as one whose values no repr shows; anything else as it is."""
    return UnshownDict(value) if type(value) is dict else value
