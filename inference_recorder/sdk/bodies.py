"""Bodies that are no JSON object for the SDK: kept as text, in base64 or as a file, and given back as they were."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from ..errors import CorruptRecording
from ..json_tree import JsonValue
from ..recording.answer import Http, ModelList, Value, response_headers
from ..recording.body import BASE64, TEXT, chunk_value, data_in, is_plain, is_text, typed, typed_data, untyped
from ..recording.deep_json import sendable
from ..recording.layout import ATTACHED, digest_of
from ..recording.model_lists import page_in
from ..storage.attachments import read_attachment
from .methods import Method

AS_SENT = (TEXT, BASE64, ATTACHED)  # no set: a "__type__" of a file may be what has no hash

_LARGEST_INLINE = 256 * 1024
"""Bytes of an answer above which it gets a file of its own: a diff of more helps nobody."""


def media_type_of(headers: Any) -> str:
    """Return the media type that response headers name, in lower case; "" where they name none."""
    return str(headers.get("content-type", "")).partition(";")[0].strip().lower()


def kept_as_sent(content: bytes, media_type: str) -> Value:
    """Return the answer that these bytes are: text if its media type is textual and it is UTF-8, otherwise binary."""
    if len(content) > _LARGEST_INLINE:
        return Value(typed(ATTACHED, digest_of(content)), content)
    if media_type.startswith("text/") or media_type.endswith(("json", "jsonl", "xml", "subrip")):
        try:
            return Value(typed(TEXT, content.decode()))
        except UnicodeDecodeError:
            pass
    return Value(typed(BASE64, base64.b64encode(content).decode()))


def is_kept_as_sent(body: JsonValue) -> bool:
    """Whether a recorded body is bytes that only an HTTP response can hand out."""
    return isinstance(body, dict) and body.get("__type__") in AS_SENT


def check_body(answer: Value | ModelList, path: str, method: Method | None) -> None:
    """Raise CorruptRecording if a complete answer, read from `path`, has no body of a kind that we write.

    `method` is the table's method that gives the answer, None for another request: those answer with any JSON.
    """
    if isinstance(answer, ModelList):
        if method is not None:
            raise CorruptRecording(path, f"$.response.body is a list, and {method.name} was not asked for a stream")
        return
    body, is_empty = answer.body, answer.http is not None and answer.http.status_code == 204
    if untyped(body) is body:
        if body is not None or (method is not None and not is_empty):
            raise CorruptRecording(path, f"$.response.body must be an object with __type__ and __data__, {_not(body)}")
    elif method is not None and typed_data(body, path) is None and not is_plain(body) and not is_kept_as_sent(body):
        reason = f"$.response.body.__data__ must be an object, as {method.name} gives one, {_not(untyped(body))}"
        raise CorruptRecording(path, reason)


def check_chunk(item: JsonValue, path: str) -> None:
    """Raise CorruptRecording if an item of a stream is neither an object nor marked as another value."""
    if not (is_plain(item) or is_text(item) or isinstance(untyped(item), dict) or typed_data(item, path) is not None):
        raise CorruptRecording(path, f"a chunk of $.response.body must be an object, {_not(untyped(item))}")


def _not(value: JsonValue) -> str:
    return f"not {'null' if value is None else f'a JSON {type(value).__name__}'}"


def body_bytes(answer: Value | ModelList, path: str, *, is_model_list: bool) -> tuple[bytes, str]:
    """Return what a server would send for an answer recorded at `path`, and its media type.

    Raises CorruptRecording if a body is neither JSON nor of a kind that `kept_as_sent` writes.
    """
    __tracebackhide__ = True
    body: Any = answer.body if isinstance(answer, Value) else [chunk_value(model, path) for model in answer.models]
    data = untyped(body)
    is_a_text = is_plain(body) and isinstance(data, str) and not _is_json(answer.http)
    if not is_kept_as_sent(body) and not is_a_text:
        if is_model_list:
            return _json(page_in(answer, path), path), "application/json"
        return (b"" if body is None else _json(data_in(body, path), path)), "application/json"
    if is_a_text or body["__type__"] == TEXT:
        return _text(path, data), "text/plain; charset=utf-8"
    return _binary(path, body["__type__"], data), "application/octet-stream"


def _is_json(http: Http | None) -> bool:
    media_type = response_headers(http).get("content-type", "application/json" if http is None else "")
    return media_type.partition(";")[0].strip().lower().endswith("json")


def _json(value: JsonValue, path: str) -> bytes:
    try:
        return sendable(value)
    except ValueError as error:
        raise CorruptRecording(path, f"$.response.body cannot be sent: {error}") from None


def _text(path: str, text: Any) -> bytes:
    try:
        return bytes(text.encode())
    except (AttributeError, UnicodeEncodeError) as error:
        raise CorruptRecording(path, f"$.response.body is not text: {error}") from None


def _binary(path: str, kind: str, data: Any) -> bytes:
    __tracebackhide__ = True
    if kind == ATTACHED:
        return read_attachment(path, data)
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise CorruptRecording(path, f"$.response.body is not base64: {error}") from None
