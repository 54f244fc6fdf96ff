"""Test ids over HTTP: what a client sends, what a server reads, and whose calls are whose."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import copy_context
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest

from inference_recorder import current_test_id, inference_recording, llama_stack, test_id_context
from inference_recorder.asgi import (
    ATTEMPT_HEADER,
    LONGEST_ID,
    TEST_ID_HEADER,
    TestIdMiddleware,
    async_event_hooks,
    default_headers,
    event_hooks,
)

OTHER = "tests/test_a.py::test_b[x]"
Messages = list[MutableMapping[str, Any]]


def served(kind: str, *headers: tuple[str, str | bytes]) -> tuple[list[str | None], Messages]:
    """Return the test ids that an application saw in one request, and what was sent."""
    seen: list[str | None] = []
    sent: Messages = []

    async def app(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        seen.append(current_test_id())

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": kind}
    if kind != "lifespan":
        pairs = [(name, value if isinstance(value, bytes) else value.encode()) for name, value in headers]
        scope["headers"] = [(name.lower().encode(), value) for name, value in pairs]
    asyncio.run(TestIdMiddleware(app)(scope, receive, send))
    return seen, sent


@pytest.fixture
def running(request: pytest.FixtureRequest) -> str:
    """The id of the test that runs."""
    return str(request.node.nodeid)


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "headers",
    [
        [(TEST_ID_HEADER, OTHER)],
        [(TEST_ID_HEADER, "tests%2Ftest_a.py::test_b%5Bx%5D")],
        [("X-LlamaStack-Provider-Data", json.dumps({"__test_id": OTHER, "openai_api_key": "sk-secret"}))],
        [("X-OGX-Provider-Data", json.dumps({"__test_id": OTHER}))],
        [(TEST_ID_HEADER, OTHER), ("X-OGX-Provider-Data", json.dumps({"__test_id": "another"}))],
    ],
)
def test_a_request_belongs_to_the_test_that_its_headers_name(kind: str, headers: list[tuple[str, str]]) -> None:
    """Ours, or llama-stack's, whose clients send it already."""
    assert ([OTHER], []) == served(kind, *headers)


@pytest.mark.parametrize("data", ["", "[", "[" * 50_000, '"text"', "null", "{}", '{"__test_id": 7}', b"\xff"])
def test_a_request_that_names_no_test_is_left_alone(data: str | bytes, running: str) -> None:
    """Other provider data are llama-stack's own business, and what the server does with them is too."""
    assert ([running], []) == served("http", ("X-OGX-Provider-Data", data))
    assert ([running], []) == served("lifespan")


BAD = {
    "empty": [(TEST_ID_HEADER, "")],
    "long": [(TEST_ID_HEADER, "x" * (LONGEST_ID + 1))],
    "a line break": [(TEST_ID_HEADER, "tests/test_a.py%0A::test_b")],
    "an escape": [("X-OGX-Provider-Data", json.dumps({"__test_id": "\x1b[2J"}))],
    "two": [(TEST_ID_HEADER, "a"), (TEST_ID_HEADER, "b")],
    "two in provider data": [
        (f"X-{name}-Provider-Data", f'{{"__test_id": "{name}"}}') for name in ("OGX", "LlamaStack")
    ],
}


@pytest.mark.parametrize("headers", BAD.values(), ids=BAD)
def test_an_invalid_id_is_refused(headers: list[tuple[str, str]]) -> None:
    """Recorded under another test, its calls would be found by nobody."""
    seen, [start, body] = served("http", *headers)
    _, [close] = served("websocket", *headers)

    assert ([], 400, "websocket.close", 1008) == (seen, start["status"], close["type"], close["code"])
    assert body["body"].decode().startswith("inference_recorder: the request")


@pytest.mark.parametrize(
    "test_id", [OTHER, 'tests/test_ä.py::test_ü[% %20 \\ " ,;~]', "test_it[ ]", f"{'x' * LONGEST_ID}"]
)
def test_what_a_client_sends_is_what_a_server_reads(test_id: str) -> None:
    """Whatever letters a parameter has: a header takes ASCII only."""
    with test_id_context(test_id):
        headers = default_headers()

    assert ([test_id], []) == served("http", *headers.items())


