"""No credential of any SDK is in a file, a repr or an error, however its client comes by it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from inference_recorder import MissingRecording, inference_recording

from ...conftest import Colour
from ...support.differences import differences, stable
from ...support.family import FamilyColour
from ...support.openai_server import OpenAIServer
from ...support.secret_table import made
from .calls import CHAT, INSTALLED, Call

pytestmark = pytest.mark.slow

OTHER = made(44, "another credential")
"""One without a known shape: only where it comes from tells that it is secret."""


def by_argument(monkeypatch: pytest.MonkeyPatch, sdk: FamilyColour) -> tuple[str, dict[str, Any]]:
    return sdk.sdk.key, {"api_key": sdk.sdk.key}


def by_environment(monkeypatch: pytest.MonkeyPatch, sdk: FamilyColour) -> tuple[str, dict[str, Any]]:
    monkeypatch.setenv(sdk.sdk.row.variable, OTHER)
    return OTHER, {"api_key": None}


def by_header(monkeypatch: pytest.MonkeyPatch, sdk: FamilyColour) -> tuple[str, dict[str, Any]]:
    return OTHER, {"default_headers": {"Authorization": f"Bearer {OTHER}"}}


def by_auth_token(monkeypatch: pytest.MonkeyPatch, sdk: FamilyColour) -> tuple[str, dict[str, Any]]:
    if sdk.distribution != "anthropic":
        pytest.skip("anthropic's only")
    return OTHER, {"api_key": None, "auth_token": OTHER}


def by_provider_data(monkeypatch: pytest.MonkeyPatch, sdk: FamilyColour) -> tuple[str, dict[str, Any]]:
    if "provider_data" not in inspect.signature(type(sdk.client)).parameters:
        pytest.skip(f"{sdk.distribution} {sdk.version} sends no keys of providers")
    return OTHER, {"provider_data": {"fireworks_api_key": OTHER}}


SENT: list[Callable[..., Any]] = [by_argument, by_environment, by_header, by_auth_token, by_provider_data]


def repeat(server: OpenAIServer, value: str) -> None:
    """Have the server say what it was sent, in its answers, chunks, errors and headers."""
    usual = server.elsewhere

    def answer(request: Any, number: int) -> Any:
        assert value in f"{request.headers}"
        reply = usual(request, number)
        reply.headers |= {"x-echo": value, "request-id": f"req_{value}"}
        if reply.events is not None:
            reply.events = [_saying(value, event) for event in reply.events]
        elif reply.json:
            reply.json = _saying(value, reply.json)
        return reply

    server.elsewhere = answer


def _saying(value: str, answer: Any) -> Any:
    """Return an answer whose texts say the value."""
    if isinstance(answer, dict):
        return {
            name: f"It is {value}." if name in ("text", "content", "message") and member and isinstance(member, str)
            else _saying(value, member)
            for name, member in answer.items()
        }  # fmt: skip
    return [_saying(value, item) for item in answer] if isinstance(answer, list) else answer


def outcome(sdk: Colour, call: Call) -> Any:
    """Return the answer or chunks of a call, or its error."""
    assert isinstance(sdk, FamilyColour)
    try:
        answer = sdk.call(call.method, **call.kwargs)
        return sdk.items(answer) if call.kwargs.get("stream") else answer
    except sdk.sdk.imported().APIStatusError as error:
        return error


@pytest.mark.parametrize("sdk_name", INSTALLED)
@pytest.mark.parametrize("sent", SENT, ids=lambda sent: sent.__name__)
def test_what_was_sent_is_nowhere(
    sent: Callable[..., Any],
    sdk_name: str,
    sdk: FamilyColour,
    server: OpenAIServer,
    recordings: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A 401 repeats the key it was sent, and so does a model that knows its request's headers."""
    value, options = sent(monkeypatch, sdk)
    caller = copy(sdk)
    caller.client = type(sdk.client)(base_url=sdk.client.base_url, **sdk.sdk.options(is_async=sdk.is_async) | options)
    if sent is by_environment and caller.client.api_key is None:
        pytest.skip(f"{sdk.distribution} {sdk.version} takes no key from its environment")
    call = CHAT[sdk_name]
    calls = (call, call.streamed(), call.with_model("failing-401"))
    repeat(server, value)
    with inference_recording("record", recordings, record_errors=True) as session:
        live = [outcome(caller, one) for one in calls]
    server.received.clear()
    with inference_recording("replay", recordings) as replaying:
        replayed = [outcome(caller, one) for one in calls]
        with pytest.raises(MissingRecording) as caught:
            outcome(caller, call.with_model("another"))
    sdk.wait(caller.client.close())

    for answer in live:
        assert value in f"{answer} {getattr(answer, 'body', '')}"  # the caller gets the server's own text
    assert 0 == server.count
    assert list(map(type, live)) == list(map(type, replayed))
    assert {"recorded": 3} == session.counts
    files = [path for path in recordings.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert value.encode() not in path.read_bytes()
        assert value not in path.name
    for shown in (session, replaying, caught.value, *session.recorded, *session.requests):
        assert value not in f"{shown!r}{shown}"


@pytest.mark.parametrize("sdk_name", INSTALLED)
def test_a_recording_of_one_key_answers_another(
    sdk_name: str, sdk: FamilyColour, server: OpenAIServer, recordings: Path
) -> None:
    """Keys are rotated, and a colleague has another one, or none."""
    caller = copy(sdk)
    options = sdk.sdk.options(is_async=sdk.is_async) | {"api_key": OTHER}
    caller.client = type(sdk.client)(base_url=sdk.client.base_url, **options)
    call = CHAT[sdk_name]
    with inference_recording("record", recordings):
        recorded = outcome(sdk, call)
    server.received.clear()
    with inference_recording("replay", recordings):
        replayed = outcome(caller, call)
    sdk.wait(caller.client.close())

    assert 0 == server.count
    assert [] == differences(stable(recorded), stable(replayed))
