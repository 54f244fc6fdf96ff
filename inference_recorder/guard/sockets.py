"""The net below the HTTP libraries: every TCP connection that Python's own sockets open."""

from __future__ import annotations

import socket
from typing import Any

from ..sdk.patching import Args, Kwargs, Original, Target
from .judge import Contact, judge
from .resolved import as_name, names_of, note
from .stack import is_counted_above

_FAMILIES = (socket.AF_INET, socket.AF_INET6)


def _resolve(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> Any:
    __tracebackhide__ = True
    try:
        found = wrapped(*args, **kwargs)
    except OSError:
        # Where nothing can be looked up, what the code under test meant to do must not pass for a lost connection.
        _judge_look_up(*args, **kwargs)
        raise
    note(args[0] if args else kwargs.get("host"), [str(entry[4][0]) for entry in found])
    return found


async def _async_resolve(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> Any:
    """Note what an event loop's thread has resolved in the context that asked for it, too."""
    __tracebackhide__ = True
    from .patches import has_unwrapped

    if has_unwrapped():  # of a library imported since; it tries addresses together, and raises their errors as a group
        _judge_look_up(*args, **kwargs)
    found = await wrapped(*args, **kwargs)
    note(args[0] if args else kwargs.get("host"), [str(entry[4][0]) for entry in found])
    return found


def _judge_look_up(host: object, port: object = None, *args: object, **kwargs: object) -> None:
    __tracebackhide__ = True
    judge(Contact((as_name(host),), port if isinstance(port, int) else 0, is_counted=False))


def _resolve_by_name(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> Any:
    found = wrapped(*args, **kwargs)
    note(args[0], [found] if isinstance(found, str) else found[2])
    return found


def _connect(wrapped: Original, instance: Any, args: Args, kwargs: Kwargs) -> Any:
    __tracebackhide__ = True
    _judge_connection(instance, args[0] if args else None)
    return wrapped(*args, **kwargs)


async def _async_connect(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> Any:
    """Judge a connection of the event loop of Windows, which does not ask the socket to connect."""
    __tracebackhide__ = True
    _judge_connection(args[0] if args else kwargs["sock"], args[1] if len(args) > 1 else kwargs.get("address"))
    return await wrapped(*args, **kwargs)


def _judge_connection(connecting: Any, address: Any) -> None:
    __tracebackhide__ = True
    # A datagram socket sends nothing when it is connected: so programs ask for their own address.
    if isinstance(address, tuple) and connecting.family in _FAMILIES and connecting.type == socket.SOCK_STREAM:
        from .patches import wrap_imported

        is_first = wrap_imported()  # of a library whose requests are judged from now on
        host, port = as_name(address[0]), address[1]
        hosts, is_judged = names_of(host)
        try:
            judge(Contact(hosts, port, host, is_counted=not (is_judged or is_first or is_counted_above())))
        except BaseException:
            connecting.close()  # its owner expects an OSError, and would leave it to be collected
            raise


TARGETS = (
    Target("socket", "", "getaddrinfo", _resolve),
    Target("socket", "", "gethostbyname", _resolve_by_name),
    Target("socket", "", "gethostbyname_ex", _resolve_by_name),
    Target("asyncio.base_events", "BaseEventLoop", "getaddrinfo", _async_resolve),
    Target("socket", "socket", "connect", _connect),
    Target("socket", "socket", "connect_ex", _connect),
    Target("asyncio.proactor_events", "BaseProactorEventLoop", "sock_connect", _async_connect),
)
