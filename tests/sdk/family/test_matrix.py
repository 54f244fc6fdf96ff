"""Live = recorded = replayed: each SDK, each kind of call, each way of making it and of reading what it gives."""

from __future__ import annotations

import inspect
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from inference_recorder import inference_recording

from ...conftest import Colour
from ...support.differences import differences
from ...support.family import FAMILY, FamilyColour
from ...support.openai_server import OpenAIServer
from ..ways.reading import SEEN_OF_A_RESPONSE, STREAMED, head_of, managed_response, raw_name, unwrapped
from ..ways.watching import Use, Way, check, entered, stable
from .calls import CHAT, INSTALLED, STREAMS, VALUES, Call

EACH_VALUE = [pytest.param(sdk, name, id=f"{sdk}, {name}") for sdk in INSTALLED for name in VALUES[sdk]]
EACH_STREAM = [pytest.param(sdk, name, id=f"{sdk}, {name}") for sdk in INSTALLED for name in STREAMS[sdk]]
HAS_NO_TEXT = ("speech", "file content")
slow = pytest.mark.slow


def contents(sdk: Colour, result: Any) -> Any:
    """Return all that a result holds: each item of all pages, each chunk, each byte."""
    if hasattr(result, "iter_pages"):
        return [type(result), *(stable(item) for item in sdk.items(result))]
    return unwrapped(sdk, result)


def plain(call: Call) -> Use:
    return lambda sdk: contents(sdk, sdk.call(call.method, *call.args, **call.kwargs))


def raw(call: Call) -> Use:
    def use(sdk: Colour) -> Any:
        response = sdk.call(raw_name(call.method), *call.args, **call.kwargs)
        return [type(response), head_of(response), stable(contents(sdk, sdk.wait(response.parse())))]

    return use


def streaming_response(call: Call, *without: str) -> Use:
    """Return the way that makes the call once for each part of its response, and reads that part."""

    def use(sdk: Colour) -> Any:
        found = {}
        for part, read in SEEN_OF_A_RESPONSE.items():
            if part not in without:
                with entered(sdk, managed_response(sdk, call.method)(*call.args, **call.kwargs)) as response:
                    found[part] = [type(response), head_of(response), stable(contents(sdk, read(sdk, response)))]
        return found

    return use


def bound_before(sdk: Colour, call: Call) -> Use:
    """Return the way that uses a method which was taken from the client before the session."""
    method = attrgetter(call.method)(sdk.client)
    return lambda sdk: sdk.wait(method(*call.args, **call.kwargs))


def with_options(call: Call, **options: Any) -> Use:
    def use(sdk: Colour) -> Any:
        client = sdk.client.with_options(**options, **own_options(sdk))
        return sdk.wait(attrgetter(call.method)(client)(*call.args, **call.kwargs))

    return use


def own_options(sdk: Colour) -> dict[str, Any]:
    """Return what a copy of a cerebras client needs: it sends a request when it is made otherwise."""
    is_warming = "warm_tcp_connection" in inspect.signature(type(sdk.client)).parameters
    return {"warm_tcp_connection": False} if is_warming else {}


def posted(call: Call, path: str, *, streamed: bool = False) -> Use:
    def use(sdk: Colour) -> Any:
        assert isinstance(sdk, FamilyColour)
        if not streamed:
            return sdk.call("post", path, cast_to=object, body=call.kwargs)
        kind = getattr(sdk.sdk.imported(), "AsyncStream" if sdk.is_async else "Stream")
        body = call.streamed().kwargs
        return sdk.items(sdk.call("post", path, cast_to=object, body=body, stream=True, stream_cls=kind[object]))

    return use


