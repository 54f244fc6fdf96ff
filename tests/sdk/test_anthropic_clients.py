"""What only clients of anthropic have: middleware that sees failures, and arguments that are sent as headers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference_recorder import inference_recording

from ..support.anthropic_replies import anthropic_error, anthropic_reply
from ..support.family import FAMILY, AsyncFamilyColour, FamilyColour
from ..support.openai_server import OpenAIServer, ReceivedRequest, Reply

pytestmark = pytest.mark.slow

ASKED: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


def _middleware(is_async: bool) -> Any:
    def passing_on(request: Any, call_next: Any) -> Any:
        return call_next(request)

    async def passing_on_later(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    return passing_on_later if is_async else passing_on


@pytest.fixture(params=[FamilyColour, AsyncFamilyColour], ids=["sync", "async"])
def anthropic(request: pytest.FixtureRequest, server: OpenAIServer) -> Iterator[FamilyColour]:
    """A client with middleware that retries once, where this version of anthropic has middleware."""
    if int(FAMILY["anthropic"].version.partition(".")[0] or 0) < 2:
        pytest.skip("this version has no middleware, or is not installed")
    is_async = request.param is AsyncFamilyColour
    client = request.param(FAMILY["anthropic"], server, middleware=[_middleware(is_async)], max_retries=1)
    yield client
    client.close()


def test_a_failure_that_middleware_has_seen_replays_as_a_failure(
    anthropic: FamilyColour, server: OpenAIServer, recordings: Path
) -> None:
    """A replay that returns a message made of the error's body hides every failure from the code under test."""
    server.answers("/v1/messages", anthropic_error(404, "not_found_error"))
    not_found = FAMILY["anthropic"].imported().NotFoundError
    for mode in ("record", "replay"):
        with inference_recording(mode, recordings), pytest.raises(not_found) as caught:
            anthropic.call("messages.create", **ASKED)
        assert caught.value.response.json()["error"]["type"] == "not_found_error"
    assert 1 == server.count


def test_the_last_of_several_attempts_is_recorded_with_middleware(
    anthropic: FamilyColour, server: OpenAIServer, recordings: Path
) -> None:
    """The SDK tries an overloaded server again, and the caller gets only the answer of the last attempt."""

    def overloaded_first(request: ReceivedRequest, number: int) -> Reply:
        return anthropic_reply(request, number) if number else anthropic_error(529, "overloaded_error")

    server.scripts["/v1/messages"] = overloaded_first
    with inference_recording("record", recordings):
        recorded = anthropic.call("messages.create", **ASKED)
    with inference_recording("replay", recordings):
        assert recorded == anthropic.call("messages.create", **ASKED)
    assert 2 == server.count


def test_an_overloaded_server_is_not_recorded_with_middleware(
    anthropic: FamilyColour, server: OpenAIServer, recordings: Path
) -> None:
    """What the next run may not meet replaces nothing, also where middleware has seen it."""
    server.answers("/v1/messages", anthropic_error(529, "overloaded_error"))
    with inference_recording("record", recordings) as session, pytest.raises(FAMILY["anthropic"].imported().APIError):
        anthropic.call("messages.create", **ASKED)
    assert (0, 1) == (len(session.recorded), len(session.dropped))


@pytest.mark.parametrize("name", ["anthropic-beta", "anthropic-user-profile-id", "anthropic-workspace-id"])
def test_arguments_that_are_sent_as_headers_are_part_of_the_key(
    anthropic: FamilyColour, server: OpenAIServer, recordings: Path, name: str
) -> None:
    """For another profile or workspace the same body has another answer."""
    names = {"one-2026": "first", "other-2026": "second"}

    def naming(request: ReceivedRequest, number: int) -> Reply:
        reply = anthropic_reply(request, number)
        return Reply({**reply.json, "stop_sequence": names[request.headers[name]]})  # the id itself may be redacted

    server.scripts["/v1/messages"] = naming
    with inference_recording("record", recordings):
        for value in names:
            anthropic.call("messages.create", **ASKED, extra_headers={name: value})
    with inference_recording("replay", recordings):
        for value, answer in reversed(names.items()):
            assert answer == anthropic.call("messages.create", **ASKED, extra_headers={name: value}).stop_sequence
    recorded = "".join(path.read_text() for path in recordings.glob("*.json"))
    assert ("workspace" not in name) == ("one-2026" in recorded), "a workspace says whose account it is"
    assert "__REDACTED__" not in recorded, "its key cannot be computed from the file"
