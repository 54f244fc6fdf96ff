"""Bytes <-> Recording, in the layout of the format's description.

A file is found readable or not here: what is wrong with it is raised as CorruptRecording, never as another error.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import CorruptRecording
from ..identity.jsonable import JsonObject, JsonValue
from . import json_bytes
from .failures import failure_from_json, failure_to_json
from .recording import Answer, Chunk, Failure, Http, Recording

_RESPONSE_START = b'\n  "response": {\n'
_ONLY_STRINGS = frozenset({str})
_LIST_START = b'\n    "body": [\n'
_LIST_END = b"\n    ],\n"
_LINE_INDENT = b"      "
_FIRST_LINE = _LIST_START + _LINE_INDENT + b'{"'
_LINE_SEPARATOR = b",\n" + _LINE_INDENT
_DATA_MARK = b'"__data__":'


def encode(test_id: str | None, request: JsonObject, answer: Answer) -> bytes:
    """Return the file of a recording; `request` is the file's own "request" object."""
    response: JsonObject = {
        "body": answer.body if answer.chunks is None else [],
        "is_streaming": answer.is_streaming,
    }
    if not answer.is_complete:
        response["is_complete"] = False
    if answer.failure is not None:
        response |= failure_to_json(answer.failure)
    if answer.page is not None:
        response["page"] = answer.page
    if answer.http is not None:
        response["http"] = {"status_code": answer.http.status_code, "headers": dict(answer.http.headers)}
    if json_bytes.has_large_integers((request, answer.body, _values(answer.chunks or ()))):
        response["has_large_integers"] = True
    document = {"test_id": test_id, "request": request, "response": response, "id_normalization_mapping": {}}
    content = json_bytes.dumps(document, indent=True) + b"\n"
    if not answer.chunks:
        return content
    lines = _LINE_SEPARATOR.join(_line(chunk) for chunk in answer.chunks)
    head, _, tail = content.rpartition(b'\n    "body": [],\n')
    return b"".join((head, _LIST_START, _LINE_INDENT, lines, _LIST_END, tail))


def decode(content: bytes, path: str) -> Recording:
    """Return the recording that `content`, read from `path`, holds; raises CorruptRecording.

    Of a file in our layout only the response is parsed, and of a list only what is around its lines.
    """
    start = content.find(_RESPONSE_START) if content.startswith(b"{\n") else -1
    if start >= 0:
        document_bytes, lines = _split_list(content, start)
        try:
            document = json_bytes.loads(document_bytes)
            response = document["response"]
            if document["id_normalization_mapping"] == {} and "has_large_integers" not in response:
                return _recording(response, path, lines)
        except (ValueError, RecursionError, KeyError, TypeError):
            pass  # not our layout after all
    document = _with_ids_normalised(_whole_document(content, path), path)
    response = document.get("response")
    if not isinstance(response, dict):
        raise CorruptRecording(path, "$.response must be an object")
    return _recording(response, path, None)


def chunk_value(chunk: Chunk) -> JsonValue:
    """Return the value of one item of a list body; raises ValueError where its line is no JSON."""
    return json_bytes.loads(chunk, exactly=True) if isinstance(chunk, bytes) else chunk


def chunk_data_start(chunk: Chunk) -> bytes | None:
    """Return what stands before the JSON text of an item's "__data__", which ends one byte before the item does.

    None where only parsing can tell.
    """
    if not isinstance(chunk, bytes) or not chunk.startswith(b'{"__type__":'):
        return None
    place = chunk.find(_DATA_MARK)
    return chunk[: place + len(_DATA_MARK)] if place > 0 else None


def typed(type_name: str, data: JsonValue) -> JsonObject:
    """Return a body as the file has it: with the name of the type it was recorded as."""
    return {"__type__": type_name, "__data__": data}


def untyped(body: JsonValue) -> JsonValue:
    """Return what a body says without the name of its type. That name is never used to build anything."""
    if isinstance(body, dict) and "__type__" in body and "__data__" in body:
        return body["__data__"]
    return body


