"""The server: an ASGI application that answers the requests of any program in the session that is open here."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, MutableMapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, cast

import httpx
import openai
import python_multipart  # noqa: F401 - starlette imports it when the first form arrives
from starlette.datastructures import Headers

from ..asgi import attempt_in, given_test_in
from ..engine.given_test import GivenTest, calls_belong_to
from ..errors import RecorderError, UnwritableRecording
from ..sdk.capture import STREAM_ENDS
from ..sdk.context import current_engine, current_test_id
from ..sdk.drivers import adrive
from ..sdk.flow import begin
from .calls import HttpCall
from .paths import Route, route_of
from .replies import CutConnection, Reply, event_of, passed_reply, refusal, with_own_results
from .requests import HttpRequest, UnreadableForm, described
from .upstream import BaseUrls, Upstream

LARGEST_BODY = 100 * 1024 * 1024
_LONGEST_PATH = 64 * 1024
_SLOWEST_BODY_SECONDS = 120.0
_STREAM_END = re.compile(
    rb"^(?:data: ?\[DONE\]|event: ?(?:%b)\r?$)" % "|".join(map(re.escape, sorted(STREAM_ENDS))).encode(), re.MULTILINE
)
_SIGNED = "AWS4-"
_BATCHES = "/v1/messages/batches"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Report = Callable[[Exception], None]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_HERE = Reply(200, [(b"content-type", b"text/plain; charset=utf-8")], b"inference_recorder\n")


def _no_report(error: Exception) -> None:
    pass


class _Refused(Exception):
    """A request that is not answered, and with which status."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


class _ClientLeft(Exception):
    pass


