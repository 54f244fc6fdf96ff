"""Bytes <-> Recording, in the layout of the format's description.

A file is found readable or not here: what is wrong with it is raised as CorruptRecording, never as another error.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import CorruptRecording
from ..identity.jsonable import JsonObject, JsonValue
from . import json_bytes
from .failures import failure_from_json, failure_to_json
from .recording import Answer, Chunk, Http, Recording

_LIST_START = b'\n    "body": [\n'
_LIST_END = b"\n    ],\n"
_LINE_INDENT = b"      "
_LINE_SEPARATOR = b",\n" + _LINE_INDENT
_DATA_MARK = b'"__data__":'
_EXACT_MARK = b'"has_large_integers": true'


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
    """Return the recording that `content`, read from `path`, holds; raises CorruptRecording."""
    is_exact = _EXACT_MARK in content
    if not is_exact and (parts := _split_list(content)) is not None:
        document_bytes, lines = parts
        try:
            document = json_bytes.loads(document_bytes)
        except (ValueError, RecursionError):
            pass  # not our layout after all
        else:
            if isinstance(document, dict) and not document.get("id_normalization_mapping"):
                return _recording(document, path, lines)
    try:
        document = json_bytes.loads(content, exactly=is_exact)
    except RecursionError:
        raise CorruptRecording(path, "its JSON is nested too deep to read") from None
    except ValueError as error:
        raise CorruptRecording(path, _unreadable(content, error)) from None
    if not isinstance(document, dict):
        raise CorruptRecording(path, f"it holds a JSON {type(document).__name__}, not an object")
    return _recording(_with_ids_normalised(document, path), path, None)


def chunk_value(chunk: Chunk) -> JsonValue:
    """Return the value of one item of a list body; raises ValueError where its line is no JSON."""
    return json_bytes.loads(chunk) if isinstance(chunk, bytes) else chunk


def chunk_data_bytes(chunk: Chunk) -> bytes | None:
    """Return the JSON text of the item's "__data__", None where only parsing can tell."""
    if not isinstance(chunk, bytes) or not chunk.startswith(b'{"__type__":'):
        return None
    place = chunk.find(_DATA_MARK)
    return chunk[place + len(_DATA_MARK) : -1] if place > 0 else None


def typed(type_name: str, data: JsonValue) -> JsonObject:
    """Return a body as the file has it: with the name of the type it was recorded as."""
    return {"__type__": type_name, "__data__": data}


def untyped(body: JsonValue) -> JsonValue:
    """Return what a body says without the name of its type. That name is never used to build anything."""
    if isinstance(body, dict) and "__type__" in body and "__data__" in body:
        return body["__data__"]
    return body


def _split_list(content: bytes) -> tuple[bytes, list[Chunk]] | None:
    start = content.find(_LIST_START + _LINE_INDENT + b'{"')
    if start < 0:
        return None
    first_line = start + len(_LIST_START)
    end = content.find(_LIST_END, first_line)
    if end < 0:
        return None
    lines: list[Chunk] = [*content[first_line + len(_LINE_INDENT) : end].split(_LINE_SEPARATOR)]
    return content[:first_line] + content[end + 1 :], lines


def _line(chunk: Chunk) -> bytes:
    return chunk if isinstance(chunk, bytes) else json_bytes.dumps(chunk)


def _values(chunks: Sequence[Chunk]) -> list[JsonValue]:
    # A line was dumped from a value that its maker has looked at.
    return [chunk for chunk in chunks if not isinstance(chunk, bytes)]


def _recording(document: JsonObject, path: str, lines: list[Chunk] | None) -> Recording:
    request = _member(document, "request", dict, path, "$")
    response = _member(document, "response", dict, path, "$")
    is_streaming = bool(response.get("is_streaming", False))
    body = response.get("body")
    chunks = lines if lines is not None else body if isinstance(body, list) else None
    if is_streaming and chunks is None and not response.get("is_exception"):
        raise CorruptRecording(path, "$.response.body of a stream must be a list of chunks")
    failure = None
    if response.get("is_exception"):
        try:
            failure = failure_from_json(response)
        except (TypeError, ValueError) as error:
            raise CorruptRecording(path, f"$.response.exception_data: {error}") from None
    test_id = document.get("test_id")
    return Recording(
        path,
        test_id if isinstance(test_id, str) else None,
        request,
        Answer(
            body=None if chunks is not None else body,
            chunks=chunks,
            is_streaming=is_streaming,
            is_complete=response.get("is_complete", True) is not False,
            failure=failure,
            http=_http(response.get("http"), path),
        ),
    )


def _http(value: JsonValue, path: str) -> Http | None:
    if value is None:
        return None
    if isinstance(value, dict):
        status_code, headers = value.get("status_code"), value.get("headers")
        is_status = type(status_code) is int and 100 <= status_code <= 599
        if is_status and isinstance(headers, dict) and _has_strings(headers):
            return Http(status_code, headers)
    raise CorruptRecording(path, "$.response.http must hold a status_code of 100 to 599 and headers, names to strings")


def _has_strings(value: JsonObject) -> bool:
    return all(isinstance(item, str) for item in value.values())


def _member(document: JsonObject, name: str, kind: type, path: str, where: str) -> JsonObject:
    value = document.get(name)
    if not isinstance(value, kind):
        found = "missing" if name not in document else f"a {type(value).__name__}"
        raise CorruptRecording(path, f"{where}.{name} must be an object and is {found}")
    return value  # type: ignore[return-value]  # isinstance with a variable class does not narrow


def _with_ids_normalised(document: JsonObject, path: str) -> JsonObject:
    """Apply a recording's own id mapping {normalised: original}: each original is replaced in the whole text.

    Source: llama-stack `api_recorder.py`, `_recording_from_file`.
    """
    mapping = document.get("id_normalization_mapping") or {}
    if not mapping:
        return document
    if not isinstance(mapping, dict) or not _has_strings(mapping):
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


def _unreadable(content: bytes, error: ValueError) -> str:
    if not content.strip():
        return "it is empty"
    position = getattr(error, "pos", None)
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 at byte {error.start}"
    return (
        f"its JSON breaks off or is malformed at character {position}: {error}" if position is not None else str(error)
    )