def test_the_header_shows_no_secret() -> None:
    """A parameter may be one, and headers are logged."""
    secret = f"sk-proj-{'a1B2' * 10}"
    with test_id_context(f"test_it[{secret}]"):
        assert secret not in str(default_headers())
        assert "test_it[__REDACTED__]" == current_test_id()


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_event_hooks_name_the_test_of_each_request(library: Any, running: str) -> None:
    """One client may serve a whole run; a header that was set by hand stays."""
    sent: list[str] = []

    def answer(request: Any) -> Any:
        sent.append(request.headers[TEST_ID_HEADER])
        assert "" != request.headers[ATTEMPT_HEADER] or "mine" == sent[-1]
        return library.Response(200)

    transport = library.MockTransport(answer)
    with library.Client(transport=transport, event_hooks=event_hooks()) as client:
        client.get("http://127.0.0.1/")
        with test_id_context("one"):
            client.get("http://127.0.0.1/")
        client.get("http://127.0.0.1/", headers={TEST_ID_HEADER: "mine", ATTEMPT_HEADER: ""})
    async with library.AsyncClient(transport=transport, event_hooks=async_event_hooks()) as client:
        with test_id_context("two"):
            await client.get("http://127.0.0.1/")

    assert [running, "one", "mine", "two"] == sent


def test_outside_a_test_nothing_is_sent() -> None:
    """A server then does what it does without the header."""
    with test_id_context(None):
        assert ({}, None) == (default_headers(), current_test_id())
    with inference_recording("replay", scope="shared"):
        assert {} == default_headers()


def test_a_context_ends_where_it_was_entered(running: str) -> None:
    """What is started in it keeps it."""
    with test_id_context("outer"):
        with test_id_context("inner"):
            kept = copy_context()
        assert "outer" == current_test_id()

    assert (running, "inner") == (current_test_id(), kept.run(current_test_id))
    with pytest.raises(TypeError, match="test_id"), test_id_context(7):  # type: ignore[arg-type]
        pass


def test_a_sessions_own_id_precedes_the_given_one(recordings: Path) -> None:
    """Who names a session's test, or shares its calls, means all of them."""
    with test_id_context("given"):
        with inference_recording("replay", recordings) as session:
            assert "given" == current_test_id() == session.engine.current_test_id()
        with inference_recording("replay", recordings, test_id="own"):
            assert "own" == current_test_id()
        with inference_recording("replay", recordings, scope="shared"):
            assert current_test_id() is None


def test_llama_stacks_names_set_and_reset_it(running: str) -> None:
    """Its conftest calls these around each test."""
    token = llama_stack.set_test_context("given")
    inner = llama_stack.set_test_context(None)
    assert (None, running) == (llama_stack.get_test_context(), current_test_id())

    llama_stack.reset_test_context(inner)
    assert "given" == llama_stack.get_test_context() == current_test_id()

    llama_stack.reset_test_context(token)
    assert llama_stack.get_test_context() is None


def test_the_names_are_not_collected_as_tests(pytester: pytest.Pytester) -> None:
    """They begin as tests do, and are imported by tests."""
    pytester.makepyfile(
        """
        from inference_recorder import test_id_context
        from inference_recorder.asgi import TestIdMiddleware

        def test_it():
            pass
        """
    )

    pytester.runpytest_inprocess("-W", "error", "-p", "no:asyncio").assert_outcomes(passed=1)


@pytest.mark.slow
def test_only_a_process_without_pytest_forgets_its_variable() -> None:
    """pytest itself needs it."""
    program = """
import os
from inference_recorder.asgi import TestIdMiddleware
TestIdMiddleware(None)
print("PYTEST_CURRENT_TEST" in os.environ)
"""

    printed = subprocess.check_output([sys.executable, "-c", program], text=True)
    TestIdMiddleware(lambda scope, receive, send: asyncio.sleep(0))

    assert "False" == printed.strip()
    assert "PYTEST_CURRENT_TEST" in os.environ
