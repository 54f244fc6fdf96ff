"""The bytes of a file <-> a recording. Whatever is wrong with a file is raised as CorruptRecording.

`decode` parses only the response of a file in our layout, and leaves the chunks of a stream as lines. It therefore
misses a damaged request, and a name that an object of the response has twice; `decode_thoroughly` finds both. What a
bad merge leaves behind is found by `decode` too wherever it could change the answer: a second recording, response or
body, and conflict markers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..errors import CorruptRecording, assert_never
from ..json_tree import JsonObject, JsonValue, member
from . import json_bytes
from .answer import (
    Answer,
    Failed,
    Failure,
    Http,
    ModelList,
    Recording,
    Streamed,
    Value,
    failure_of,
    is_complete,
    items_of,
)
from .body import Chunk, chunk_value, line
from .damage import unreadable
from .failures import failure_from_json, failure_to_json
from .id_mapping import with_ids_normalised
from .layout import (
    BODY_MEMBER,
    EMPTY_LIST,
    FAILURE_MEMBER,
    FILE_END,
    FILE_START,
    FIRST_LINE,
    FORMAT_VERSION,
    HTTP_START,
    LINE_INDENT,
    LINE_SEPARATOR,
    LIST_END,
    LIST_START,
    OURS_MARKER,
    RESPONSE_MEMBER,
    RESPONSE_START,
    SEPARATOR_MARKER,
    TEST_ID_MEMBER,
    THEIRS_MARKER,
)
from .lines import Lines

_SHORT_RESPONSE = 1 << 12
"""Bytes at the end of a file in which its response is searched first."""
_BIG_LIST = 1 << 14
"""Bytes of a list above which its lines are cut out one by one."""
_BIG_FILE = 1 << 24
"""Bytes above which memory counts more than time."""
_ONLY_STRINGS = frozenset({str})

_DOCUMENT_KINDS = {"test_id": str, "id_normalization_mapping": dict}
_RESPONSE_KINDS = {
    "is_redacted": bool,
    "is_exception": bool,
    "exception_data": dict,
    "exception_message": str,
    "has_large_integers": bool,
}
_KIND_WORDS = {str: "a string", dict: "an object", bool: "true or false"}


def encode(test_id: str | None, request: JsonObject, answer: Answer) -> bytes:
    """Return the file of a recording; `request` is the file's own "request" object."""
    response: JsonObject = {"body": _body_without_items(answer), "is_streaming": isinstance(answer, Streamed)}
    if not is_complete(answer):
        response["is_complete"] = False
    if isinstance(answer, Streamed) and answer.ends_with_done is not None:
        response["ends_with_done"] = answer.ends_with_done
    if answer.is_redacted:
        response["is_redacted"] = True
    if (failure := failure_of(answer)) is not None:
        response |= failure_to_json(failure)
    if isinstance(answer, ModelList) and answer.page is not None:
        response["page"] = answer.page
    if answer.http is not None:
        response["http"] = None
    items = items_of(answer)
    # A line is read exactly, whatever is in it.
    parsed = [] if _is_read_by_line(items) else [chunk_value(item, "") for item in items]
    if json_bytes.has_large_integers([request, response, parsed]):
        response["has_large_integers"] = True
    document: JsonObject = {
        "test_id": test_id,
        "request": request,
        "response": response,
        "id_normalization_mapping": {},
    }
    content = json_bytes.dumps(document, indent=True) + b"\n"
    if answer.http is not None:
        http: JsonObject = {"status_code": answer.http.status_code, "headers": {**answer.http.headers}}
        pauses: JsonObject = {"pauses": [*answer.http.pauses]} if answer.http.pauses else {}
        content = with_http(content, lambda _: http | pauses)
    if not items:
        return content
    lines = LINE_SEPARATOR.join(line(item) for item in items)
    head, _, tail = content.rpartition(EMPTY_LIST)
    return b"".join((head, LIST_START, LINE_INDENT, lines, LIST_END, tail))


def _body_without_items(answer: Answer) -> JsonValue:
    match answer:
        case Value():
            return answer.body
        case Streamed() | ModelList():
            return []
        case Failed():
            return None
        case _:
            assert_never(answer)


def _is_read_by_line(chunks: Sequence[Chunk]) -> bool:
    return not chunks or line(chunks[0]).startswith(b'{"')


def with_http(content: bytes, changed: Callable[[JsonValue], JsonValue]) -> bytes:
    """Return a file in our layout with its "http", which is on one line, changed; unchanged if it has none."""
    head, start, tail = content.rpartition(HTTP_START)
    if not start:
        return content
    http, end, after = tail.partition(b"\n")
    comma = b"," if http.endswith(b",") else b""
    return b"".join((head, start, line(changed(json_bytes.loads(http.removesuffix(b",")))), comma, end, after))


def decode(content: bytes, path: str) -> Recording:
    """Return the recording in a file's `content`, read from `path`; raises CorruptRecording."""
    __tracebackhide__ = True
    if content.startswith(FILE_START) and content.endswith(FILE_END):
        try:
            response, lines = _response_and_lines(content)
            has_two_failures = "exception_data" in response and content.count(FAILURE_MEMBER) > 1
            if "has_large_integers" not in response and not has_two_failures:
                return _recording(response, path, lines)
        except (ValueError, RecursionError):
            pass  # not our layout after all
    return _decode_parsed(_whole_document(content, path), path)