class RecordingServer:
    """Answers the requests of OpenAI's and Anthropic's API from recordings, and records, as the open session says.

    A request belongs to the test that X-Inference-Test-Id names, otherwise to that of its path, /t/TEST/v1/…, otherwise
    to `test_id`. With a `token`, a path must have it: /k/TOKEN/…. `is_paced`: recorded streams keep the pauses with
    which they arrived, and replays make them. `report` gets the errors of this package that clients get, each with its
    test id, and those of what could not be stored.
    """

    def __init__(
        self,
        base_urls: BaseUrls = BaseUrls(),  # noqa: B008 - it is immutable
        *,
        test_id: str | None = None,
        token: str = "",
        is_paced: bool = False,
        largest_body: int = LARGEST_BODY,
        report: Callable[..., None] = lambda error, test_id: None,
        test_of: Callable[[GivenTest | None], GivenTest | None] = lambda named: named,
    ) -> None:
        self._test_id, self._token, self._is_paced, self._largest_body = test_id, token, is_paced, largest_body
        self._report, self._test_of = report, test_of
        self._upstream = Upstream(base_urls)

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            return await send({"type": "websocket.close", "code": 1008, "reason": "websockets are not recorded"})
        given = None
        try:
            route, given = self._admitted(scope)
            if scope["method"] in ("GET", "HEAD") and route.path in ("/", "/health"):
                return await _send(_HERE, send, _no_report)
            http = await self._received(route, scope, receive)
            given = self._test_of(given)
        except _ClientLeft:
            return
        except _Refused as error:
            self._report(error, test_id=None if given is None else given.test_id)
            return await _send(refusal(str(error), error.status), send, _no_report)
        except RecorderError as error:
            return await _send(refusal(error), send, _no_report)
        with nullcontext() if given is None else calls_belong_to(given):
            await self._answer(http, send)

    async def close(self) -> None:
        """Close the connections to the servers of the models."""
        await self._upstream.close()

    def _admitted(self, scope: _Scope) -> tuple[Route, GivenTest | None]:
        """Return what a request asks for, and the test that it names; raises _Refused."""
        raw_path = _raw_path(scope)
        headers = Headers(scope=scope)
        if len(raw_path) > _LONGEST_PATH:
            raise _Refused("the path is too long", 414)
        try:
            route = route_of(raw_path)
            given = given_test_in(scope["headers"])
        except ValueError as error:
            raise _Refused(str(error)) from None
        if self._token and not hmac.compare_digest(route.token.encode(), self._token.encode()):
            raise _Refused("the path has to begin with /k/ and the server's token", 403)
        if headers.get("authorization", "").startswith(_SIGNED):
            reason = "it is signed, as for Amazon Bedrock; a signature holds for one host, so it cannot be sent on"
            raise _Refused(f"the request cannot be recorded: {reason}")
        if headers.get("upgrade", "").lower() == "websocket":
            raise _Refused("websockets are not recorded")
        if scope["method"] not in _METHODS:
            raise _Refused(f"no request of these APIs has the method {scope['method'][:20]}", 405)
        test_id = (route.test_id or self._test_id) if given is None else given.test_id
        run = attempt_in(scope["headers"]) or ("" if given else route.run)  # a path's run is that of its test
        return route, GivenTest(test_id, run) if test_id or run else None

    async def _received(self, route: Route, scope: _Scope, receive: _Receive) -> HttpRequest:
        """Return a request with its body; raises _Refused."""
        if not route.path.startswith("/v1/"):
            advice = "base urls end in /v1 (Anthropic's before it), and a test's id in them is percent-encoded"
            raise _Refused(f"nothing is served at {route.path[:200]}; {advice}")
        try:
            content = await asyncio.wait_for(self._body(receive), _SLOWEST_BODY_SECONDS)
        except asyncio.TimeoutError:
            raise _Refused(f"the request did not arrive in {_SLOWEST_BODY_SECONDS:.0f} s", 408) from None
        query, headers = scope["query_string"].decode("latin-1"), Headers(scope=scope)
        base_url = f"{scope['scheme']}://{headers.get('host', '')}{_raw_path(scope).removesuffix(route.path)}"
        return HttpRequest(scope["method"], route.path, query, headers, content, base_url)

    async def _body(self, receive: _Receive) -> bytes:
        parts: list[bytes] = []
        size, is_whole = 0, False
        while not is_whole:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _ClientLeft
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._largest_body:
                raise _Refused(f"the request has more than {self._largest_body:,} bytes", 413)
            is_whole = not message.get("more_body", False)
        return b"".join(parts)

    async def _answer(self, http: HttpRequest, send: _Send) -> None:
        report = partial(self._report, test_id=current_test_id())
        try:
            reply = await self._reply(http, report)
            await _send(reply, send, report)
        except CutConnection:
            # Without an end, which makes uvicorn cut the connection.
            return await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})

    async def _reply(self, http: HttpRequest, report: _Report) -> Reply:
        """Return the answer to a request, which may be an error; raises CutConnection."""
        try:
            return await self._answered(http)
        except CutConnection:
            raise
        except UnwritableRecording as error:
            report(error)
            return passed_reply(error.response) if isinstance(error.response, httpx.Response) else refusal(error)
        except RecorderError as error:
            report(error)
            return refusal(error)
        except UnreadableForm as error:
            report(error)
            return refusal(error, 400)
        except openai.APIConnectionError as error:
            status = 504 if isinstance(error, openai.APITimeoutError) else 502
            reason = str(error.__cause__ or "") or error
            return refusal(f"no answer from {error.request.url.host}: {reason}", status, may_retry=True)
        except Exception as error:
            report(error)
            return refusal(f"{type(error).__name__}: {error}", 500)

    async def _answered(self, http: HttpRequest) -> Reply:
        """Return the answer; raises RecorderError, UnreadableForm, CutConnection or openai.APIConnectionError."""
        engine = current_engine()
        if engine is None:
            return refusal("no session is open here; the test that this request belongs to has ended")
        request = await described(http, self._upstream.base_urls.of(http.sdk))
        call = HttpCall.of(http, request, engine, self._upstream, is_paced=self._is_paced)
        answer = await adrive(begin, call)
        reply = answer if isinstance(answer, Reply) else passed_reply(cast(httpx.Response, answer))
        return with_own_results(reply, http.base_url) if http.path.startswith(_BATCHES) else reply


def _raw_path(scope: _Scope) -> str:
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw_path.partition(b"?")[0].decode("latin-1")


async def _send(reply: Reply, send: _Send, report: _Report) -> None:
    """Send an answer; raises CutConnection where a recorded stream broke, before anything is sent."""
    if isinstance(reply.body, bytes):
        headers = [*reply.headers, (b"content-length", str(len(reply.body)).encode())]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        return await send({"type": "http.response.body", "body": reply.body})
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    parts = _relayed(reply.body, report) if isinstance(reply.body, AsyncIterable) else _paced(reply.body, reply.pauses)
    try:
        async for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    except (CutConnection, httpx.TransportError):
        return  # see above
    except RecorderError as error:
        report(error)
        await send({"type": "http.response.body", "body": event_of(error), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _relayed(parts: AsyncIterable[bytes], report: _Report) -> AsyncIterator[bytes]:
    """Yield a stream as it arrives; its end when all of it is stored, since the client leaves then."""
    held = b""
    try:
        async for part in parts:
            held += part
            if _STREAM_END.search(held) is None:
                yield held
                held = b""
    except UnwritableRecording as error:  # the client has been answered all the same
        report(error)
    if held:
        yield held


async def _paced(parts: Iterable[bytes], pauses: Sequence[float]) -> AsyncIterator[bytes]:
    for position, part in enumerate(parts):
        if position < len(pauses):
            await asyncio.sleep(pauses[position])
        yield part
