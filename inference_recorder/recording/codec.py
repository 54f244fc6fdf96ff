"""Bytes <-> Recording, in the layout of the format's description.

A file is found readable or not here: what is wrong with it is raised as CorruptRecording, never as another error.

A replay reads of a file in our layout only the response, and a stream's chunks when they are asked for. So a damaged
request, and a name that an object of the response has twice, are noticed by `decode_thoroughly` alone; in any other
layout the whole file is parsed, and both are noticed by `decode` too. What a bad merge leaves behind that could have
another answer returned is noticed in every layout: a second recording, response or body, and conflict markers.

A format newer than this one says so in its first member, `"format_version": 2`. Files of this format have none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import CorruptRecording
from ..request.jsonable import JsonObject, JsonValue
from . import json_bytes
from .deep_json import is_deep, json_text
from .failures import failure_from_json, failure_to_json
from .id_mapping import with_ids_normalised
from .lines import Lines
from .recording import JSON_TEXT, LIST, PLAIN, TEXT, Answer, Chunk, Failure, Http, Recording

FORMAT_VERSION = 1

_FILE_START = b'{\n  "test_id": '
_FILE_END = b',\n  "id_normalization_mapping": {}\n}\n'
_RESPONSE_START = b'\n  "response": {\n'
# A string holds no line break, and what is inside of these stands further right: they are found only where they are.
_TEST_ID, _RESPONSE = b'\n  "test_id":', b'\n  "response":'
_BODY, _FAILURE = b'\n    "body":', b'\n    "exception_data":'
_OURS, _BETWEEN, _THEIRS = _CONFLICT_MARKERS = b"\n<<<<<<<", b"\n=======", b"\n>>>>>>>"
_SHORT_RESPONSE = 1 << 12
"""Bytes from a file's end within which its response is looked for first."""
_BIG_LIST = 1 << 14
"""Bytes of a list above which its lines are found one by one."""
_BIG_FILE = 1 << 24
"""Bytes above which memory counts more than time."""
_ONLY_STRINGS = frozenset({str})
_LIST_START = b'\n    "body": [\n'
_LIST_END = b"\n    ],\n"
_LINE_INDENT = b"      "
_FIRST_LINE = _LIST_START + _LINE_INDENT + b'{"'
_LINE_SEPARATOR = b",\n" + _LINE_INDENT
_DATA_MARK = b'"__data__":'
_HTTP_START = b'\n    "http": '


def encode(test_id: str | None, request: JsonObject, answer: Answer) -> bytes:
    """Return the file of a recording; `request` is the file's own "request" object."""
    response: JsonObject = {
        "body": answer.body if answer.chunks is None else [],
        "is_streaming": answer.is_streaming,
    }
    if not answer.is_complete:
        response["is_complete"] = False
    if answer.ends_with_done is not None:
        response["ends_with_done"] = answer.ends_with_done
    if answer.is_redacted:
        response["is_redacted"] = True
    if answer.failure is not None:
        response |= failure_to_json(answer.failure)
    if answer.page is not None:
        response["page"] = answer.page
    if answer.http is not None:
        response["http"] = None
    # A line is read exactly, whatever is in it.
    parsed = [] if _is_read_by_line(answer.chunks or ()) else [chunk_value(chunk, "") for chunk in answer.chunks or ()]
    if json_bytes.has_large_integers((request, response, parsed)):
        response["has_large_integers"] = True
    document = {"test_id": test_id, "request": request, "response": response, "id_normalization_mapping": {}}
    content = json_bytes.dumps(document, indent=True) + b"\n"
    if answer.http is not None:
        http = {"status_code": answer.http.status_code, "headers": dict(answer.http.headers)}
        content = with_http(content, lambda _: http)
    if not answer.chunks:
        return content
    lines = _LINE_SEPARATOR.join(line(chunk) for chunk in answer.chunks)
    head, _, tail = content.rpartition(b'\n    "body": [],\n')
    return b"".join((head, _LIST_START, _LINE_INDENT, lines, _LIST_END, tail))


def _is_read_by_line(chunks: Sequence[Chunk]) -> bool:
    return not chunks or line(chunks[0]).startswith(b'{"')