def _split_list(content: bytes, start: int) -> tuple[bytes, list[Chunk] | None]:
    """Return the JSON of the response that begins at `start`, without the lines of its list, and those lines."""
    list_start = start + len(_RESPONSE_START) - 1
    if not content.startswith(_FIRST_LINE, list_start) or (end := content.find(_LIST_END, list_start)) < 0:
        return b"{" + content[start:], None
    first_line = list_start + len(_LIST_START)
    lines: list[Chunk] = [*content[first_line + len(_LINE_INDENT) : end].split(_LINE_SEPARATOR)]
    return b"{" + content[start + 1 : first_line] + content[end + 1 :], lines


def _whole_document(content: bytes, path: str) -> JsonObject:
    try:
        document = json_bytes.loads(content, exactly=b'"has_large_integers"' in content)
    except (ValueError, RecursionError) as error:
        raise CorruptRecording(path, unreadable(content, error)) from None
    if not isinstance(document, dict):
        raise CorruptRecording(path, f"it holds a JSON {type(document).__name__}, not an object")
    return document


def _line(chunk: Chunk) -> bytes:
    return chunk if isinstance(chunk, bytes) else json_bytes.dumps(chunk)


def _values(chunks: Sequence[Chunk]) -> list[JsonValue]:
    # A line was dumped from a value that its maker has looked at.
    return [chunk for chunk in chunks if not isinstance(chunk, bytes)]


def _recording(response: JsonObject, path: str, lines: list[Chunk] | None) -> Recording:
    is_streaming = bool(response.get("is_streaming"))
    body = response.get("body")
    if lines is not None or isinstance(body, list):
        chunks, body = (body if lines is None else lines), None
    else:
        chunks = None
    failure = _failure(response, path) if response.get("is_exception") else None
    if is_streaming and chunks is None and failure is None:
        raise CorruptRecording(path, "$.response.body of a stream must be a list of chunks")
    http, page = response.get("http"), response.get("page")
    is_complete = response.get("is_complete") is not False
    known_http = None if http is None else _http(http, path)
    known_page = page if isinstance(page, dict) else None
    return Recording(path, Answer(body, chunks, is_streaming, is_complete, failure, known_http, known_page))


def _failure(response: JsonObject, path: str) -> Failure:
    try:
        return failure_from_json(response)
    except (TypeError, ValueError) as error:
        raise CorruptRecording(path, f"$.response.exception_data: {error}") from None


def _http(value: JsonValue, path: str) -> Http:
    if isinstance(value, dict):
        status_code, headers = value.get("status_code"), value.get("headers")
        has_headers = isinstance(headers, dict) and _ONLY_STRINGS.issuperset(map(type, headers.values()))
        if has_headers and type(status_code) is int and 100 <= status_code <= 599:
            return Http(status_code, headers or {})
    raise CorruptRecording(path, "$.response.http must hold a status_code of 100 to 599 and headers, names to strings")


def _with_ids_normalised(document: JsonObject, path: str) -> JsonObject:
    """Apply a recording's own id mapping {normalised: original}: each original is replaced in the whole text.

    Source: llama-stack `api_recorder.py`, `_recording_from_file`.
    """
    mapping = document.get("id_normalization_mapping") or {}
    if not mapping:
        return document
    if not isinstance(mapping, dict) or not _ONLY_STRINGS.issuperset(map(type, mapping.values())):
        raise CorruptRecording(path, "$.id_normalization_mapping must hold strings")
    text = json_bytes.dumps({**document, "id_normalization_mapping": {}}).decode()
    for normalised, original in mapping.items():
        if original:
            text = text.replace(original, normalised)
    try:
        replaced: JsonObject = json_bytes.loads(text.encode())
    except ValueError as error:
        raise CorruptRecording(path, f"$.id_normalization_mapping breaks it: {error}") from None
    return replaced


def unreadable(content: bytes, error: ValueError | RecursionError) -> str:
    """Return what is wrong with a file that `error` says is no JSON, for people."""
    if isinstance(error, RecursionError):
        return "its JSON is nested too deep to read"
    if not content.strip():
        return "it is empty"
    position = getattr(error, "pos", None)
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 at byte {error.start}"
    return (
        f"its JSON breaks off or is malformed at character {position}: {error}" if position is not None else str(error)
    )