def decode_thoroughly(content: bytes, path: str) -> Recording:
    """Return the recording as `decode` does; raises CorruptRecording for damage anywhere in the file.

    The whole file must be JSON in which no object has a name twice and each member has the type that the format gives
    it, and every chunk must be readable.
    """
    document = _whole_document(content, path)
    _check_kinds(document, _DOCUMENT_KINDS, "$", path)
    _check_kinds(document.get("response"), _RESPONSE_KINDS, "$.response", path)
    if not isinstance(document.get("request"), dict):
        raise CorruptRecording(path, "$.request must be an object")
    _decode_parsed(document, path)
    recording = decode(content, path)
    for item in items_of(recording.answer):
        chunk_value(item, path)
    return recording


def _check_kinds(members: JsonValue, kinds: Mapping[str, type], where: str, path: str) -> None:
    for name, kind in kinds.items():
        if isinstance(members, dict) and not isinstance(members.get(name), (kind, type(None))):
            raise CorruptRecording(path, f"{where}.{name} must be {_KIND_WORDS[kind]}")


def _response_and_lines(content: bytes) -> tuple[JsonObject, Sequence[Chunk] | None]:
    """Return the response of a file in our layout, without the lines of its list, and those lines.

    Raises ValueError for another layout, and where a bad merge may have left a second response.
    """
    # Most answers are short, and skipping a request with four tools from the start takes six times as long.
    start = content.rfind(RESPONSE_START, -_SHORT_RESPONSE)
    if start < 0:
        start = content.index(RESPONSE_START)
    _check_head(content, start)
    body_start, end = start + len(RESPONSE_START), len(content) - len(FILE_END)
    if not content.startswith(FIRST_LINE, body_start) or (list_end := content.rfind(LIST_END, body_start, end)) < 0:
        if content.rfind(BODY_MEMBER) != body_start:
            raise ValueError("it has two bodies, or another member comes first")
        if end - start > _BIG_FILE:
            response = member(json_bytes.loads_sparingly(content), "response")
            if not isinstance(response, dict):
                raise ValueError("its response is not an object")
            return response, None
        return json_bytes.loads_object(content[body_start - 1 : end]), None
    if content.rfind(RESPONSE_MEMBER) != start or content.rfind(BODY_MEMBER, list_end) >= 0:
        raise ValueError("it was merged badly")
    # `list_end` is the list's own: no other member that we write is a list, and a string holds no line break.
    list_start = body_start + len(LIST_START)
    first_line = list_start + len(LINE_INDENT)
    lines: Sequence[Chunk]
    if list_end - first_line < _BIG_LIST:
        lines = content[first_line:list_end].split(LINE_SEPARATOR)
    else:
        lines = Lines(content, first_line, list_end, LINE_SEPARATOR)
    return json_bytes.loads_object(content[body_start - 1 : list_start] + content[list_end + 1 : end]), lines


def _check_head(content: bytes, start: int) -> None:
    """Raise ValueError if a merge left something before the response, at `start`, which is not parsed."""
    # Searching backwards takes a third of the time.
    if (
        content.rfind(RESPONSE_MEMBER, 0, start) >= 0
        or content.rfind(TEST_ID_MEMBER, 0, start) != 1
        or content.rfind(OURS_MARKER, 0, start) >= 0
        or content.rfind(SEPARATOR_MARKER, 0, start) >= 0
        or content.rfind(THEIRS_MARKER, 0, start) >= 0
    ):
        raise ValueError("it was merged badly")


def _whole_document(content: bytes, path: str) -> JsonObject:
    __tracebackhide__ = True
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


def _recording(response: JsonObject, path: str, lines: Sequence[Chunk] | None) -> Recording:
    is_streaming, is_complete = response.get("is_streaming", False), response.get("is_complete", True)
    if type(is_streaming) is not bool or type(is_complete) is not bool:
        raise CorruptRecording(path, "$.response.is_streaming and .is_complete must be true or false")
    body = response.get("body")
    items = body if lines is None and isinstance(body, list) else lines
    failure = _failure(response, path) if response.get("is_exception") else None
    if is_streaming and items is None and failure is None:
        raise CorruptRecording(path, "$.response.body of a stream must be a list of chunks")
    page, ends_with_done = response.get("page"), response.get("ends_with_done")
    if page is not None and not isinstance(page, dict):
        raise CorruptRecording(path, "$.response.page must be an object")
    if ends_with_done is not None and type(ends_with_done) is not bool:
        raise CorruptRecording(path, "$.response.ends_with_done must be true or false")
    http = None if (value := response.get("http")) is None else _http(value, path)
    is_redacted = "is_redacted" in response
    answer: Answer
    if is_streaming:
        chunks = () if items is None else items
        answer = Streamed(chunks, failure, ends_with_done, http=http, is_redacted=is_redacted, is_complete=is_complete)
    elif failure is not None:
        answer = Failed(failure, http=http, is_redacted=is_redacted)
    elif items is not None:
        answer = ModelList(items, page, http=http, is_redacted=is_redacted, is_complete=is_complete)
    else:
        answer = Value(body, http=http, is_redacted=is_redacted, is_complete=is_complete)
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
            return Http(status_code, headers, _pauses(value, path))  # type: ignore[arg-type]  # as was just checked
    raise CorruptRecording(path, "$.response.http must hold a status_code of 100 to 599 and headers, names to strings")


def _pauses(http: JsonObject, path: str) -> Sequence[float]:
    if "pauses" not in http:
        return ()
    pauses = http["pauses"]
    if isinstance(pauses, list) and all(type(pause) in (int, float) and pause >= 0 for pause in pauses):  # type: ignore[operator]
        return pauses  # type: ignore[return-value]
    raise CorruptRecording(path, "$.response.http.pauses must be a list of seconds")


def _check_headers(http: Http, path: str) -> None:
    # Only the standard library reads lone surrogates; orjson refuses them.
    try:
        "".join((*http.headers, *http.headers.values())).encode()
    except UnicodeEncodeError as error:
        raise CorruptRecording(path, f"$.response.http.headers are not text: {error}") from None
