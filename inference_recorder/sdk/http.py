"""HTTP responses: what a recording keeps of one, and one in memory made from a recording.

The SDK's clients use httpx or httpx2; a response is made of the library its client uses.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import timedelta
from types import ModuleType
from typing import Any

from ..errors import CorruptRecording
from ..json_tree import JsonValue
from ..recording import json_bytes
from ..recording.answer import Http, Streamed, raw_headers, response_headers
from ..recording.body import JSON_TEXT, TEXT, Chunk, chunk_data_start, chunk_value, data_in, is_text
from ..recording.deep_json import sendable
from ..recording.headers import kept_headers
from ..recording.layout import TYPE_MARK
from .additions import POLL_MARK
from .bodies import check_chunk
from .internals import http_client_of

_LIBRARIES = ("httpx2", "httpx")
POLL_AGAIN = "openai-poll-after-ms"
"""By which a server says how soon to ask again; without it, the SDK's polling helpers sleep a second."""
_TEXT_STARTS = tuple(TYPE_MARK + f'"{name}"'.encode() for name in (TEXT, JSON_TEXT))
_LINE_BREAKS = tuple((chr(code).encode(), b"\\u%04x" % code) for code in (0x85, 0x2028, 0x2029))


def library_of(client: object) -> ModuleType:
    """Return the HTTP library (httpx or httpx2) whose requests and responses this SDK client deals in."""
    for kind in type(http_client_of(client)).__mro__:
        root = kind.__module__.partition(".")[0]
        if root in _LIBRARIES:
            return sys.modules[root]
    return next(sys.modules[name] for name in _LIBRARIES if name in sys.modules)


def kept(response: Any) -> Http | None:
    """Return what a recording keeps of a response: its status, and the headers that `recording.headers` keeps."""
    headers = getattr(response, "headers", None)
    status_code = getattr(response, "status_code", None)
    if not isinstance(status_code, int) or not isinstance(headers, Mapping):
        return None
    return Http(status_code, kept_headers(headers))


def memory_response(library: ModuleType, request: Any, http: Http | None, content: object, media_type: str) -> object:
    """Return a response of `library` with this content: bytes, or an iterator of bytes to stream.

    `media_type` is that of a recording which does not hold the response's own headers.
    """
    headers = {"content-type": media_type} if http is None else response_headers(http)
    if POLL_MARK in request.headers:
        headers[POLL_AGAIN] = "0"
    if isinstance(content, bytes):
        headers["content-length"] = str(len(content))
    response = library.Response(
        200 if http is None else http.status_code, headers=raw_headers(headers), content=content, request=request
    )
    response.elapsed = timedelta(0)
    return response


def server_sent_text(
    answer: Streamed, path: str, revived: Callable[[], BaseException], check_end: Callable[[], None]
) -> Iterator[bytes]:
    """Yield a stream recorded at `path` as the server sent it: one event a chunk, and its end or its failure.

    `revived` makes the recorded failure; `check_end` raises where the recording ends before its stream did.
    Raises CorruptRecording for a chunk that cannot be sent.
    """
    has_events = False
    for chunk in answer.chunks:
        if (as_kept := _event_as_kept(chunk)) is not None:
            has_events = has_events or not as_kept.startswith(b"data")
            yield as_kept
            continue
        value = chunk_value(chunk, path)
        check_chunk(value, path)
        data = data_in(value, path)
        event = event_name(value, data)
        has_events = has_events or event is not None
        yield _event(event, data, path, is_text=is_text(value))
    if answer.failure is not None:
        if answer.failure.type != "APIError" or answer.failure.body is None:
            raise revived()
        yield _event(None, {"error": answer.failure.body}, path)
    check_end()
    is_done_usual = usually_ends_with_done(has_events=has_events, has_failed=answer.failure is not None)
    if is_done_usual if answer.ends_with_done is None else answer.ends_with_done:
        yield b"data: [DONE]\n\n"


def _event_as_kept(chunk: Chunk) -> bytes | None:
    """Return the event of a chunk whose JSON is sent as its line has it, None if only parsing can tell.

    Checking it takes 3 us for a chunk of 300 bytes; reading and writing its JSON takes 10.
    """
    start = chunk_data_start(chunk)
    if not isinstance(chunk, bytes) or start is None or b'"__event__"' in start or start.startswith(_TEXT_STARTS):
        return None
    text = chunk[len(start) : -1]
    try:
        data = json_bytes.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or b"\n" in text or b"\r" in text:
        return None
    name = event_name(None, data)
    event = b"" if name is None else b"event: " + name.encode() + b"\n"
    return event + b"data: " + _on_one_line(text) + b"\n\n"


def usually_ends_with_done(*, has_events: bool, has_failed: bool) -> bool:
    """Whether servers send "[DONE]" at the end of a stream: not after named events, nor after an error."""
    return not has_events and not has_failed


def _event(name: str | None, data: JsonValue, path: str, *, is_text: bool = False) -> bytes:
    try:
        start = b"" if name is None else b"event: " + name.encode() + b"\n"
        if not is_text:
            lines = [_on_one_line(sendable(data))]
        elif isinstance(data, str):
            lines = data.encode().split(b"\n")
        else:
            raise ValueError("its text is not a string")
        return start + b"".join(b"data: " + line + b"\n" for line in lines) + b"\n"
    except ValueError as error:
        raise CorruptRecording(path, f"a chunk of $.response.body cannot be sent: {error}") from None


def _on_one_line(text: bytes) -> bytes:
    """Return JSON with the line breaks of Unicode escaped: `iter_lines` of the HTTP libraries splits there."""
    for character, escape in () if text.isascii() else _LINE_BREAKS:
        text = text.replace(character, escape)
    return text


async def asynchronously(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the same bytes to an async reader."""
    for part in parts:
        yield part


def event_name(item: JsonValue, data: JsonValue) -> str | None:
    """Return the SSE event of a chunk: its own "__event__", or the type that its data names."""
    if isinstance(item, dict) and "__event__" in item:
        name = item["__event__"]
        return name if isinstance(name, str) and "\n" not in name and "\r" not in name else None
    kind = data.get("type") if isinstance(data, dict) else None
    return kind if isinstance(kind, str) and "\n" not in kind and "\r" not in kind else None