def with_http(content: bytes, changed: Callable[[JsonValue], JsonValue]) -> bytes:
    """Return a file in our layout with its "http", which is on one line, changed; as it is where it has none."""
    head, start, tail = content.rpartition(_HTTP_START)
    if not start:
        return content
    http, end, rest = tail.partition(b"\n")
    comma = b"," if http.endswith(b",") else b""
    return b"".join((head, start, line(changed(json_bytes.loads(http.removesuffix(b",")))), comma, end, rest))


def decode(content: bytes, path: str) -> Recording:
    """Return the recording that `content`, read from `path`, holds; raises CorruptRecording.

    Of a file in our layout only the response is parsed, and of a list only what is around its lines.
    """
    if content.startswith(_FILE_START) and content.endswith(_FILE_END):
        try:
            response, lines = _response_and_lines(content)
            has_two_failures = "exception_data" in response and content.count(_FAILURE) > 1
            if "has_large_integers" not in response and not has_two_failures:
                return _recording(response, path, lines)
        except (ValueError, RecursionError):
            pass  # not our layout after all
    return _decode_parsed(_whole_document(content, path), path)


def decode_thoroughly(content: bytes, path: str) -> Recording:
    """Return the recording as `decode` does, having read all of it; raises CorruptRecording for more.

    The whole file is JSON in which no object has a name twice, each member that the format describes has its type, and
    each chunk is found.
    """
    document = _whole_document(content, path)
    for where, members, kinds in (("$", document, _KINDS), ("$.response", document.get("response"), _OF_RESPONSE)):
        for name, kind in kinds.items():
            if isinstance(members, dict) and not isinstance(members.get(name), (kind, type(None))):
                raise CorruptRecording(path, f"{where}.{name} must be {_IN_WORDS[kind]}")
    if not isinstance(document.get("request"), dict):
        raise CorruptRecording(path, "$.request must be an object")
    _decode_parsed(document, path)
    recording = decode(content, path)
    for chunk in recording.answer.chunks or ():
        chunk_value(chunk, path)
    return recording


_KINDS = {"test_id": str, "id_normalization_mapping": dict}
_OF_RESPONSE = {
    "is_redacted": bool,
    "is_exception": bool,
    "exception_data": dict,
    "exception_message": str,
    "has_large_integers": bool,
}
_IN_WORDS = {str: "a string", dict: "an object", bool: "true or false"}


def chunk_value(chunk: Chunk, path: Path | str) -> JsonValue:
    """Return the value of one item of a list body, read from `path`; raises CorruptRecording for a line of no JSON."""
    if not isinstance(chunk, bytes):
        return chunk
    try:
        return json_bytes.loads(chunk, exactly=True)
    except (ValueError, RecursionError) as error:
        start = chunk[:40].decode(errors="replace")
        raise CorruptRecording(
            path, f"the chunk of $.response.body that begins {start!r} is not JSON: {error}"
        ) from None


def chunk_data_start(chunk: Chunk) -> bytes | None:
    """Return what stands before the JSON text of an item's "__data__", which ends one byte before the item does.

    None where only parsing can tell.
    """
    if not isinstance(chunk, bytes) or not chunk.startswith(b'{"__type__":'):
        return None
    position = chunk.find(_DATA_MARK)
    return chunk[: position + len(_DATA_MARK)] if position > 0 else None


def typed(type_name: str, data: JsonValue) -> JsonObject:
    """Return a body as the file has it: with the name of the type it was recorded as."""
    return {"__type__": type_name, "__data__": data}


def typed_json(type_name: str, data: JsonValue) -> JsonObject:
    """Return a body that is JSON as the file has it: its text where it is nested too deep for a file."""
    return typed(JSON_TEXT, json_text(data)) if is_deep(data) else typed(type_name, data)


def untyped(body: JsonValue) -> JsonValue:
    """Return what a body says without the name of its type. That name is never used to build anything."""
    if isinstance(body, dict) and "__type__" in body and "__data__" in body:
        return body["__data__"]
    return body


