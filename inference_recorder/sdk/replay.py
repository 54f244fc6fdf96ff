"""A recorded answer -> what the SDK gives its caller: an object, a stream, a page, an exception or an HTTP response."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

from ..errors import CorruptRecording, IncompleteRecording, assert_never
from ..json_tree import JsonObject, JsonValue
from ..packages import sdk_of_client
from ..recording.answer import Answer, Failed, ModelList, Recording, Streamed, Value, items_of
from ..recording.body import Chunk, chunk_data_start, chunk_value, data_in, is_plain, is_text, typed_data, untyped
from ..recording.failures import revive_failure
from ..recording.model_lists import page_in
from ..request.request import Request
from .bodies import body_bytes, check_body, check_chunk, is_kept_as_sent
from .describe import asked_request, memory_request
from .http import asynchronously, library_of, memory_response, server_sent_text
from .internals import constructed, request_options, set_page_source, set_request_id, stream_over
from .methods import Method, method_for
from .revive import Reviver, reviver


def is_revived_here(method: Method, recording: Recording, request: Request) -> bool:
    """Return whether `revived_answer` can give what the SDK would; otherwise the SDK itself has to, from a response."""
    answer = recording.answer
    body = None
    if isinstance(answer, Value):
        body = answer.body
    elif isinstance(answer, Streamed):
        # Of an error of the connection, newer SDKs make one of their own.
        return answer.http is None or answer.failure is None or answer.failure.category != "transport"
    elif not isinstance(answer, ModelList):
        return True
    if answer.http is None and is_plain(body):
        return True  # a mock returned it, whatever it was asked for
    if request.is_streaming:
        return False  # the server answered a streamed call with something else, and the SDK makes a stream of it
    # The SDK asks for base64 itself, and decodes it, if the caller named no encoding.
    is_decoded_by_the_sdk = method.name == "embeddings.create" and "encoding_format" not in request.body
    if is_decoded_by_the_sdk and _has_encoded_embeddings(untyped(body)):
        return False
    is_empty = body is None and answer.http is not None and answer.http.status_code == 204
    return not is_empty and not is_kept_as_sent(body)


def _has_encoded_embeddings(data: JsonValue) -> bool:
    items = data.get("data") if isinstance(data, dict) else None
    return isinstance(items, list) and any(map(_is_encoded, items))


def _is_encoded(item: JsonValue) -> bool:
    return isinstance(item, dict) and isinstance(item.get("embedding"), str)


def _with_encoded_embeddings(method: Method, data: Any) -> Any:
    """Return embeddings with strings where the SDK's type has numbers, as the SDK constructs them.

    Validation refuses the strings, and construction takes twenty times as long as putting them in afterwards.
    """
    items = data["data"]
    if not all(map(_is_encoded, items)):
        return reviver(method.answer_type).from_value(data)
    result = reviver(method.answer_type).from_value({**data, "data": [{**item, "embedding": []} for item in items]})
    for revived, item in zip(result.data, items, strict=True):
        revived.__dict__["embedding"] = item["embedding"]
    return result


def revived_answer(method: Method, recording: Recording, client: object, *, is_async: bool) -> object:
    """Return the recorded answer as the SDK's object, stream or page; raises a recorded failure.

    Raises CorruptRecording for what the SDK cannot make an object of.
    """
    path, answer = recording.path, recording.answer
    match answer:
        case Value() | ModelList():
            check_complete(answer, path)
            if method.is_list:
                return _page(method, page_in(answer, path), client, answer, is_async=is_async)
            return _revived_value(method, answer, path)
        case Streamed():
            if not method.chunk:
                raise CorruptRecording(path, f"it holds a stream, and {method.name} answers with none")
            return replayed_stream(answer, path, method, client, is_async=is_async)
        case Failed():
            library = library_of(client)
            raise revive_failure(answer, path, library, asked_request(client, method, library))
        case _:
            assert_never(answer)


def _revived_value(method: Method, answer: Value | ModelList, path: str) -> object:
    body = answer.body if isinstance(answer, Value) else None
    data = typed_data(body, path)
    if data is None:
        check_body(answer, path, method)
    if is_plain(body):
        return untyped(body)
    try:
        if method.name == "embeddings.create" and _has_encoded_embeddings(data):
            result = _with_encoded_embeddings(method, data)
        else:
            result = reviver(method.answer_type).from_value(data)
    except RecursionError:  # as the SDK raises it for an answer nested so deep
        raise
    except Exception as error:
        raise CorruptRecording(path, f"the SDK makes nothing of $.response.body: {error}") from error
    _add_request_id(result, answer)
    return result


def _add_request_id(result: object, answer: Answer) -> None:
    set_request_id(result, None if answer.http is None else answer.http.headers.get("x-request-id"))


def _page(method: Method, content: JsonObject, client: object, answer: Answer, *, is_async: bool) -> object:
    from openai.pagination import AsyncPage, SyncPage

    kind: Any = AsyncPage if is_async else SyncPage
    page: Any = constructed(kind[method.answer_type], content)
    _add_request_id(page, answer)
    set_page_source(page, client, method.answer_type, list_options(method))
    return page


def list_options(method: Method) -> object:
    """Return the request options of a list method, as its page keeps them."""
    return request_options("get", method.endpoint.removeprefix("/v1"))


def recorded_response(
    recording: Recording, request: Request, client: object, options: object, *, is_async: bool
) -> object:
    """Return a response in memory of which the client makes the recorded answer; raises a recorded failure."""
    __tracebackhide__ = True
    path, answer, library = recording.path, recording.answer, library_of(client)
    http_request, sdk = memory_request(client, options, library), sdk_of_client(client)
    check_end = partial(check_complete, answer, path)
    content: Any
    match answer:
        case Failed():
            raise revive_failure(answer, path, library, http_request, sdk)
        case Streamed():
            revived = partial(revive_failure, answer, path, library, http_request, sdk)
            content, media_type = server_sent_text(answer, path, revived, check_end), "text/event-stream"
        case Value() | ModelList():
            if answer.is_complete and not request.is_model_list:
                check_body(answer, path, method_for(request.endpoint) if request.method == "POST" else None)
            content, media_type = body_bytes(answer, path, is_model_list=request.is_model_list)
            if not answer.is_complete:
                content = _then_incomplete(content, check_end)
        case _:
            assert_never(answer)
    if is_async and not isinstance(content, bytes):
        content = asynchronously(content)
    return memory_response(library, http_request, answer.http, content, media_type)


def _then_incomplete(content: bytes, check_end: Callable[[], None]) -> Iterator[bytes]:
    yield content
    check_end()


def replayed_stream(answer: Streamed, path: str, method: Method, client: object, *, is_async: bool) -> object:
    """Return a stream that yields the recorded chunks and then ends, or fails, as the recorded one did."""
    library = library_of(client)
    request = asked_request(client, method, library)
    revived = partial(revive_failure, answer, path, library, request)
    content: Any = server_sent_text(answer, path, revived, partial(check_complete, answer, path))
    if is_async:
        content = asynchronously(content)
    response = memory_response(library, request, answer.http, content, "text/event-stream")
    chunks = revived_chunks(answer, path, reviver(method.chunk_type), revived, response)
    iterator = (_closing_async if is_async else _closing)(chunks, response)
    return stream_over(iterator, method.chunk_type, client, response, is_async=is_async)


def revived_chunks(
    answer: Streamed, path: str, chunk_reviver: Reviver, revived: Callable[[], BaseException], response: Any
) -> Iterator[object]:
    """Yield the recorded chunks as the SDK's objects, built when asked for; then raise the failure there was, if any.

    Ends where `response` is closed, as a stream does whose connection is.

    Raises json.JSONDecodeError, as the SDK does, at an event that is not JSON.

    Raises IncompleteRecording where the recorded consumer had left, CorruptRecording for a chunk that is not JSON.
    """
    from_json, start, length = chunk_reviver.from_json, None, 0
    for chunk in answer.chunks:
        if response.is_closed:
            return
        # Most chunks start with the same bytes; look for the start again only where it differs.
        if start is None or type(chunk) is not bytes or not chunk.startswith(start):
            start = chunk_data_start(chunk)
            length = 0 if start is None else len(start)
        built = None if start is None else from_json(chunk[length:-1])  # type: ignore[index, arg-type]  # then bytes
        yield _revived_slowly(chunk, path, chunk_reviver) if built is None else built
    if answer.failure is not None:
        raise revived()
    check_complete(answer, path)


def check_complete(answer: Answer, path: str) -> None:
    """Raise IncompleteRecording where the answer recorded at `path` was left before its end."""
    if not isinstance(answer, Failed) and not answer.is_complete:
        raise IncompleteRecording(path, len(items_of(answer)))


def _closing(chunks: Iterator[object], response: Any) -> Iterator[object]:
    try:
        yield from chunks
    finally:
        response.close()


async def _closing_async(chunks: Iterator[object], response: Any) -> AsyncIterator[object]:
    try:
        for chunk in chunks:
            yield chunk
    finally:
        await response.aclose()


def _revived_slowly(chunk: Chunk, path: str, chunk_reviver: Reviver) -> object:
    item = chunk_value(chunk, path)
    if is_plain(item):
        return untyped(item)
    check_chunk(item, path)
    data = data_in(item, path)
    if is_text(item) and isinstance(data, str):
        data = json.loads(data)
    try:
        return chunk_reviver.from_value(data)
    except RecursionError:  # as the SDK raises it for a chunk nested so deep
        raise
    except Exception as error:
        raise CorruptRecording(path, f"the SDK makes nothing of a chunk of $.response.body: {error}") from error
