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
from .resolved import as_name, connecting_to, names_of_url


def _httpcore_request(wrapped: Original, instance: Any, args: Args, kwargs: Kwargs) -> Any:
    """Judge a request on an open connection of httpcore, which httpx uses."""
    __tracebackhide__ = True
    request = args[0] if args else kwargs["request"]
    stream = getattr(instance, "_network_stream", None)
    address = None if stream is None else _peer(stream.get_extra_info("server_addr"))
    _judge_request(*_httpcore_destination(request), request.url.target, address, request.method == b"CONNECT")
    return wrapped(*args, **kwargs)


def _httpcore_tunnel(wrapped: Original, instance: Any, args: Args, kwargs: Kwargs) -> Any:
    """Judge a request through a proxy that connects to its host, before the proxy is asked to."""
    __tracebackhide__ = True
    _judge_proxied(*_httpcore_destination(args[0] if args else kwargs["request"]))
    return wrapped(*args, **kwargs)


def _httpcore_destination(request: Any) -> tuple[str, int]:
    return as_name(request.url.host), request.url.port or (443 if request.url.scheme in (b"https", b"wss") else 80)


def _connect_tcp(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> Any:
    __tracebackhide__ = True
    host, port = _destination(*args, **kwargs)
    judge(Contact(names_of_url(host), port, is_counted=False))
    with connecting_to(host):
        return wrapped(*args, **kwargs)


def _async_connect_tcp(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> Any:
    return _connected(*_destination(*args, **kwargs), wrapped, args, kwargs)


def _aiohttp_connect(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> Any:
    """Judge where a request of aiohttp goes, before a proxy or a connection is opened for it."""
    request = args[0] if args else kwargs["req"]
    host, port = as_name(request.url.host), request.url.port or 0
    return _connected(host, port, wrapped, args, kwargs, host if request.proxy else None)


async def _connected(
    host: str, port: int, wrapped: Original, args: Args, kwargs: Kwargs, address: str | None = None
) -> Any:
    __tracebackhide__ = True
    judge(Contact(names_of_url(host), port, address, is_counted=False))
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
    raise refusal from None


def _destination(host: object, port: int, *args: object, **kwargs: object) -> tuple[str, int]:
    return as_name(host), port


def _put_request(wrapped: Original, instance: Any, args: Args, kwargs: Kwargs) -> Any:
    """Judge a request of http.client, which urllib, urllib3, requests and botocore use."""
    __tracebackhide__ = True
    host, port, is_proxied = _destination_of(instance)
    address = host if is_proxied else None
    if instance.sock is not None and not is_proxied:
        with suppress(OSError):
            address = _peer(instance.sock.getpeername())
    _judge_request(host, port, args[1] if len(args) > 1 else kwargs["url"], address)
    return wrapped(*args, **kwargs)


def _set_tunnel(wrapped: Original, instance: Any, args: Args, kwargs: Kwargs) -> Any:
    """Judge where a proxy is to be asked to connect to, before it is asked."""
    __tracebackhide__ = True
    result = wrapped(*args, **kwargs)
    _judge_proxied(*_destination_of(instance)[:2])
    return result


def _socks_connect(wrapped: Original, instance: Any, args: Args, kwargs: Kwargs) -> Any:
    """Judge where a SOCKS proxy is to be asked to connect to by urllib3."""
    __tracebackhide__ = True
    _judge_proxied(as_name(instance.host), instance.port)
    return wrapped(*args, **kwargs)


def _destination_of(connection: Any) -> tuple[str, int, bool]:
    """Return host and port of a connection of http.client, and whether a proxy connects to them."""
    if connection._tunnel_host:
        return as_name(connection._tunnel_host), connection._tunnel_port, True
    return as_name(connection.host), connection.port, hasattr(connection, "_socks_options")


async def _aiohttp_send(wrapped: Original, instance: Any, args: Args, kwargs: Kwargs) -> Any:
    """Judge a request of aiohttp on its connection, which may be kept from before, or be to a proxy."""
    __tracebackhide__ = True
    url, transport = instance.url, (args[0] if args else kwargs["conn"]).transport
    address = None if transport is None else _peer(transport.get_extra_info("peername"))
    judge(Contact(names_of_url(url.host), url.port or 0, address, url.path, is_counted=instance.method != "CONNECT"))
    return await wrapped(*args, **kwargs)


def _judge_request(host: str, port: int, target: str | bytes, address: str | None, is_tunnel: bool = False) -> None:
    """Judge a request by its own url, which a request through a proxy has as its target."""
    __tracebackhide__ = True
    text = target.decode("ascii", "replace") if isinstance(target, bytes) else target
    url = f"//{text}" if is_tunnel else text
    if (is_tunnel or (not url.startswith("/") and "://" in url)) and host_and_port(url) != (host, port):
        host, port = host_and_port(url)
        address = host
    judge(Contact(names_of_url(host), port, address, urlsplit(url).path, is_counted=not is_tunnel))


def _judge_proxied(host: str, port: int) -> None:
    """Judge what a proxy is to connect to."""
    __tracebackhide__ = True
    judge(Contact(names_of_url(host), port, host, is_counted=False))


def _peer(name: object) -> str | None:
    return str(name[0]) if isinstance(name, tuple) else None


_HTTPCORE: tuple[tuple[str, str, str, Wrapper], ...] = (
    ("", "HTTP11Connection", "handle_request", _httpcore_request),
    ("", "HTTP2Connection", "handle_request", _httpcore_request),
    ("", "AsyncHTTP11Connection", "handle_async_request", _httpcore_request),
    ("", "AsyncHTTP2Connection", "handle_async_request", _httpcore_request),
    ("._sync.http_proxy", "TunnelHTTPConnection", "handle_request", _httpcore_tunnel),
    ("._sync.socks_proxy", "Socks5Connection", "handle_request", _httpcore_tunnel),
    ("._async.http_proxy", "AsyncTunnelHTTPConnection", "handle_async_request", _httpcore_tunnel),
    ("._async.socks_proxy", "AsyncSocks5Connection", "handle_async_request", _httpcore_tunnel),
    ("", "SyncBackend", "connect_tcp", _connect_tcp),
    ("", "AnyIOBackend", "connect_tcp", _async_connect_tcp),
    ("", "TrioBackend", "connect_tcp", _async_connect_tcp),
)
"""(module within the library, class, method, wrapper)"""
TARGETS = (
    *(Target(library + row[0], *row[1:]) for library in ("httpcore", "httpcore2") for row in _HTTPCORE),
    Target("http.client", "HTTPConnection", "putrequest", _put_request),
    Target("http.client", "HTTPConnection", "set_tunnel", _set_tunnel),
    Target("urllib3.contrib.socks", "SOCKSConnection", "_new_conn", _socks_connect),
    Target("aiohttp", "BaseConnector", "connect", _aiohttp_connect),
    Target("aiohttp", "ClientRequest", "send", _aiohttp_send),
)