def data_in(body: JsonValue, path: Path | str) -> JsonValue:
    """Return what a body read from `path` says, as `untyped` does, and what the text says of one that is nested deep.

    Raises CorruptRecording, and RecursionError as the SDK would for what it cannot read either.
    """
    data = untyped(body)
    if not isinstance(body, dict) or body.get("__type__") != JSON_TEXT:
        return data
    try:
        return json.loads(data)
    except (TypeError, ValueError) as error:
        raise CorruptRecording(path, f"the text of a {JSON_TEXT!r} in $.response cannot be read: {error}") from None


def marked(value: JsonValue) -> JsonObject:
    """Return a body or a chunk where the SDK has an object of its own and this is another value."""
    return typed_json(LIST if isinstance(value, list) else PLAIN, value)


def is_plain(body: JsonValue) -> bool:
    """Whether a body or a chunk is a value that stands where the SDK has an object of its own."""
    return isinstance(body, dict) and body.get("__type__") == PLAIN and "__data__" in body


def is_text(chunk: JsonValue) -> bool:
    """Whether the value of a chunk is the data of an event that is not JSON."""
    return isinstance(chunk, dict) and chunk.get("__type__") == TEXT


def typed_data(body: JsonValue, path: Path | str) -> JsonValue:
    """Return the JSON that the SDK makes an object of, or a list of objects; None for a body that holds neither.

    Raises CorruptRecording, naming the `path` it was read from.
    """
    data = data_in(body, path)
    if data is body:
        return None
    return data if type(data) is dict or (type(data) is list and body["__type__"] in (LIST, JSON_TEXT)) else None


def _response_and_lines(content: bytes) -> tuple[JsonObject, Sequence[Chunk] | None]:
    """Return the response of a file, without the lines of its list, and those lines.

    Raises ValueError where it cannot be had so, as where it may not be the only one.
    """
    # Most answers are short; and looking from the start, a request of four tools takes six times as long to pass over.
    start = content.rfind(_RESPONSE_START, -_SHORT_RESPONSE)
    if start < 0:
        start = content.index(_RESPONSE_START)
    _check_head(content, start)
    list_start, end = start + len(_RESPONSE_START) - 1, len(content) - len(_FILE_END)
    if not content.startswith(_FIRST_LINE, list_start) or (list_end := content.rfind(_LIST_END, list_start, end)) < 0:
        if content.rfind(_BODY) != list_start:
            raise ValueError("it has two bodies, or another member comes first")
        if end - start > _BIG_FILE:
            return json_bytes.loads_sparingly(content)["response"], None
        return json_bytes.loads_quickly(content[list_start - 1 : end]), None
    if content.rfind(_RESPONSE) != start or content.rfind(_BODY, list_end) >= 0:
        raise ValueError("it was merged badly")
    # The last one is the list's: no member beside "body" that we write is a list, and a string holds no line break.
    lines_start, first_line = list_start + len(_LIST_START), list_start + len(_LIST_START) + len(_LINE_INDENT)
    lines: Sequence[Chunk]
    if list_end - first_line < _BIG_LIST:
        lines = content[first_line:list_end].split(_LINE_SEPARATOR)
    else:
        lines = Lines(content, first_line, list_end, _LINE_SEPARATOR)
    return json_bytes.loads_quickly(content[list_start - 1 : lines_start] + content[list_end + 1 : end]), lines


def _check_head(content: bytes, start: int) -> None:
    """Raise ValueError where a merge left something before the response, at `start`, that nobody parses."""
    # From behind, which takes a third of the time.
    if (
        content.rfind(_RESPONSE, 0, start) >= 0
        or content.rfind(_TEST_ID, 0, start) != 1
        or content.rfind(_OURS, 0, start) >= 0
        or content.rfind(_BETWEEN, 0, start) >= 0
        or content.rfind(_THEIRS, 0, start) >= 0
    ):
        raise ValueError("it was merged badly")


def _whole_document(content: bytes, path: str) -> JsonObject:
    try:
        document = json_bytes.loads_strictly(content)
    except (ValueError, RecursionError) as error:
        raise CorruptRecording(path, unreadable(content, error)) from None
    if not isinstance(document, dict):
        raise CorruptRecording(path, f"it holds a JSON {type(document).__name__}, not an object")
    version = document.get("format_version", FORMAT_VERSION)
    if type(version) is not int or version < 1:
        raise CorruptRecording(path, "$.format_version must be a whole number from 1")
    if version > FORMAT_VERSION:
        raise CorruptRecording(
            path,
            f"its format is {version} and this inference_recorder reads up to {FORMAT_VERSION}; install a newer one",
        )
    return document


