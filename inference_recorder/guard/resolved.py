"""Which names the addresses of connections have. Holds state: what was resolved while the guard was held.

Two names may share an address. In the task or thread that resolved one of them it has that name; elsewhere it has all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar

from ..forks import renew_in_child
from ..network import ascii_host, is_loopback

_names: dict[str, frozenset[str]] = {}
"""Address -> the names that were resolved to it. Guarded by `_guard`."""
_guard = threading.RLock()
renew_in_child(globals())
_last: ContextVar[tuple[str, frozenset[str]] | None] = ContextVar("inference_recorder_resolved", default=None)
"""The name that this context resolved last, and its addresses."""
_connecting: ContextVar[str | None] = ContextVar("inference_recorder_connecting", default=None)
"""The host that a library which knows its name is connecting to."""


def note(host: object, addresses: Iterable[str]) -> None:
    """Note that a name was resolved to these addresses."""
    name, found = as_name(host), frozenset(addresses)
    if not name or (name in found and not is_loopback(name)):
        return  # an address is looked up to connect to it, and keeps the names that it was found by
    _last.set((name, found))
    if name not in found:  # otherwise it is this machine's address itself
        with _guard:
            for address in found:
                _names[address] = _names.get(address, frozenset()) | {name}


def names_of(address: str) -> tuple[Sequence[str], bool]:
    """Return the names that an address has here, or itself, and whether the library connecting to it has judged it."""
    if (connecting := _connecting.get()) is not None:
        return names_of_url(connecting), True
    return _looked_up(address), False


def names_of_url(host: object) -> Sequence[str]:
    """Return the names that the host of a url has here if it is an address of another machine, or itself."""
    name = as_name(host)
    return (name,) if is_loopback(name) else _looked_up(name)


def _looked_up(address: str) -> Sequence[str]:
    last = _last.get()
    if last is not None and address in last[1]:
        return (last[0],)
    return sorted(_names.get(address, ())) or (as_name(address),)


@contextmanager
def connecting_to(host: str) -> Iterator[None]:
    """Give what is connected to in the block this name."""
    token = _connecting.set(host)
    try:
        yield
    finally:
        with suppress(ValueError):  # a coroutine that nobody finished is collected in another context
            _connecting.reset(token)


def as_name(host: object) -> str:
    """Return a host as it is compared: in lower case, without the dot at the end of a full name; "" for none."""
    text = host.decode("ascii", "replace") if isinstance(host, (bytes, bytearray)) else host
    return ascii_host(text).rstrip(".").lower() if isinstance(text, str) else ""


def forget() -> None:
    """Forget all names."""
    with _guard:
        _names.clear()