@pytest.mark.parametrize("sdk_name", FAMILY)
@pytest.mark.parametrize("sdk", [False, pytest.param(True, marks=slow)], ids=["sync", "async"], indirect=True)
def test_a_call_and_a_stream_of_each_sdk_replay(
    sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The cheapest case of each, for the quick suite; all others are slow."""
    call = CHAT[sdk_name]

    def use(sdk: Colour) -> Any:
        return [plain(call)(sdk), plain(call.streamed())(sdk)]

    check(Way(use, requests=2), sdk, server, recordings)


@slow
@pytest.mark.parametrize(("sdk_name", "name"), EACH_VALUE)
def test_a_value_replays(sdk_name: str, name: str, sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Values, pages read to their end, uploads, bytes, lines of JSON: as methods and frameworks return them."""
    call = VALUES[sdk_name][name]

    check(Way(lambda sdk: [plain(call)(sdk), raw(call)(sdk)], call.method, requests=None), sdk, server, recordings)


@slow
@pytest.mark.parametrize(("sdk_name", "name"), EACH_VALUE)
def test_a_streaming_response_of_a_value_replays(
    sdk_name: str, name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """`with_streaming_response` has the caller read the body, in any of these ways or not at all."""
    call = VALUES[sdk_name][name]
    is_json = name not in (*HAS_NO_TEXT, "results") and "delet" not in name
    without = () if is_json else ("json", "text", "iter_text", "iter_lines", "read and then parse")
    if name == "odd JSON":
        without = ("iter_lines",)  # httpx ends a line at U+2028, which JSON may spell in two ways

    check(Way(streaming_response(call, *without), call.method, requests=None), sdk, server, recordings)


@slow
@pytest.mark.parametrize(("sdk_name", "name"), EACH_STREAM)
def test_a_stream_replays_however_it_is_read(
    sdk_name: str, name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """To its end, by hand, in a block, or left early."""
    call = STREAMS[sdk_name][name]

    def use(sdk: Colour) -> Any:
        return {
            reading: read(sdk, sdk.call(call.method, *call.args, **call.kwargs)) for reading, read in STREAMED.items()
        }

    check(Way(use, call.method, requests=len(STREAMED)), sdk, server, recordings)


@slow
@pytest.mark.parametrize(("sdk_name", "name"), EACH_STREAM)
def test_a_raw_stream_replays(sdk_name: str, name: str, sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Raw and streaming responses give the stream, its lines and its bytes."""
    call = STREAMS[sdk_name][name]

    def use(sdk: Colour) -> Any:
        response = sdk.call(raw_name(call.method), *call.args, **call.kwargs)
        found = [type(response), head_of(response), sdk.items(sdk.wait(response.parse()))]
        return [*found, streaming_response(call, "json", "read and then parse")(sdk)]

    check(Way(use, call.method, requests=None), sdk, server, recordings)


WITH_OPTIONS: dict[str, Any] = {
    "timeout": lambda call: plain(call._replace(kwargs=call.kwargs | {"timeout": 7.5})),
    "extra_headers": lambda call: plain(call._replace(kwargs=call.kwargs | {"extra_headers": {"X-Own": "1"}})),
    "extra_query": lambda call: plain(call._replace(kwargs=call.kwargs | {"extra_query": {"beta": "yes"}})),
    "extra_body": lambda call: plain(call._replace(kwargs=call.kwargs | {"extra_body": {"top_k": 5}})),
    "with_options": lambda call: with_options(call, timeout=7, max_retries=1),
    "default headers": lambda call: with_options(call, default_headers={"X-Own": "1"}),
    "default query": lambda call: with_options(call, default_query={"version": "7"}),
}
PATHS = {"anthropic": "/v1/messages", "groq": "/openai/v1/chat/completions"}


@slow
@pytest.mark.parametrize("sdk_name", INSTALLED)
def test_a_call_with_options_replays(sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Options of a call or of a copied client are common, and are no reason to miss."""

    def use(sdk: Colour) -> Any:
        return {option: way(CHAT[sdk_name])(sdk) for option, way in WITH_OPTIONS.items()}

    check(Way(use, requests=len(WITH_OPTIONS)), sdk, server, recordings)


@slow
@pytest.mark.parametrize("sdk_name", INSTALLED)
def test_a_method_taken_before_the_session_replays(
    sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Frameworks keep bound methods for the life of the program."""
    call = CHAT[sdk_name]

    check(Way(bound_before(sdk, call)), sdk, server, recordings)


@slow
@pytest.mark.parametrize("sdk_name", INSTALLED)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_posted_call_replays(
    streamed: bool, sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """`client.post` reaches what a SDK has no method for."""
    path = PATHS.get(sdk_name, "/v1/chat/completions")
    if "/v1" in str(sdk.client.base_url):
        path = path.removeprefix("/v1")

    check(Way(posted(CHAT[sdk_name], path, streamed=streamed)), sdk, server, recordings)


@slow
@pytest.mark.parametrize("sdk_name", INSTALLED)
@pytest.mark.parametrize("mode", ["record", "record-if-missing"])
def test_calls_that_repeat_replay_in_their_order(
    mode: str, sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Equal requests get their answers in order, whichever SDK asks."""
    call, usual = CHAT[sdk_name], server.elsewhere

    def numbered(request: Any, number: int) -> Any:
        reply = usual(request, number)
        reply.json |= {"system_fingerprint": f"fp_{number}"}
        return reply

    server.elsewhere = numbered

    replayed = check(
        Way(lambda sdk: [plain(call)(sdk) for _ in range(3)], requests=3), sdk, server, recordings, mode=mode
    )
    assert ["fp_0", "fp_1", "fp_2"] == [answer.system_fingerprint for answer in replayed]


@slow
@pytest.mark.parametrize("sdk_name", INSTALLED)
def test_plain_and_raw_calls_serve_each_other(
    sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A framework that goes over to raw calls must not have its users record everything again."""
    call = CHAT[sdk_name]
    for recorded_by, replayed_by in ((plain, raw), (raw, plain)):
        directory = recordings / recorded_by.__name__
        for one in (call, call.streamed()):
            with inference_recording("record", directory):
                recorded = recorded_by(one)(sdk)
            server.received.clear()
            with inference_recording("replay", directory):
                replayed = replayed_by(one)(sdk)

            assert 0 == server.count
            one_of = {plain: lambda seen: seen, raw: lambda seen: seen[2]}
            assert [] == differences(stable(one_of[recorded_by](recorded)), stable(one_of[replayed_by](replayed)))
