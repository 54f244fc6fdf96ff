"""Failures of each SDK replay as its own classes, with all that error handling reads of them."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from inference_recorder import inference_recording

from ...conftest import Colour
from ...support.family import FamilyColour
from ...support.openai_server import OpenAIServer
from ..ways.reading import managed_response, raw_name
from ..ways.watching import Use, Way, check, described, entered
from .calls import CHAT, INSTALLED, Call
from .test_matrix import own_options

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("sdk_name", INSTALLED)]

STATUSES = (400, 401, 403, 404, 409, 413, 422, 429, 500, 503, 529)


def plain(sdk: Colour, call: Call) -> Any:
    return sdk.call(call.method, **call.kwargs)


def streamed(sdk: Colour, call: Call) -> Any:
    return sdk.items(plain(sdk, call.streamed()))


def raw(sdk: Colour, call: Call) -> Any:
    return sdk.wait(sdk.call(raw_name(call.method), **call.kwargs).parse())


def streaming(sdk: Colour, call: Call) -> Any:
    with entered(sdk, managed_response(sdk, call.method)(**call.kwargs)) as response:
        return sdk.wait(response.parse())


def failing(way: Any, call: Call) -> Use:
    def use(sdk: Colour) -> Any:
        assert isinstance(sdk, FamilyColour)
        module = sdk.sdk.imported()
        with pytest.raises(module.APIError) as caught:
            way(sdk, call)
        error = caught.value
        assert isinstance(error, getattr(module, sdk.sdk.row.error))
        seen: list[Any] = [described(error), error.request.method, error.request.url.path]
        if isinstance(error, module.APIStatusError):
            response = error.response
            ids = [getattr(error, name, None) for name in ("request_id", "workspace_id")]
            seen += [response.status_code, response.headers.get("retry-after"), ids]
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                seen.append(response.json())
        return seen

    return use


@pytest.mark.parametrize("way", [plain, streamed, raw, streaming], ids=lambda way: way.__name__)
def test_an_error_status_replays(way: Any, sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Class, message, status, body and request id decide what error handling does."""

    def use(sdk: Colour) -> Any:
        return {status: failing(way, CHAT[sdk_name].with_model(f"failing-{status}"))(sdk) for status in STATUSES}

    replayed = check(Way(use, requests=len(STATUSES)), sdk, server, recordings, record_errors=True)
    assert {status: status for status in STATUSES} == {status: seen[3] for status, seen in replayed.items()}


def test_an_error_amid_a_stream_replays(sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """An overloaded server says so after some chunks, which the caller has seen."""
    call = CHAT[sdk_name].with_model("erring").streamed()
    if sdk_name == "llama-stack-client" and sdk.version < "0.7":
        pytest.skip("takes it for a chunk")

    def use(sdk: Colour) -> Any:
        got: list[Any] = []
        stream = plain(sdk, call)

        def read(sdk: Colour, call: Call) -> None:
            while True:
                got.extend(sdk.take(stream, 1))

        return [failing(read, call)(sdk), got]

    replayed = check(Way(use), sdk, server, recordings, record_errors=True)
    assert replayed[1]


def test_a_connection_that_breaks_in_a_stream_breaks_again(
    sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The HTTP library's own error comes through, after what had arrived."""
    call = CHAT[sdk_name].with_model("breaking").streamed()

    def use(sdk: Colour) -> Any:
        got: list[Any] = []
        stream = plain(sdk, call)
        with pytest.raises(Exception) as caught:  # noqa: PT011 - the class is compared
            while True:
                got.extend(sdk.take(stream, 1))
        assert not isinstance(caught.value, (StopIteration, StopAsyncIteration))
        return [got, type(caught.value), str(caught.value)]

    replayed = check(Way(use), sdk, server, recordings, record_errors=True)
    assert replayed[0]


def test_a_refused_connection_replays(sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """A test of what a program does without its model needs no network either."""

    def use() -> Any:
        assert isinstance(sdk, FamilyColour)
        client = sdk.client.with_options(base_url="http://127.0.0.1:9", **own_options(sdk))
        call = CHAT[sdk_name]
        with pytest.raises(sdk.sdk.imported().APIConnectionError) as caught:
            sdk.wait(attrgetter(call.method)(client)(**call.kwargs))
        return described(caught.value)

    live = use()
    with inference_recording("record", recordings, record_errors=True) as session:
        recorded = use()
    with inference_recording("replay", recordings):
        replayed = use()

    assert {"recorded": 1} == session.counts
    assert live == recorded == replayed


def test_a_timeout_replays(sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """A test of what a program does when its model is slow need not wait again."""
    usual = server.elsewhere

    def slow(request: Any, number: int) -> Any:
        reply = usual(request, number)
        reply.delay_seconds = 0.2
        return reply

    def use(sdk: Colour) -> Any:
        return failing(plain, CHAT[sdk_name]._replace(kwargs=CHAT[sdk_name].kwargs | {"timeout": 0.05}))(sdk)

    server.elsewhere = slow
    check(Way(use), sdk, server, recordings, record_errors=True)


@pytest.mark.parametrize("name", ["no arguments", "an unknown keyword"])
def test_a_call_that_the_sdk_refuses_is_refused_in_replay(
    name: str, sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A typing mistake must not look like something to record."""
    call = CHAT[sdk_name]
    arguments = {} if name == "no arguments" else call.kwargs | {"mesages": []}

    def refusal() -> Any:
        with pytest.raises(TypeError) as caught:
            sdk.call(call.method, **arguments)
        return str(caught.value)

    live = refusal()
    with inference_recording("replay", recordings) as session:
        replayed = refusal()

    assert live == replayed
    assert {} == session.counts
    assert 0 == server.count
