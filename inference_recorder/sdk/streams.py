"""Streamed answers: the real `Stream` and `AsyncStream`, recorded while they pass and replayed from a recording."""

from __future__ import annotations

import json
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, Protocol

from ..errors import CorruptRecording, IncompleteRecording
from ..recording.body import Chunk, chunk_data_start, chunk_value, data_in, is_plain, is_text, untyped
from ..recording.failures import revive_failure
from ..recording.recording import Answer, Recording
from .bodies import check_chunk
from .calls import asked_request
from .capture import Capture, notify_on_close
from .http import asynchronously, kept, library_of, memory_response, server_sent_text
from .internals import pass_chunks_through, stream_over
from .methods import Method
from .revive import Reviver, reviver
from .saving import keep_async


def record_stream(stream: Any, capture: Capture) -> Any:
    """Return the SDK's stream, whose chunks now pass `capture` on their way; it is the same object."""
    response = getattr(stream, "response", None)
    capture.http = kept(response) or capture.http
    pass_chunks_through(stream, partial(_captured, capture=capture))
    capture.begin()
    notify_on_close(response, capture)
    weakref.finalize(stream, capture.dropped)
    return stream


def record_iterable(chunks: Any, capture: Capture, method: Method, client: Any) -> Any:
    """Return a real stream over what a mock returned in a stream's place."""
    is_async = hasattr(chunks, "__aiter__")
    passing = _captured(aiter(chunks) if is_async else iter(chunks), capture)
    library = library_of(client)
    request = asked_request(client, method, library)
    response = memory_response(library, request, None, b"", "text/event-stream")
    stream = stream_over(passing, method.chunk_type, client, response, is_async=is_async)
    capture.begin()
    weakref.finalize(stream, capture.dropped)
    return stream


def _captured(source: Any, capture: Capture) -> Any:
    return (captured_async if hasattr(source, "__anext__") else captured)(source, capture, capture)


def replayed_stream(recording: Recording, method: Method, client: Any, *, is_async: bool) -> Any:
    """Return a stream that yields the recorded chunks and then ends, or fails, as the recorded one did."""
    answer, library = recording.answer, library_of(client)
    request = asked_request(client, method, library)
    revived = partial(revive_failure, recording, library, request)
    content: Any = server_sent_text(recording, revived, lambda: check_complete(recording))
    if is_async:
        content = asynchronously(content)
    response = memory_response(library, request, answer.http, content, "text/event-stream")
    chunks = revived_chunks(recording, reviver(method.chunk_type), revived, response)
    iterator = (_replayed_async if is_async else _replayed)(chunks, response)
    return stream_over(iterator, method.chunk_type, client, response, is_async=is_async)


def revived_chunks(
    recording: Recording, chunk_reviver: Reviver, revived: Callable[[], BaseException], response: Any
) -> Iterator[Any]:
    """Yield the recorded chunks as the SDK's objects, built when asked for; then raise the failure there was, if any.

    Ends where `response` is closed, as a stream does whose connection is.

    Raises json.JSONDecodeError, as the SDK does, at an event that is not JSON.

    Raises IncompleteRecording where the recorded consumer had left, CorruptRecording for a chunk that is not JSON.
    """
    answer = recording.answer
    from_json, start, length = chunk_reviver.from_json, None, 0
    for chunk in answer.chunks or ():
        if response.is_closed:
            return
        # The lines of one stream begin alike but for a few: what names their type is looked for again only then.
        if start is None or type(chunk) is not bytes or not chunk.startswith(start):
            start = chunk_data_start(chunk)
            length = 0 if start is None else len(start)
        built = None if start is None else from_json(chunk[length:-1])
        yield _revived_slowly(chunk, recording, chunk_reviver) if built is None else built
    if answer.failure is not None:
        raise revived()
    check_complete(recording)


def check_complete(recording: Recording) -> None:
    """Raise IncompleteRecording where the recorded stream was left before its end."""
    if not recording.answer.is_complete:
        raise IncompleteRecording(recording.path, len(recording.answer.chunks or ()))


class Collector(Protocol):
    """Records the items of a stream: its chunks, or the bytes of a response."""

    def add(self, item: Any, /) -> None: ...

    def complete(self) -> Answer: ...

    def broken(self, error: BaseException) -> Answer: ...


def captured(source: Iterator[Any], capture: Capture, collector: Collector) -> Iterator[Any]:
    """Yield the items of `source` as they arrive, each recorded first; store the answer once, however it ends."""
    try:
        while True:
            capture.pulls()
            try:
                item = next(source)
            except StopIteration:
                answer = capture.ended(collector.complete())
                break
            finally:
                capture.is_pulling = False
            collector.add(item)
            yield item
    except Exception as error:
        capture.keep(capture.ended(collector.broken(error)))
        raise
    except BaseException as error:  # closed or interrupted
        capture.left(is_dropped=isinstance(error, GeneratorExit))
        raise
    capture.keep(answer)


async def captured_async(source: AsyncIterator[Any], capture: Capture, collector: Collector) -> AsyncIterator[Any]:
    """Yield the items of `source` as they arrive, each recorded first; store the answer once, however it ends."""
    try:
        while True:
            capture.pulls()
            try:
                item = await anext(source)
            except StopAsyncIteration:
                answer = capture.ended(collector.complete())
                break
            finally:
                capture.is_pulling = False
            collector.add(item)
            yield item
    except Exception as error:
        await keep_async(capture, capture.ended(collector.broken(error)))
        raise
    except BaseException as error:  # closed, cancelled or interrupted
        capture.left(is_dropped=isinstance(error, GeneratorExit))
        raise
    await keep_async(capture, answer)


def _replayed(chunks: Iterator[Any], response: Any) -> Iterator[Any]:
    try:
        for chunk in chunks:
            yield chunk
    finally:
        response.close()


async def _replayed_async(chunks: Iterator[Any], response: Any) -> AsyncIterator[Any]:
    try:
        for chunk in chunks:
            yield chunk
    finally:
        await response.aclose()


def _revived_slowly(chunk: Chunk, recording: Recording, chunk_reviver: Reviver) -> Any:
    item = chunk_value(chunk, recording.path)
    if is_plain(item):
        return untyped(item)
    check_chunk(item, recording.path)
    data = data_in(item, recording.path)
    if is_text(item) and isinstance(data, str):
        data = json.loads(data)
    try:
        return chunk_reviver.from_value(data)
    except RecursionError:  # as the SDK raises it for a chunk nested so deep
        raise
    except Exception as error:
        raise CorruptRecording(
            recording.path, f"the SDK makes nothing of a chunk of $.response.body: {error}"
        ) from error