def _decode_parsed(document: JsonObject, path: str) -> Recording:
    response = with_ids_normalised(document, path).get("response")
    if not isinstance(response, dict):
        raise CorruptRecording(path, "$.response must be an object")
    recording = _recording(response, path, None)
    if recording.answer.http is not None:
        _check_headers(recording.answer.http, path)
    return recording


def line(chunk: Chunk) -> bytes:
    """Return one item of a list body as the line that it is in a file."""
    return chunk if isinstance(chunk, bytes) else json_bytes.dumps(chunk)


def _recording(response: JsonObject, path: str, lines: Sequence[Chunk] | None) -> Recording:
    is_streaming, is_complete = response.get("is_streaming", False), response.get("is_complete", True)
    if type(is_streaming) is not bool or type(is_complete) is not bool:
        raise CorruptRecording(path, "$.response.is_streaming and .is_complete must be true or false")
    body = response.get("body")
    if lines is not None or isinstance(body, list):
        chunks, body = (body if lines is None else lines), None
    else:
        chunks = None
    failure = _failure(response, path) if response.get("is_exception") else None
    if is_streaming and chunks is None and failure is None:
        raise CorruptRecording(path, "$.response.body of a stream must be a list of chunks")
    http, page = response.get("http"), response.get("page")
    if page is not None and not isinstance(page, dict):
        raise CorruptRecording(path, "$.response.page must be an object")
    known_http = None if http is None else _http(http, path)
    ends_with_done = response.get("ends_with_done")
    if ends_with_done is not None and type(ends_with_done) is not bool:
        raise CorruptRecording(path, "$.response.ends_with_done must be true or false")
    is_redacted = "is_redacted" in response
    answer = Answer(
        body, chunks, is_streaming, is_complete, failure, known_http, page, is_redacted, None, ends_with_done
    )
    return Recording(path, answer)


def _failure(response: JsonObject, path: str) -> Failure:
    try:
        return failure_from_json(response)
    except (TypeError, ValueError, RecursionError) as error:
        raise CorruptRecording(path, f"$.response.exception_data: {error}") from None


def _http(value: JsonValue, path: str) -> Http:
    if isinstance(value, dict):
        status_code, headers = value.get("status_code"), value.get("headers")
        has_headers = isinstance(headers, dict) and _ONLY_STRINGS.issuperset(map(type, headers.values()))
        if has_headers and type(status_code) is int and 100 <= status_code <= 599:
            return Http(status_code, headers or {})
    raise CorruptRecording(path, "$.response.http must hold a status_code of 100 to 599 and headers, names to strings")


def _check_headers(http: Http, path: str) -> None:
    # Only the standard library reads lone surrogates; what orjson has read needs no look.
    try:
        "".join((*http.headers, *http.headers.values())).encode()
    except UnicodeEncodeError as error:
        raise CorruptRecording(path, f"$.response.http.headers are no text: {error}") from None


def unreadable(content: bytes, error: ValueError | RecursionError) -> str:
    """Return what is wrong with a file that `error` says is no JSON, for people."""
    if isinstance(error, RecursionError):
        return "its JSON is nested too deep to read"
    if not content.strip():
        return "it is empty"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 at byte {error.start}"
    if isinstance(error, json_bytes.DuplicateNames):
        return f"{error}, as after a bad merge"
    if isinstance(error, json.JSONDecodeError):
        reason = f"its JSON breaks off or is malformed at byte {json_bytes.byte_offset(error)}: {error}"
        return f"{_after_a_merge(content)}{reason}"
    return f"its JSON cannot be read: {error}"


def _after_a_merge(content: bytes) -> str:
    """Return what a bad merge left in a file, for people; "" for nothing."""
    if any(marker in b"\n" + content for marker in _CONFLICT_MARKERS):
        return "it holds the conflict markers of a merge; "
    return "it holds two recordings, as after a bad merge; " if content.count(_RESPONSE) > 1 else ""
