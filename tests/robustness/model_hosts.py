"""Model hosts on 127.0.0.1, and the libraries that call them past the recorder."""

from __future__ import annotations

import asyncio
import importlib
import socket
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import httpx
import openai
import pytest

CLIENT, ASYNC_CLIENT = partial(httpx.Client, verify=False), partial(httpx.AsyncClient, verify=False)
"""Without certificates, which take long to load."""
MESSAGES: Any = [{"role": "user", "content": "Hi."}]


@contextmanager
def resolved_to_loopback(*hosts: str) -> Iterator[None]:
    """Resolve these names to 127.0.0.1 in the block; before and below the guard, as a resolver would."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return resolve("127.0.0.1" if name in hosts else host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield


def library(name: str) -> Any:
    """Return a library of the extra `test`; a developer's environment may be older than that."""
    return pytest.importorskip(name) if name not in ("httpx", "openai") else importlib.import_module(name)


def _anthropic(url: str) -> None:
    """Go past the methods of an SDK that is recorded: over its HTTP client."""
    library("anthropic")
    from anthropic import Anthropic

    with Anthropic(api_key="x", base_url=url) as client:
        client._client.post(f"{url}/v1/messages", json={})


async def _async_anthropic(url: str) -> None:
    library("anthropic")
    from anthropic import AsyncAnthropic

    async with AsyncAnthropic(api_key="x", base_url=url) as client:
        await client._client.post(f"{url}/v1/messages", json={})


def _perplexity(url: str) -> None:
    """Call an SDK that is made like openai and is not recorded."""
    with library("perplexity").Perplexity(api_key="x", base_url=url) as client:
        client.chat.completions.create(model="c", messages=MESSAGES)


async def _async_perplexity(url: str) -> None:
    async with library("perplexity").AsyncPerplexity(api_key="x", base_url=url) as client:
        await client.chat.completions.create(model="c", messages=MESSAGES)


def _httpx(url: str) -> None:
    with CLIENT() as client:
        client.post(url, json={})


async def _async_httpx(url: str) -> None:
    async with ASYNC_CLIENT() as client:
        await client.post(url, json={})


def _openai(url: str) -> None:
    """Go past the methods of the SDK: over its HTTP client."""
    http_client = openai.DefaultHttpxClient(verify=False)
    with openai.OpenAI(api_key="x", base_url=url, http_client=http_client) as client:
        client._client.post(f"{url}/chat/completions", json={})


async def _async_openai(url: str) -> None:
    http_client = openai.DefaultAsyncHttpxClient(verify=False)
    async with openai.AsyncOpenAI(api_key="x", base_url=url, http_client=http_client) as client:
        await client._client.post(f"{url}/chat/completions", json={})


def _requests(url: str) -> None:
    library("requests").post(url, json={})


async def _aiohttp(url: str) -> None:
    async with library("aiohttp").ClientSession() as client, client.post(url, json={}) as response:
        await response.read()


def _urllib(url: str) -> None:
    urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - it is http


def _http_client(url: str) -> None:
    place = urlsplit(url)
    connection = HTTPConnection(str(place.hostname), place.port)
    try:
        connection.request("GET", "/models")
        connection.getresponse().read()
    finally:
        connection.close()


def _socket(url: str) -> None:
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port or 80)) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        connection.recv(1000)


async def _streams(url: str) -> None:
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    await reader.read()
    writer.close()
    await writer.wait_closed()


def _sync(call: Callable[[str], Coroutine[Any, Any, None]]) -> Callable[[str], None]:
    return lambda url: asyncio.run(call(url))


CALLS: dict[str, Callable[[str], None]] = {
    "anthropic": _anthropic,
    "perplexity": _perplexity,
    "httpx": _httpx,
    "openai": _openai,
    "requests": _requests,
    "urllib": _urllib,
    "http.client": _http_client,
    "socket": _socket,
    "anthropic, async": _sync(_async_anthropic),
    "perplexity, async": _sync(_async_perplexity),
    "httpx, async": _sync(_async_httpx),
    "openai, async": _sync(_async_openai),
    "aiohttp": _sync(_aiohttp),
    "asyncio": _sync(_streams),
}
"""Library -> what makes one request to a url with it, past the recorder."""
