"""Clients of other kinds: without a key, of a cloud platform, and one that sends a request when it is made."""

from __future__ import annotations

import base64
import inspect
import json
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from copy import copy
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from inference_recorder import MissingRecording, inference_recording
from inference_recorder.packages import SDKS

from ...conftest import Colour
from ...support.anthropic_replies import anthropic_reply, message, message_events
from ...support.differences import differences
from ...support.family import FamilyColour
from ...support.openai_server import OpenAIServer, ReceivedRequest, Reply, error
from ...support.secret_table import made
from ..ways.watching import Way, check, described, stable
from .calls import CHAT, INSTALLED, MESSAGE
from .test_matrix import own_options

pytestmark = pytest.mark.slow

TOKEN = made(44, "a token of a platform")


@pytest.mark.parametrize("sdk_name", INSTALLED)
def test_a_client_made_in_replay_needs_no_key(
    sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A fresh checkout in continuous integration has none."""
    assert isinstance(sdk, FamilyColour)
    call = CHAT[sdk_name]
    options = sdk.sdk.options(is_async=sdk.is_async) | {"api_key": None, "base_url": sdk.client.base_url}
    with inference_recording("record", recordings):
        recorded = sdk.call(call.method, **call.kwargs)
    server.received.clear()
    with inference_recording("replay", recordings) as session:
        client = type(sdk.client)(**options)
        replayed = sdk.wait(attrgetter(call.method)(client)(**call.kwargs))
    sdk.wait(client.close())

    assert 0 == server.count
    assert {"replayed": 1} == session.counts
    assert [] == differences(stable(recorded), stable(replayed))


@pytest.mark.parametrize("sdk_name", ["cerebras-cloud-sdk"])
def test_a_client_that_sends_a_request_when_it_is_made_sends_none_in_replay(
    sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """cerebras opens its connection in advance; the program has not called anything yet."""
    assert isinstance(sdk, FamilyColour)
    if "warm_tcp_connection" not in inspect.signature(type(sdk.client)).parameters:
        pytest.skip(f"{sdk_name} {sdk.version} sends none")
    options = {"base_url": sdk.client.base_url, "api_key": sdk.sdk.key, "max_retries": 0}

    def use() -> Any:
        client = type(sdk.client)(**options)
        answer = sdk.wait(client.chat.completions.create(**CHAT[sdk_name].kwargs))
        sdk.wait(client.close())
        return answer

    with inference_recording("record", recordings) as recording:
        recorded = use()
    server.received.clear()
    with inference_recording("replay", recordings) as replaying:
        replayed = use()

    assert 0 == server.count
    assert [] == differences(stable(recorded), stable(replayed))
    assert {"recorded": 1} == recording.counts
    assert {"replayed": 1} == replaying.counts


def on_vertex(sdk: FamilyColour, root: str) -> Any:
    kind = getattr(sdk.sdk.imported(), "AsyncAnthropicVertex" if sdk.is_async else "AnthropicVertex")
    return kind(region="us-east5", project_id="our-project", access_token=TOKEN, base_url=f"{root}/v1", max_retries=0)


def on_bedrock(sdk: FamilyColour, root: str) -> Any:
    kind = getattr(sdk.sdk.imported(), "AsyncAnthropicBedrock" if sdk.is_async else "AnthropicBedrock")
    if "api_key" not in inspect.signature(kind).parameters:
        pytest.skip(f"anthropic {sdk.version} signs what it sends to Bedrock, which takes botocore")
    return kind(aws_region="us-east-1", api_key=TOKEN, base_url=root, max_retries=0)


def on_foundry(sdk: FamilyColour, root: str) -> Any:
    kind = getattr(sdk.sdk.imported(), "AsyncAnthropicFoundry" if sdk.is_async else "AnthropicFoundry", None)
    if kind is None:
        pytest.skip(f"anthropic {sdk.version} has no Foundry")
    return kind(api_key=TOKEN, base_url=f"{root}/anthropic", max_retries=0)


@pytest.mark.parametrize("sdk_name", ["anthropic"])
@pytest.mark.parametrize("make", [on_vertex, on_bedrock, on_foundry], ids=lambda make: make.__name__)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_client_of_a_platform_replays(
    streamed: bool, make: Callable[..., Any], sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """They differ in where and how a request is sent, which is below what is recorded."""
    assert isinstance(sdk, FamilyColour)
    if streamed and make is on_bedrock:
        pytest.importorskip("botocore", reason="decodes Bedrock's streams")
    caller = copy(sdk)
    caller.client = make(sdk, server.base_url.removesuffix("/v1"))
    server.elsewhere = platform_reply

    def use(sdk: Colour) -> Any:
        answer = sdk.call("messages.create", **MESSAGE, stream=streamed)
        return sdk.items(answer) if streamed else answer

    check(Way(use), caller, server, recordings)
    sdk.wait(caller.client.close())

    files = [path.read_bytes() for path in recordings.rglob("*.json")]
    assert 1 == len(files)
    assert TOKEN.encode() not in files[0]


def platform_reply(request: ReceivedRequest, number: int) -> Reply:
    """Answer as Vertex, Bedrock or Foundry do."""
    assert TOKEN in f"{request.headers}"
    if request.path.endswith("/v1/messages"):
        request.path = "/v1/messages"
        return anthropic_reply(request, number)
    whole = message(f"Through {request.path.rpartition('/')[2]}")
    if request.path.endswith("/invoke-with-response-stream"):
        content = b"".join(map(aws_event, message_events(whole)))
        return Reply(content=content, media_type="application/vnd.amazon.eventstream")
    return Reply(events=message_events(whole), is_done_sent=False) if request.json.get("stream") else Reply(whole)


def aws_event(event: Any) -> bytes:
    """Return an event of AWS's event streams, as Bedrock sends them."""
    payload = json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode()}).encode()
    names = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(_aws_header(name.encode(), value.encode()) for name, value in names.items())
    start = struct.pack(">II", len(headers) + len(payload) + 16, len(headers))
    whole = start + struct.pack(">I", zlib.crc32(start)) + headers + payload
    return whole + struct.pack(">I", zlib.crc32(whole))


