"""Test ids over HTTP: `TestIdMiddleware` for a server under test, and what names the running test for a client.

Source of the provider data: JSON of llama-stack's clients, to which its test suite adds "__test_id".
"""

from __future__ import annotations

import json
import os
import string
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from .engine.given_test import GivenTest, calls_belong_to
from .engine.test_run import PYTEST_VARIABLE
from .sdk.context import current_test

TEST_ID_HEADER = "X-Inference-Test-Id"
"""The header that names the test; its id is percent-encoded UTF-8."""
ATTEMPT_HEADER = "X-Inference-Test-Attempt"
"""The header that changes with each run of a test; its calls are then counted from the first answer on."""
LONGEST_ID = 4096
_LONGEST_ATTEMPT = 64
_PROVIDER_DATA = ("x-llamastack-provider-data", "x-ogx-provider-data")
_UNENCODED = string.punctuation.replace("%", "")

_Scope = MutableMapping[str, Any]
_Channel = Callable[..., Awaitable[None]]
"""What receives or sends messages, and an application."""


class TestIdMiddleware:
    """ASGI middleware: the calls that a request causes belong to the test that its headers name.

    That is X-Inference-Test-Id, otherwise `__test_id` in the JSON of X-LlamaStack-Provider-Data or X-OGX-Provider-Data.
    It holds for streamed answers, background tasks, and the tasks that a request starts, however long they run. A
    request that names no test is left alone; one that names two, or an id that is not printable or longer than 4,096
    characters, is refused with status 400, a websocket with code 1008.

    In a process that does not run pytest, it removes PYTEST_CURRENT_TEST from the environment: that names the test
    during which the server was started, and never another one.

    Args:
        app: The ASGI application.
    """

    __test__ = False  # pytest would take it for a class of tests

    def __init__(self, app: _Channel) -> None:
        self._app = app
        if "pytest" not in sys.modules:
            os.environ.pop(PYTEST_VARIABLE, None)

    async def __call__(self, scope: _Scope, receive: _Channel, send: _Channel) -> None:
        try:
            given = given_test_in(scope.get("headers", ()))
        except ValueError as error:
            return await _refuse(scope["type"], str(error), receive, send)
        if given is None:
            return await self._app(scope, receive, send)
        with calls_belong_to(given):
            await self._app(scope, receive, send)


def default_headers() -> dict[str, str]:
    """Return the headers that name the running test, for a client that one test uses.

    Such as `httpx.Client(headers=default_headers())` or `requests.get(url, headers=default_headers())`.

    Returns:
        The headers without secrets; {} outside a test.
    """
    test_id, attempt = current_test()
    encoded = quote(test_id or "", _UNENCODED, errors="backslashreplace")
    return {TEST_ID_HEADER: encoded, ATTEMPT_HEADER: attempt} if encoded else {}


def event_hooks() -> dict[str, list[Callable[[Any], Any]]]:
    """Return the `event_hooks=` for a client of httpx or httpx2, to name the running test in each request."""
    return {"request": [_add_headers]}


def async_event_hooks() -> dict[str, list[Callable[[Any], Any]]]:
    """Return the `event_hooks=` for an async client of httpx or httpx2."""

    async def add_headers(request: Any) -> None:
        _add_headers(request)

    return {"request": [add_headers]}


def _add_headers(request: Any) -> None:
    if TEST_ID_HEADER not in request.headers:
        request.headers.update(default_headers())


def given_test_in(headers: Iterable[tuple[bytes, bytes]]) -> GivenTest | None:
    """Return the test that headers name, None if they name none; raises ValueError for an invalid id."""
    values: dict[str, set[bytes]] = {}
    for name, value in headers:
        values.setdefault(name.decode("latin-1").lower(), set()).add(value)
    ids = {unquote_to_bytes(value).decode(errors="replace") for value in values.get(TEST_ID_HEADER.lower(), ())}
    if not ids:
        ids = {_test_in(value) for name in _PROVIDER_DATA for value in values.get(name, ())} - {""}
    if not ids:
        return None
    test_id, *others = ids
    if others:
        raise ValueError(f"the request names two tests; send one {TEST_ID_HEADER}")
    return GivenTest(checked_id(test_id), attempt_in(headers))


def attempt_in(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the run of a test that headers name, "" if they name none."""
    name = ATTEMPT_HEADER.lower().encode()
    attempt = b"".join({value for header, value in headers if header.lower() == name})
    return attempt[:_LONGEST_ATTEMPT].decode("latin-1")


def checked_id(test_id: str) -> str:
    """Return the test id that a request names; raises ValueError for an invalid one."""
    if not test_id or len(test_id) > LONGEST_ID or not test_id.isprintable():
        raise ValueError(f"the request's test id must be 1 to {LONGEST_ID} printable characters; give the test another")
    return test_id


def _test_in(provider_data: bytes) -> str:
    """Return the test that llama-stack's provider data name, "" for none; the server refuses what it cannot read."""
    try:
        data = json.loads(provider_data)
    except (ValueError, RecursionError):
        return ""
    test_id = data.get("__test_id") if isinstance(data, dict) else ""
    return test_id if isinstance(test_id, str) else ""


async def _refuse(kind: str, reason: str, receive: _Channel, send: _Channel) -> None:
    if kind == "websocket":
        await receive()
        return await send({"type": "websocket.close", "code": 1008, "reason": reason})
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": f"inference_recorder: {reason}\n".encode()})
