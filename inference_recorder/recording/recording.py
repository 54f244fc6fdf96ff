"""A recording in memory: its path and its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..request.jsonable import JsonObject, JsonValue
from .body import Chunk

_TRANSPORT_HEADERS = frozenset({"content-encoding", "transfer-encoding", "content-length"})


RESPONSE_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
"""Events that end a stream of the Responses API; their "response" is the whole answer, as far as it came."""


class Http(NamedTuple):
    """The HTTP response of an answer; recordings of llama-stack's recorder have none."""

    status_code: int
    headers: Mapping[str, str]


def response_headers(http: Http | None) -> dict[str, str]:
    """Return the headers for a response in memory, names in lower case, without those of the transport."""
    if http is None:
        return {}
    headers = {name.lower(): value for name, value in http.headers.items()}
    return {name: value for name, value in headers.items() if name not in _TRANSPORT_HEADERS}


def raw_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return headers as bytes; the HTTP libraries accept only ASCII as text."""
    return [(name.encode(), value.encode()) for name, value in headers.items()]


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception in the recording's own form.

    Source: llama-stack `exception_utils.py`; `text`, the response's own text, is ours and kept only if it cannot
    be made from the exception's body.
    """

    type: str
    """The class's name: "RateLimitError"; for an exception of the HTTP library with its package: "httpx.ReadError"."""
    message: str
    status_code: int | None = None
    body: JsonValue = None
    text: str | None = None
    category: str = "provider_sdk"
    provider: str = "openai"

    def __repr__(self) -> str:
        return f"<Failure {self.type}>"  # its texts may repeat a credential, and a traceback shows a repr


class Answer(NamedTuple):
    """The answer to a call: a body, chunks, a failure, or chunks and then a failure."""

    body: JsonValue = None
    """The body (see `body`) of an answer without chunks; None if the server sent nothing."""
    chunks: Sequence[Chunk] | None = None
    """The chunks of a stream, or the models of a list."""
    is_streaming: bool = False
    is_complete: bool = True
    """False for a stream whose consumer left before its end."""
    failure: Failure | None = None
    http: Http | None = None
    page: JsonObject | None = None
    """What the page of a model list holds besides the models, unless that is only its kind."""
    is_redacted: bool = False
    """Whether it repeats secrets of its request as numbered placeholders (see `redaction.recordings`)."""
    attachment: bytes | None = None
    """The bytes of a big binary answer, to be written to a file beside the recording."""
    ends_with_done: bool | None = None
    """Whether the server ended a stream with "[DONE]"; None if it did as is usual for the endpoint."""

    def __repr__(self) -> str:
        kind = "no body" if self.body is None else "a body"
        kind = kind if self.chunks is None else f"{len(self.chunks)} chunks"
        return f"<Answer: {kind if self.failure is None else self.failure!r}>"  # see `Failure`


class Recording(NamedTuple):
    """A recording as read from `path`."""

    path: str
    answer: Answer


def reason_of(failure: Failure) -> str:
    """Return a short name of a failure: "429 RateLimitError", "APITimeoutError"."""
    return failure.type if failure.status_code is None else f"{failure.status_code} {failure.type}"
