"""One way of calling an SDK: what is called, with what, what is read of it, and what the server answers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

import openai

from ..conftest import Colour
from ..sdk.ways.reading import unwrapped
from ..sdk.ways.watching import Use, described, entered, parsed, stable
from ..support.openai_server import Reply

SEEN_HEADERS = ("content-type", "x-request-id", "request-id", "retry-after")


class Row(NamedTuple):
    """One way of calling an SDK."""

    use: Use
    needs: str = ""
    """What the SDK must have for it, as callers write it after the client."""
    sdk: str = "openai"
    answer: Reply | None = None
    """What the server answers to every request; None for what it answers usually."""
    reads_bytes: bool = False
    """Whether the recording is made of the bytes of the answer, and not of the SDK's object."""
    other_key: str = ""
    """Why the two recordings have different keys, "" if they must have the same."""


def plain(name: str, /, *args: Any, **kwargs: Any) -> Row:
    """Return the row of a method; a stream's chunks, a page's items or a file's bytes are its result."""
    return made(name, lambda: (args, kwargs))


def made(name: str, make: Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]) -> Row:
    """Return the row of a method whose arguments are made for each call, since they can be read only once."""

    def use(sdk: Colour) -> Any:
        args, kwargs = make()
        try:
            return _contents(sdk, sdk.call(name, *args, **kwargs))
        finally:
            for file in kwargs.values():
                if isinstance(file, io.IOBase):
                    file.close()

    return Row(use, name)


def upload(name: str, /, *args: Any, **kwargs: Any) -> Row:
    """Return the row of a method with files; a function among its arguments makes one."""
    return made(name, lambda: (args, {key: value() if callable(value) else value for key, value in kwargs.items()}))


def raw(name: str, /, *args: Any, **kwargs: Any) -> Row:
    owner, _, attribute = name.rpartition(".")

    def use(sdk: Colour) -> Any:
        response = sdk.call(f"{owner}.with_raw_response.{attribute}", *args, **kwargs)
        head = [type(response), response.status_code, response.headers.get("content-type")]
        return [*head, _contents(sdk, sdk.wait(response.parse()))]

    return Row(use, name, reads_bytes=True)


def streaming(name: str, /, *args: Any, **kwargs: Any) -> Row:
    """Return the row that reads the bytes of a streaming response; its JSON counts, not how it is spelled."""
    owner, _, attribute = name.rpartition(".")

    def use(sdk: Colour) -> Any:
        manager = attrgetter(f"{owner}.with_streaming_response.{attribute}")(sdk.client)
        with entered(sdk, manager(*args, **kwargs)) as response:
            body = parsed(b"".join(sdk.items(response.iter_bytes())))
            return [response.status_code, stable(json.loads(json.dumps(body, sort_keys=True, default=repr)))]

    return Row(use, name, reads_bytes=True)


def posted(path: str, *, method: str = "post", cast_to: Any = object, **kwargs: Any) -> Row:
    return Row(lambda sdk: sdk.call(method, path, cast_to=cast_to, **kwargs), reads_bytes=True)


def posted_stream(path: str, chunk: Any, **kwargs: Any) -> Row:
    def use(sdk: Colour) -> Any:
        kind = (openai.AsyncStream if sdk.is_async else openai.Stream)[chunk]
        return sdk.items(sdk.call("post", path, cast_to=object, stream=True, stream_cls=kind, **kwargs))

    return Row(use, reads_bytes=True)


def _contents(sdk: Colour, result: Any) -> Any:
    if hasattr(result, "iter_pages"):
        return [type(result), *map(_without_origin, sdk.items(result))]
    return _without_origin(unwrapped(sdk, result))


def _without_origin(answer: Any) -> Any:
    """Return an answer without the server in the only URL that an SDK goes on to: that of a batch's results."""
    if getattr(answer, "results_url", None):
        answer.results_url = "/v1/messages" + answer.results_url.partition("/v1/messages")[2]
    return answer


def outcome(use: Use, sdk: Colour) -> Any:
    """Return what a caller sees of a use: its result, or all of its error."""
    try:
        return stable(use(sdk))
    except Exception as error:
        if not hasattr(error, "message"):
            return type(error), str(error)
        response: Any = getattr(error, "response", None)
        if response is None:
            return described(error)
        headers = [(name, response.headers.get(name)) for name in SEEN_HEADERS]
        return [*described(error), response.status_code, response.text, response.content, headers]


def deep(levels: int) -> Any:
    """Return a value of that many objects in each other."""
    value: Any = 1
    for _ in range(levels):
        value = {"x": [value]}
    return value
