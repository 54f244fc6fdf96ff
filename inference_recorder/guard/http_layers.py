"""The HTTP libraries, where the url is known: of a connection kept from before, and of a request through a proxy.

They are wrapped below what mock libraries replace, so that what those answer is not seen here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from ..errors import LiveCallBlocked
from ..network import host_and_port
from ..sdk.patching import Args, Kwargs, Original, Target, Wrapper
from .judge import Contact, judge
from .resolved import as_name, connecting_to


def _httpcore_request(wrapped: Original, instance: Any, args: Args, kwargs: Kwargs) -> Any:
    """Judge a request on an open connection of httpcore, which httpx uses."""
    __tracebackhide__ = True
    request = args[0] if args else kwargs["request"]
    host, port = as_name(request.url.host), request.url.port or (443 if request.url.scheme == b"https" else 80)
    _judge_request(host, port, request.url.target, request.method == b"CONNECT", _address_of(instance))
    return wrapped(*args, **kwargs)


def _address_of(connection: Any) -> str | None:
    stream = getattr(connection, "_network_stream", None)
    return None if stream is None else _peer(stream.get_extra_info("server_addr"))


def _connect_tcp(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> Any:
    __tracebackhide__ = True
    host, port = _destination(*args, **kwargs)
    judge(Contact((host,), port, is_counted=False))
    with connecting_to(host):
        return wrapped(*args, **kwargs)


def _async_connect_tcp(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> Any:
    return _connected(*_destination(*args, **kwargs), wrapped, args, kwargs)


def _aiohttp_connect(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> Any:
    """Judge where a request of aiohttp goes, before a proxy or a connection is opened for it."""
    url = (args[0] if args else kwargs["req"]).url
    return _connected(as_name(url.host), url.port or 0, wrapped, args, kwargs)


async def _connected(host: str, port: int, wrapped: Original, args: Args, kwargs: Kwargs) -> Any:
    __tracebackhide__ = True
    judge(Contact((host,), port, is_counted=False))
    with connecting_to(host), _refusal_alone():
        return await wrapped(*args, **kwargs)


@contextmanager
def _refusal_alone() -> Iterator[None]:
    """Raise a refusal itself where a library tries several addresses and raises a group of errors."""
    try:
        yield
    except Exception as error:
        refusals = (each for each in getattr(error, "exceptions", ()) if isinstance(each, LiveCallBlocked))
        refusal = next(refusals, None)
        if refusal is None:
            raise
    else:
        return
    raise refusal


def _destination(host: object, port: int, *args: object, **kwargs: object) -> tuple[str, int]:
    return as_name(host), port


def _put_request(wrapped: Original, instance: Any, args: Args, kwargs: Kwargs) -> Any:
    """Judge a request of http.client, which urllib, urllib3, requests and botocore use."""
    __tracebackhide__ = True
    host, port = _destination_of(instance)
    address = None
    if instance.sock is not None:
        with suppress(OSError):
            address = _peer(instance.sock.getpeername())
    _judge_request(host, port, args[1] if len(args) > 1 else kwargs["url"], False, address)
    return wrapped(*args, **kwargs)


def _set_tunnel(wrapped: Original, instance: Any, args: Args, kwargs: Kwargs) -> Any:
    """Judge where a proxy is to be asked to connect to, before it is asked."""
    __tracebackhide__ = True
    result = wrapped(*args, **kwargs)
    host, port = _destination_of(instance)
    judge(Contact((host,), port, is_counted=False))
    return result


def _destination_of(connection: Any) -> tuple[str, int]:
    if connection._tunnel_host:
        return as_name(connection._tunnel_host), connection._tunnel_port
    return as_name(connection.host), connection.port


async def _aiohttp_send(wrapped: Original, instance: Any, args: Args, kwargs: Kwargs) -> Any:
    """Judge a request of aiohttp on its connection, which may be kept from before, or be to a proxy."""
    __tracebackhide__ = True
    url, transport = instance.url, (args[0] if args else kwargs["conn"]).transport
    address = None if transport is None else _peer(transport.get_extra_info("peername"))
    judge(Contact((as_name(url.host),), url.port or 0, address, url.path, is_counted=instance.method != "CONNECT"))
    return await wrapped(*args, **kwargs)


def _judge_request(host: str, port: int, target: str | bytes, is_tunnel: bool, address: str | None) -> None:
    """Judge a request by its own url, which a request through a proxy has as its target."""
    __tracebackhide__ = True
    text = target.decode("ascii", "replace") if isinstance(target, bytes) else target
    if is_tunnel:
        host, port = host_and_port(f"//{text}")
    elif not text.startswith("/") and "://" in text:
        host, port = host_and_port(text)
    judge(Contact((host,), port, address, urlsplit(text).path, is_counted=not is_tunnel))


def _peer(name: object) -> str | None:
    return str(name[0]) if isinstance(name, tuple) else None


_HTTPCORE: tuple[tuple[str, str, Wrapper], ...] = (
    ("HTTP11Connection", "handle_request", _httpcore_request),
    ("HTTP2Connection", "handle_request", _httpcore_request),
    ("AsyncHTTP11Connection", "handle_async_request", _httpcore_request),
    ("AsyncHTTP2Connection", "handle_async_request", _httpcore_request),
    ("SyncBackend", "connect_tcp", _connect_tcp),
    ("AnyIOBackend", "connect_tcp", _async_connect_tcp),
    ("TrioBackend", "connect_tcp", _async_connect_tcp),
)
TARGETS = (
    *(Target(library, *row) for library in ("httpcore", "httpcore2") for row in _HTTPCORE),
    Target("http.client", "HTTPConnection", "putrequest", _put_request),
    Target("http.client", "HTTPConnection", "set_tunnel", _set_tunnel),
    Target("aiohttp", "BaseConnector", "connect", _aiohttp_connect),
    Target("aiohttp", "ClientRequest", "send", _aiohttp_send),
)
