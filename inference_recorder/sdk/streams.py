"""Streamed answers: the real `Stream` and `AsyncStream`, recorded while they pass."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

from .capture import Capture, notify_on_close
from .describe import asked_request
from .drivers import aperform, perform
from .flow import Save
from .http import kept, library_of, memory_response
from .internals import pass_chunks_through, stream_over
from .methods import Method


def record_stream(stream: object, capture: Capture) -> object:
    """Return the SDK's stream, whose chunks now pass `capture` on their way; it is the same object."""
    response = getattr(stream, "response", None)
    capture.http = kept(response) or capture.http
    pass_chunks_through(stream, partial(_captured, capture=capture))
    capture.begin()
    notify_on_close(response, capture)
    weakref.finalize(stream, capture.collected)
    return stream


def record_iterable(chunks: Any, capture: Capture, method: Method, client: object) -> object:
    """Return a real stream over what a mock returned in a stream's place."""
    is_async = hasattr(chunks, "__aiter__")
    passing = _captured(aiter(chunks) if is_async else iter(chunks), capture)
    library = library_of(client)
    request = asked_request(client, method, library)
    response = memory_response(library, request, None, b"", "text/event-stream")
    stream = stream_over(passing, method.chunk_type, client, response, is_async=is_async)
    capture.begin()
    notify_on_close(response, capture)
    weakref.finalize(stream, capture.collected)
    return stream


def _captured(source: Any, capture: Capture) -> object:
    return (captured_async if hasattr(source, "__anext__") else captured)(source, capture)


def captured(source: Iterator[object], capture: Capture) -> Iterator[object]:
    """Yield the items of `source` as they arrive, each recorded first; store the answer once, however it ends."""
    try:
        while True:
            capture.pulls()
            try:
                item = next(source)
            except StopIteration:
                answer = capture.complete()
                capture.ended(answer)
                break
            finally:
                capture.is_pulling = False
            capture.add(item)
            yield item
    except Exception as error:
        perform(Save(capture, capture.broken(error)))
        raise
    except BaseException as error:  # closed or interrupted
        capture.left(is_collected=isinstance(error, GeneratorExit))  # or closed, which looks the same
        raise
    perform(Save(capture, answer))


async def captured_async(source: AsyncIterator[object], capture: Capture) -> AsyncIterator[object]:
    """Yield the items of `source` as they arrive, each recorded first; store the answer once, however it ends."""
    try:
        while True:
            capture.pulls()
            try:
                item = await anext(source)
            except StopAsyncIteration:
                answer = capture.complete()
                capture.ended(answer)
                break
            finally:
                capture.is_pulling = False
            capture.add(item)
            yield item
    except Exception as error:
        await aperform(Save(capture, capture.broken(error)))
        raise
    except BaseException as error:  # closed, cancelled or interrupted
        capture.left(is_collected=isinstance(error, GeneratorExit))  # or closed, which looks the same
        raise
    await aperform(Save(capture, answer))
