"""How a way is watched: used live, while recording and in replay, and what came of it compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from inference_recorder import inference_recording

from ...compat.versions import newest
from ...conftest import Colour
from ...support.differences import differences, stable
from ...support.openai_server import OpenAIServer

Use = Callable[[Colour], Any]
"""Calls the SDK in some way and returns all that its caller can see of the result."""


class Way(NamedTuple):
    """A way of calling the SDK."""

    use: Use
    needs: str = ""
    """What the SDK must have for it, as callers write it after the client."""
    requests: int | None = 1
    """How many requests it makes, and so how many recordings; None for as many as it makes live."""


def check(
    way: Way,
    sdk: Colour,
    server: OpenAIServer,
    recordings: Path,
    *,
    mode: str = "record",
    record_errors: bool | None = None,
) -> Any:
    """Assert that a way gives the same live, recorded and replayed, and that replay sends nothing; returns it."""
    skip_without(sdk, way.needs)
    live = lived(way.use, sdk, server)
    requests = way.requests or server.count
    with inference_recording(mode, recordings, record_errors=record_errors) as recording:
        recorded = used(way.use, sdk, server)
    assert requests == server.count
    server.received.clear()
    with inference_recording("replay", recordings) as replaying:
        replayed = way.use(sdk)

    assert 0 == server.count
    assert {"recorded": requests} == recording.counts
    assert {"replayed": requests} == replaying.counts
    assert [] == differences(live, recorded)
    assert [] == differences(stable(live), stable(replayed))
    return replayed


def used(use: Use, sdk: Colour, server: OpenAIServer) -> Any:
    """Return the result of a use whose requests the server counts from 0."""
    server.received.clear()
    return use(sdk)


def lived(use: Use, sdk: Colour, server: OpenAIServer) -> Any:
    """Return the result of a use outside any session; skips the test where an older SDK cannot take its arguments."""
    try:
        return used(use, sdk, server)
    except (TypeError, RuntimeError) as error:
        if server.count or _release(sdk.version) >= _release(newest(sdk.distribution)):
            raise
        pytest.skip(f"{sdk.distribution} {sdk.version}: {error}")


def _release(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")[:2]))


def skip_without(sdk: Colour, name: str) -> None:
    """Skip the test where the SDK has no such attribute."""
    try:
        attrgetter(name)(sdk.client) if name else None
    except AttributeError:
        pytest.skip(f"{sdk.distribution} {sdk.version} has no {name}")


@contextmanager
def entered(sdk: Colour, manager: Any) -> Iterator[Any]:
    """Enter a context manager of either colour for the block."""
    if not sdk.is_async:
        with manager as inside:
            yield inside
        return
    inside = sdk.wait(manager.__aenter__())
    try:
        yield inside
    except BaseException as error:
        if not sdk.wait(manager.__aexit__(type(error), error, error.__traceback__)):
            raise
    else:
        sdk.wait(manager.__aexit__(None, None, None))


def calling(name: str, *args: Any, **kwargs: Any) -> Use:
    """Return the way that just calls the client's method of this name; a stream's or page's items are its result."""

    def use(sdk: Colour) -> Any:
        result = sdk.call(name, *args, **kwargs)
        return sdk.items(result) if hasattr(result, "__next__") or hasattr(result, "__anext__") else result

    return use


def parsed(text: str | bytes) -> Any:
    """Return the value of JSON, of each line of server-sent text, or the text itself where it is neither."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    lines = text.decode(errors="surrogateescape").split("\n") if isinstance(text, bytes) else text.split("\n")
    return [parsed_line(line) for line in lines] if "data: {" in "".join(lines[:2]) else text


def parsed_line(line: str) -> Any:
    """Return the value of a line of JSON or of server-sent text, else the line."""
    try:
        return json.loads(line.removeprefix("data: "))
    except ValueError:
        return line


def described(error: Any) -> tuple[Any, ...]:
    """Return all that error handling reads of an SDK's error; what only some SDKs have is None in others."""
    optional = ("code", "param", "type", "status_code", "error_code", "api_message", "details")
    return type(error), str(error), error.message, error.body, *(getattr(error, name, None) for name in optional)