def _aws_header(name: bytes, value: bytes) -> bytes:
    return struct.pack(">B", len(name)) + name + struct.pack(">BH", 7, len(value)) + value


@pytest.mark.parametrize("sdk_name", INSTALLED)
def test_two_sdks_in_one_session_have_recordings_of_their_own(
    sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """An equal question to another SDK gets an answer of that SDK's own types."""
    import openai

    call, ours = CHAT["groq"], CHAT[sdk_name].streamed()

    def use(sdk: Colour) -> Any:
        with openai.OpenAI(base_url=server.base_url, api_key="sk-test", max_retries=0) as client:
            theirs = client.chat.completions.create(**call.kwargs)
        return [theirs, sdk.items(sdk.call(ours.method, **ours.kwargs))]

    check(Way(use, requests=2), sdk, server, recordings)


@pytest.mark.parametrize("sdk_name", INSTALLED)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_call_that_the_sdk_retries_is_one_recording(
    streamed: bool, sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Failed attempts are not recorded as answers, and a replay has nothing to retry."""
    call, usual = CHAT[sdk_name], server.elsewhere
    call = call.streamed() if streamed else call

    def failing_at_first(request: ReceivedRequest, number: int) -> Reply:
        return error(503, retry_after_ms="1") if not number else usual(request, number)

    def use() -> Any:
        server.received.clear()
        client = sdk.client.with_options(max_retries=2, **own_options(sdk))
        answer = sdk.wait(attrgetter(call.method)(client)(**call.kwargs))
        return sdk.items(answer) if streamed else answer

    server.elsewhere = failing_at_first
    with inference_recording("record", recordings) as recording:
        recorded = use()
    assert 2 == server.count
    with inference_recording("replay", recordings) as replaying:
        replayed = use()

    assert 0 == server.count
    assert {"recorded": 1} == recording.counts
    assert {"replayed": 1} == replaying.counts
    assert [] == differences(stable(recorded), stable(replayed))


@pytest.mark.parametrize("sdk_name", INSTALLED)
def test_a_client_that_validates_strictly_replays(
    sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Such a client refuses an answer that lacks a field, and must not in replay if it did not live."""
    assert isinstance(sdk, FamilyColour)
    call, caller = CHAT[sdk_name], copy(sdk)
    options = sdk.sdk.options(is_async=sdk.is_async) | {"_strict_response_validation": True}
    caller.client = type(sdk.client)(base_url=sdk.client.base_url, **options)

    def use(sdk: Colour) -> Any:
        found: list[Any] = []
        for one in (call, call.streamed()):
            try:
                answer = sdk.call(one.method, **one.kwargs)
                found.append(sdk.items(answer) if one.kwargs.get("stream") else answer)
            except Exception as refused:
                found.append(described(refused))
        return found

    check(Way(use, requests=2), caller, server, recordings)
    sdk.wait(caller.client.close())


@pytest.mark.parametrize("sdk_name", ["anthropic"])
def test_a_client_with_middleware_replays(sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Middleware sees each attempt to send; what it passes on is what is recorded."""
    if "middleware" not in inspect.signature(type(sdk.client)).parameters:
        pytest.skip(f"anthropic {sdk.version} has none")
    attempts: list[str] = []

    def note(request: Any, call_next: Any) -> Any:
        attempts.append("sync")
        return call_next(request)

    async def note_async(request: Any, call_next: Any) -> Any:
        attempts.append("async")
        return await call_next(request)

    caller = copy(sdk)
    caller.client = sdk.client.with_options(middleware=[note_async if sdk.is_async else note])

    def use(sdk: Colour) -> Any:
        stream = sdk.call("messages.create", **MESSAGE, stream=True)
        raw = sdk.call("messages.with_raw_response.create", **MESSAGE)
        return [sdk.items(stream), sdk.call("messages.create", **MESSAGE), sdk.wait(raw.parse())]

    check(Way(use, requests=3), caller, server, recordings)

    assert 6 == len(attempts)


@pytest.mark.parametrize("sdk_name", ["anthropic"])
def test_the_warning_for_a_model_that_ends_comes_in_replay_too(
    sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A suite that turns warnings into errors would otherwise pass until the day it records again."""
    asked = MESSAGE | {"model": max(import_module(type(sdk.client.messages).__module__).DEPRECATED_MODELS)}

    def use(sdk: Colour) -> Any:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            answer = sdk.call("messages.create", **asked)
        return [answer, [str(warning.message) for warning in caught]]

    assert 1 <= len(check(Way(use), sdk, server, recordings)[1])


@pytest.mark.parametrize("sdk_name", ["anthropic"])
def test_headers_that_change_the_answer_belong_to_the_request(
    sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Betas and profiles do, whether an argument, a call's header or the client's header names them."""

    def client(**headers: Any) -> Any:
        return sdk.client.with_options(default_headers=headers)

    def ask(client: Any, **options: Any) -> None:
        sdk.wait(client.messages.create(**MESSAGE, **options))

    def ask_in_each_way() -> None:
        ask(sdk.client)
        sdk.call("beta.messages.create", **MESSAGE, betas=["a"])
        ask(sdk.client, extra_headers={"Anthropic-Beta": "b"})
        ask(client(**{"anthropic-beta": "c"}))
        ask(client(**{"anthropic-beta": "c"}), extra_headers={"anthropic-beta": "d"})
        ask(client(**{"anthropic-user-profile-id": "f"}))
        ask(client(**{"anthropic-user-profile-id": "f"}), extra_headers={"anthropic-user-profile-id": "g"})

    with inference_recording("record", recordings):
        ask_in_each_way()
    server.received.clear()
    with inference_recording("replay", recordings) as session:
        with pytest.raises(MissingRecording):
            ask(client(**{"anthropic-beta": "e"}))
        with pytest.raises(MissingRecording):
            ask(sdk.client, extra_headers={"anthropic-beta": "e"})
        with pytest.raises(MissingRecording):
            ask(client(**{"anthropic-user-profile-id": "e"}))
        ask_in_each_way()

    assert 0 == server.count
    assert {"missed": 3, "replayed": 7} == session.counts


@pytest.mark.parametrize("sdk_name", INSTALLED)
def test_no_other_sdk_is_imported(sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """A program that uses one SDK need not have, or wait for, any other."""
    assert isinstance(sdk, FamilyColour)
    if sdk.is_async:
        pytest.skip("it is as the sync one")
    call, module = CHAT[sdk_name], sdk.sdk.row.package
    ask = f"""
        import sys, {module}
        from inference_recorder import MissingRecording, inference_recording
        transport = {module}.DefaultHttpxClient()  # the one that an old SDK makes needs an old httpx
        url = {str(sdk.client.base_url)!r}
        client = {module}.{sdk.sdk.row.client}(api_key="x", base_url=url, http_client=transport)
        for mode in "record", "replay":
            with inference_recording(mode, {str(recordings)!r}):
                client.{call.method}(**{call.kwargs!r})
        with inference_recording("replay", {str(recordings / "none")!r}):
            try:
                client.{call.method}(**{call.kwargs!r})
            except MissingRecording:
                print(sorted({{*{[each.package for each in SDKS]!r}}} & {{*sys.modules}}))
    """
    ran = subprocess.run([sys.executable, "-c", dedent(ask)], capture_output=True, text=True, check=True)

    assert f"{[module]}\n" == ran.stdout
