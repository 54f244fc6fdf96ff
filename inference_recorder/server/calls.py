"""One request to the server, as a call that takes the same course as those of the SDKs in this process."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, cast

import httpx
import openai

from ..engine.decisions import Decision, Record, Replay
from ..engine.engine import Engine
from ..packages import SDK
from ..recording.answer import Answer, Failed, ModelList, Streamed, Value
from ..request.request import Request
from ..request.sent_alike import ENCODING, ENCODING_ENDPOINT
from ..sdk.additions import POLL_MARK
from ..sdk.capture import Capture
from ..sdk.flow import InterceptedCall
from ..sdk.hand_over import HandOver
from ..sdk.http import POLL_AGAIN, kept
from ..sdk.internals import binary_content_type
from ..sdk.methods import method_for
from ..sdk.response_capture import ResponseCapture
from .replies import Reply, recorded_reply
from .requests import HttpRequest
from .upstream import Upstream

_DOWNLOADS = ("/content", "/audio/speech")
"""Ends of the paths whose callers want bytes, JSON or not."""


class HttpCapture(ResponseCapture):
    """Records the response to a request that went on, as the client in this process would."""

    def __init__(self, engine: Engine, decision: Record, upstream: Upstream, sdk: SDK, *, is_paced: bool) -> None:
        super().__init__(engine, decision, upstream.client)
        self._upstream, self._sdk = upstream, sdk
        self._is_paced = is_paced
        self._begun = time.monotonic()
        self._arrivals: list[float] = []
        """When each part of the body arrived."""

    def of_response(self, response: httpx.Response) -> Answer | None:
        """Note the response that has arrived; return the answer if it is to be stored at once."""
        if response.status_code >= 400:
            self.stores_response = True
            return Failed(self._upstream.failure(response, self._sdk), http=kept(response))
        endpoint = self.decision.request.endpoint
        cast_to: Any = binary_content_type() if endpoint.endswith(_DOWNLOADS) else object
        method = method_for(endpoint)
        stream: Any = openai.AsyncStream
        stream_cls = stream[method.chunk_type] if method is not None and method.chunk and self._method else None
        return self.receive(response, cast_to=cast_to, stream_cls=stream_cls, options=None)

    def add(self, chunk: object) -> None:
        super().add(chunk)
        self._arrivals.append(time.monotonic())

    def _answer(self, content: bytes, *, is_complete: bool = True) -> Value | Streamed | ModelList:
        answer = super()._answer(content, is_complete=is_complete)
        if self._is_paced and isinstance(answer, Streamed) and answer.http is not None:
            return replace(answer, http=replace(answer.http, pauses=self._pauses()))
        return answer

    def _pauses(self) -> tuple[float, ...]:
        """Return how many seconds passed before each event."""
        pauses, rest, last = [], b"", self._begun
        for part, at in zip(self._parts, self._arrivals, strict=False):
            *events, rest = (rest + part.replace(b"\r\n", b"\n")).split(b"\n\n")
            for event in events:
                if event.startswith(b"data:") or b"\ndata:" in event:
                    pauses.append(round(at - last, 3))
                    last = at
        return tuple(pauses)


@dataclass(slots=True, eq=False, repr=False)
class HttpCall(InterceptedCall):
    """One request to the server. What it comes to is a Reply."""

    http: HttpRequest
    request: Request
    upstream: Upstream
    is_paced: bool

    @classmethod
    def of(cls, http: HttpRequest, request: Request, engine: Engine, upstream: Upstream, *, is_paced: bool) -> HttpCall:
        return cls(upstream.send, upstream, (), {}, True, engine, http, request, upstream, is_paced)

    @property
    def name(self) -> str:
        return f"{self.http.method} {self.http.path}"

    def original(self) -> object:
        return self.upstream.send(self.upstream.request(self.http))

    def note_live(self, engine: Engine) -> None:
        engine.call_log.live(self.request.endpoint, test_id=engine.current_test_id())

    def describe(self) -> Request:
        self.is_decided_elsewhere = False
        return self.request

    def decide(self, engine: Engine, request: Request) -> Decision:
        return engine.decide(request)

    def hand_over(self, engine: Engine, request: Request, capture: Capture | None = None) -> HandOver:
        if capture is not None:
            capture.decision.sent.note(self.upstream.request(self.http))
        return HandOver(engine, request, capture=capture, is_taken=True)

    def replay(self, engine: Engine, request: Request, decision: Replay) -> Reply:
        is_base64 = request.endpoint == ENCODING_ENDPOINT and self.http.names(*ENCODING)
        reply = recorded_reply(decision.recording, request, is_base64=is_base64, is_paced=self.is_paced)
        if POLL_MARK in self.http.headers:
            again = POLL_AGAIN.encode()
            reply.headers = [*(header for header in reply.headers if header[0].lower() != again), (again, b"0")]
        return reply

    def capture(self, engine: Engine, decision: Record) -> Capture:
        return HttpCapture(engine, decision, self.upstream, self.http.sdk, is_paced=self.is_paced)

    def received(self, capture: Capture, result: object) -> tuple[object, Answer | None]:
        response = cast("httpx.Response", result)
        return response, cast(HttpCapture, capture).of_response(response)
