"""A recording in memory: what was asked, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..request.jsonable import JsonObject, JsonValue
from .body import BASE64 as BASE64
from .body import JSON_TEXT as JSON_TEXT
from .body import LIST as LIST
from .body import PLAIN as PLAIN
from .body import TEXT as TEXT
from .body import Chunk as Chunk

_OF_THE_JOURNEY = frozenset({"content-encoding", "transfer-encoding", "content-length"})


RESPONSE_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
"""Events of the Responses API whose "response" is the whole answer, as far as it came; none follows them."""


class Http(NamedTuple):
    """What is known of the HTTP response below an answer; a recording from elsewhere has none."""

    status_code: int
    headers: Mapping[str, str]


def response_headers(http: Http | None) -> dict[str, str]:
    """Return the headers for a response in memory, names in lower case; without those that say how bytes travelled."""
    if http is None:
        return {}
    headers = {name.lower(): value for name, value in http.headers.items()}
    return {name: value for name, value in headers.items() if name not in _OF_THE_JOURNEY}


def raw_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return headers as bytes: given text, the HTTP libraries refuse what is not ASCII."""
    return [(name.encode(), value.encode()) for name, value in headers.items()]


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception in the recording's own form.

    Source: llama-stack `exception_utils.py`; `text`, the response's own text, is ours and kept only where the
    exception's body does not say it all.
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
        return f"<Failure {self.type}>"  # its texts may repeat a credential: a traceback may show it


class Answer(NamedTuple):
    """What a call came to: a body, chunks, a failure, or chunks and then a failure."""

    body: JsonValue = None
    """Of an answer that is no list: `{"__type__": name, "__data__": value}`; None where the server sent nothing."""
    chunks: Sequence[Chunk] | None = None
    """Of a stream or a list of models: its items."""
    is_streaming: bool = False
    is_complete: bool = True
    """False for a stream whose consumer left before its end."""
    failure: Failure | None = None
    http: Http | None = None
    page: JsonObject | None = None
    """Of a list of models: what its page holds beside them, where that is not only its kind."""
    is_redacted: bool = False
    """Whether numbers stand in it for secrets of its own request (see `format.redacting`)."""
    attachment: bytes | None = None
    """The bytes of a big binary answer on their way to a file of their own, beside the recording."""
    ends_with_done: bool | None = None
    """Of a stream, whether the server sent "[DONE]" at its end; None where it did as servers usually do."""

    def __repr__(self) -> str:
        kind = "no body" if self.body is None else "a body"
        kind = kind if self.chunks is None else f"{len(self.chunks)} chunks"
        return f"<Answer: {kind if self.failure is None else self.failure!r}>"  # see `Failure`


class Recording(NamedTuple):
    """A recording as read from `path`."""

    path: str
    answer: Answer


def reason_of(failure: Failure) -> str:
    """Return a failure in a word or two: "429 RateLimitError", "APITimeoutError"."""
    return failure.type if failure.status_code is None else f"{failure.status_code} {failure.type}"
