"""The server that knows every endpoint of the ways, and one client of each colour for all tests: making one is slow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from copy import copy
from typing import Any

import anyio
import pytest

from ...conftest import AsyncColour, Colour
from ...support.openai_server import OpenAIServer
from . import server_scripts


@pytest.fixture(autouse=True)
def _all_endpoints(server: OpenAIServer) -> None:
    server_scripts.install(server)


@pytest.fixture(scope="session")
def colours(_running_server: OpenAIServer) -> Iterator[dict[type[Colour], Colour]]:
    colours = {kind: kind(_running_server.base_url) for kind in (Colour, AsyncColour)}
    yield colours
    for colour in colours.values():
        colour.close()


@pytest.fixture(params=[Colour, AsyncColour], ids=["sync", "async"])
def sdk(request: pytest.FixtureRequest, colours: dict[type[Colour], Colour]) -> Colour:
    return colours[request.param]


@pytest.fixture
def with_client(sdk: Colour) -> Iterator[Callable[[Any], Colour]]:
    """Makes callers of the same colour that use another client, which is closed at the test's end."""
    with ExitStack() as clients:

        def made(client: Any) -> Colour:
            colour = copy(sdk)
            colour.client = client
            clients.callback(lambda: sdk.wait(client.close()))
            return colour

        yield made


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each pause that the SDK wanted to make; none is made."""
    seconds: list[float] = []
    original = anyio.sleep

    async def note(pause: float) -> None:
        seconds.append(pause)
        await original(0)

    monkeypatch.setattr(time, "sleep", seconds.append)
    monkeypatch.setattr(anyio, "sleep", note)
    return seconds
