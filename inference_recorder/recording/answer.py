"""The answer to a call: a value, a stream, a model list or a failure; and a recording, an answer with its path.

Treat all of these as immutable, and change one with `dataclasses.replace`. They are not frozen, since a replay makes
three: frozen ones set each field in a slower way, which takes it 0.9 of 20 us.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TypeAlias

from ..errors import assert_never
from ..json_tree import JsonObject, JsonValue
from .body import Chunk

_TRANSPORT_HEADERS = frozenset({"content-encoding", "transfer-encoding", "content-length"})


RESPONSE_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
"""Events that end a stream of the Responses API; their "response" is the whole answer, as far as it came."""


@dataclass(slots=True)
class Http:
    """The HTTP response of an answer; recordings of llama-stack's recorder have none."""

    status_code: int
    headers: Mapping[str, str]
    pauses: Sequence[float] = ()
    """How many seconds passed before each event of a stream arrived; () unless recording them was asked for."""


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


@dataclass(slots=True)
class Value:
    """One body: the JSON of an object, or a text or bytes (see `body`)."""

    body: JsonValue = None
    """None if the server sent nothing."""
    attachment: bytes | None = None
    """The bytes of a big binary answer, to be written to a file beside the recording."""
    _: KW_ONLY
    http: Http | None = None
    is_redacted: bool = False
    """Whether it repeats secrets of its request as numbered placeholders (see `redaction.recordings`)."""
    is_complete: bool = True
    """False if its consumer left before its end."""

    def __repr__(self) -> str:
        return f"<Value: {'no body' if self.body is None else 'a body'}>"  # see `Failure`


@dataclass(slots=True)
class Streamed:
    """The chunks of a stream, and the failure that it ended with, if it did."""

    chunks: Sequence[Chunk]
    failure: Failure | None = None
    ends_with_done: bool | None = None
    """Whether the server ended it with "[DONE]"; None if it did as is usual for the endpoint."""
    _: KW_ONLY
    http: Http | None = None
    is_redacted: bool = False
    """As for a `Value`."""
    is_complete: bool = True
    """False if its consumer left before its end."""

    def __repr__(self) -> str:
        return f"<Streamed: {len(self.chunks)} chunks{'' if self.failure is None else f', {self.failure!r}'}>"


@dataclass(slots=True)
class ModelList:
    """A list of models; in a file of llama-stack's recorder any list."""

    models: Sequence[Chunk]
    page: JsonObject | None = None
    """What the page of the list holds besides the models, unless that is only its kind."""
    _: KW_ONLY
    http: Http | None = None
    is_redacted: bool = False
    """As for a `Value`."""
    is_complete: bool = True
    """False if its consumer left before its end."""

    def __repr__(self) -> str:
        return f"<ModelList: {len(self.models)} models>"


@dataclass(slots=True)
class Failed:
    """A call that failed, with nothing but its failure."""

    failure: Failure
    _: KW_ONLY
    http: Http | None = None
    is_redacted: bool = False
    """As for a `Value`."""

    def __repr__(self) -> str:
        return f"<Failed: {self.failure!r}>"


Answer: TypeAlias = Value | Streamed | ModelList | Failed


@dataclass(slots=True)
class Recording:
    """A recording as read from `path`."""

    path: str
    answer: Answer


def reason_of(failure: Failure) -> str:
    """Return a short name of a failure: "429 RateLimitError", "APITimeoutError"."""
    return failure.type if failure.status_code is None else f"{failure.status_code} {failure.type}"


def failure_of(answer: Answer) -> Failure | None:
    """Return the failure that a call ended with, None if it did not fail."""
    match answer:
        case Streamed() | Failed():
            return answer.failure
        case Value() | ModelList():
            return None
        case _:
            assert_never(answer)


def items_of(answer: Answer) -> Sequence[Chunk]:
    """Return the chunks of a stream or the models of a list, () for an answer without any."""
    match answer:
        case Streamed():
            return answer.chunks
        case ModelList():
            return answer.models
        case Value() | Failed():
            return ()
        case _:
            assert_never(answer)


def is_complete(answer: Answer) -> bool:
    """Return whether the consumer stayed to the end of an answer."""
    match answer:
        case Value() | Streamed() | ModelList():
            return answer.is_complete
        case Failed():
            return True
        case _:
            assert_never(answer)
