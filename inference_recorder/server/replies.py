"""What the server sends: of a recording, of a response, of an error."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import httpx

from ..errors import MissingRecording, assert_never
from ..recording.answer import Failed, Http, ModelList, Recording, Streamed, Value, raw_headers, response_headers
from ..recording.embeddings import in_base64
from ..recording.failures import failed_response
from ..request.request import Request
from ..sdk.bodies import body_bytes
from ..sdk.http import server_sent_text
from ..sdk.replay import check_complete
from .upstream import is_passed_on

REFUSED = 422
"""The status of our own errors.

The SDKs and litellm's Router try 408, 409, 429 and 5xx again, the Router whatever x-should-retry says. litellm and
langchain-openai raise 404 as a model that is not there, for which callers fall back to another one. None of them does
either with 422. A fallback from errors of any kind asks for each of its models once, with this status as with others.
`tests/compat/frameworks` shows it.
"""
_NO_RETRY = ("x-should-retry", "false")
_JSON = "application/json"
_RESULTS = re.compile(rb'(?<="results_url":)( ?")[^"]*(?=/v1/messages/batches/)')


class CutConnection(Exception):
    """The recorded connection broke here; so is that of the client."""


@dataclass(slots=True)
class Reply:
    """An answer over HTTP."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | Iterable[bytes] | AsyncIterable[bytes]
    pauses: tuple[float, ...] = field(default=())
    """How many seconds to wait before each part of the body."""


def recorded_reply(recording: Recording, request: Request, *, is_base64: bool, is_paced: bool) -> Reply:
    """Return a recorded answer as it was sent. `is_base64`: the client asks for embeddings in base64.

    Raises CorruptRecording; reading the body raises that, IncompleteRecording or CutConnection.
    """
    path, answer = recording.path, recording.answer
    match answer:
        case Failed():
            return _failed_reply(answer)
        case Streamed():
            body = server_sent_text(answer, path, CutConnection, partial(check_complete, answer, path))
            pauses = () if answer.http is None or not is_paced else tuple(answer.http.pauses)
            return Reply(_status(answer.http), _headers(answer.http, "text/event-stream"), body, pauses)
        case Value() | ModelList():
            check_complete(answer, path)
            if is_base64 and isinstance(answer, Value):
                answer = replace(answer, body=in_base64(answer.body))
            content, media_type = body_bytes(answer, path, is_model_list=request.is_model_list)
            return Reply(_status(answer.http), _headers(answer.http, media_type), content)
        case _:
            assert_never(answer)


def passed_reply(response: httpx.Response) -> Reply:
    """Return a response as it came; a stream passes while it arrives."""
    is_read = response.is_closed
    headers = [
        (name, value)
        for name, value in response.headers.raw
        if is_passed_on(name.decode("latin-1").lower()) and not (is_read and name.lower() == b"content-encoding")
    ]
    return Reply(response.status_code, headers, response.content if is_read else response.aiter_raw())


def with_own_results(reply: Reply, base_url: str) -> Reply:
    """Return an answer about a batch of Anthropic's whose client gets the results here, as it gets everything else.

    `base_url` is that of the client. The recording keeps the URL that Anthropic sent.
    """
    if isinstance(reply.body, bytes):
        reply.body = _RESULTS.sub(rb"\1" + base_url.encode().replace(b"\\", rb"\\"), reply.body)
    return reply


def refusal(error: Exception | str, status: int = REFUSED, *, may_retry: bool = False) -> Reply:
    """Return an error of ours, in the form of both APIs. Clients of the SDKs try again only if they may."""
    code = "missing_recording" if isinstance(error, MissingRecording) else "refused"
    headers = {"content-type": _JSON} | ({} if may_retry else dict([_NO_RETRY]))
    return Reply(status, raw_headers(headers), json.dumps(_error(str(error), code)).encode())


def event_of(error: Exception) -> bytes:
    """Return the event that ends a stream with an error of ours; openai's SDKs read the data, Anthropic's the name."""
    return f"event: error\ndata: {json.dumps(_error(str(error), 'refused'))}\n\n".encode()


def _error(message: str, code: str) -> Mapping[str, object]:
    error = {"message": f"inference_recorder: {message}", "type": "inference_recorder_error", "param": None}
    return {"type": "error", "error": {**error, "code": code}}


def _failed_reply(answer: Failed) -> Reply:
    """Return a recorded failure. Clients must not retry it: they would get the next answer of the series."""
    if answer.failure.status_code is None:
        raise CutConnection
    response = failed_response(answer.failure, answer.http, httpx, None)
    made_again = (b"content-length", _NO_RETRY[0].encode())
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in made_again]
    return Reply(response.status_code, [*headers, *raw_headers(dict([_NO_RETRY]))], response.content)


def _status(http: Http | None) -> int:
    return 200 if http is None else http.status_code


def _headers(http: Http | None, media_type: str) -> list[tuple[bytes, bytes]]:
    headers = {"content-type": media_type} if http is None else response_headers(http)
    return raw_headers({name: value for name, value in headers.items() if name != _NO_RETRY[0]})
