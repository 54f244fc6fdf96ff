"""What the guard leaves alone: tools of ordinary suites, and what mock libraries answer."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from inference_recorder import LiveCallBlocked, RecorderError, inference_recording

from ..conftest import HELLO, Colour
from ..support.openai_server import OpenAIServer
from .model_hosts import ASYNC_CLIENT, CALLS, CLIENT, library, resolved_to_loopback

pytestmark = pytest.mark.usefixtures("sessions_are_runs")
TOOLS = (
    "bucket.s3.us-east-1.amazonaws.com",
    "sts.amazonaws.com",
    "storage.googleapis.com",
    "account.blob.core.windows.net",
    "postgres",
    "redis",
    "selenium-hub",
    "smtp.example.org",
    "metadata.google.internal",
    "login.microsoftonline.com",
    "huggingface.co",
    "hooks.slack.com",
    "pypi.org",
)
URL = "https://api.anthropic.com/v1/messages"


@pytest.fixture
def tools() -> Iterator[None]:
    with resolved_to_loopback(*TOOLS):
        yield


@pytest.mark.parametrize("host", TOOLS)
def test_a_tool_is_reached_in_replay(host: str, tools: None, server: OpenAIServer, recordings: Path) -> None:
    """A suite has stubs and services beside its models."""
    url = server.base_url.replace("127.0.0.1", host).removesuffix("/v1")
    with inference_recording("replay", recordings) as session:
        for name in ("http.client", "socket", "httpx", "requests", "aiohttp", "asyncio"):
            CALLS[name](url)

    assert (6, {}) == (server.count, session.counts)


def test_what_is_no_connection_passes_though_the_network_is_blocked(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loopback, unix sockets, look-ups, and the datagram socket by which programs ask for their own address."""
    monkeypatch.chdir(tmp_path)  # the whole path may be longer than a socket's can be
    with inference_recording("replay", recordings, block_network=True):
        socket.getaddrinfo("localhost", 443)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            assert datagrams.connect_ex(("192.0.2.1", 53)) in (0, errno.ENETUNREACH)  # or there is no network at all
        if hasattr(socket, "AF_UNIX"):
            with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
                listener.bind("socket")
                listener.listen()
                client.connect("socket")
        left, right = socket.socketpair()
        left.close()
        right.close()


def test_a_blocked_network_refuses_every_other_machine(tools: None, server: OpenAIServer, recordings: Path) -> None:
    """Whatever it is: with the error's advice, one is let through."""
    elsewhere = ("192.0.2.1", 81)  # no machine has this address

    def connect() -> None:
        with socket.socket() as client:
            client.settimeout(0.05)
            client.connect(elsewhere)

    async def get() -> None:
        async with ASYNC_CLIENT(timeout=0.05) as client:
            await client.get("http://192.0.2.1:81/")

    def reaches_out() -> None:
        with suppress(OSError):
            connect()
            pytest.fail("there is such a machine")

    for mode in ("replay", "record"):
        with inference_recording(mode, recordings, block_network=True) as session:  # type: ignore[arg-type]
            for call in (connect, lambda: asyncio.run(get())):
                with pytest.raises(LiveCallBlocked, match=r"192\.0\.2\.1:81 refused") as caught:
                    call()
            CALLS["requests"](server.base_url.replace("127.0.0.1", "redis"))  # its address is this machine's
        assert ("network", {"missed": 2}) == (caught.value.reason, session.counts)
    assert 'allow_hosts=["192.0.2.1"]' in str(caught.value)
    with inference_recording("replay", recordings, block_network=True, allow_hosts=["192.0.2.1"]):
        reaches_out()
    with inference_recording("live", recordings, block_network=True):
        reaches_out()


@pytest.mark.parametrize("hosts", ["example.org", [1], ["https://example.org"], [""]])
def test_hosts_that_are_none_are_refused(hosts: Any) -> None:
    """A text would be taken for a list of letters."""
    with pytest.raises(RecorderError, match="allow_hosts= "):
        inference_recording(allow_hosts=hosts)


@pytest.mark.parametrize("is_first", [True, False], ids=["the mock first", "the session first"])
def test_what_a_mock_library_answers_is_left_alone(is_first: bool, recordings: Path) -> None:
    """It opens no connection, in whatever order the two are entered."""
    respx, responses = library("respx"), library("responses")

    def with_transport() -> None:
        with httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200))) as client:
            client.post(URL, json={})

    ways = {
        "respx": (lambda: respx.mock(assert_all_called=False), lambda: CLIENT().post(URL, json={})),
        "responses": (responses.RequestsMock, lambda: library("requests").post(URL, json={})),
    }
    for mode in ("replay", "record-if-missing"):
        for name, (mock, call) in ways.items():
            session = inference_recording(mode, recordings)  # type: ignore[arg-type]
            if is_first:
                with mock() as mocked, session as opened:
                    mocked.post(URL) if name != "responses" else mocked.add("POST", URL)
                    call()
            else:
                with session as opened, mock() as mocked:
                    mocked.post(URL) if name != "responses" else mocked.add("POST", URL)
                    call()
            assert {} == opened.counts
        with inference_recording(mode, recordings) as opened:  # type: ignore[arg-type]
            with_transport()
        assert {} == opened.counts


@pytest.mark.skipif(sys.version_info < (3, 11), reason="no vcrpy that knows httpx2 runs there")
def test_what_a_cassette_answers_is_left_alone(server: OpenAIServer, tmp_path: Path) -> None:
    """A suite may keep cassettes for the SDKs that are not recorded."""
    import vcr

    host = "api.mistral.ai"
    with resolved_to_loopback(host):
        url = server.base_url.replace("127.0.0.1", host)
        for mode in ("none", "once"):
            for name in ("requests", "httpx"):
                with vcr.use_cassette(str(tmp_path / f"{name}.yaml"), record_mode="once"):
                    if mode == "none":
                        CALLS[name](url)
                    else:
                        with inference_recording("replay", tmp_path / "recordings"):
                            CALLS[name](url)

    assert 2 == server.count


def test_a_replay_opens_no_socket(sdk: Colour, recordings: Path, server: OpenAIServer) -> None:
    """The guard costs nothing there."""
    with inference_recording("record", recordings):
        sdk.call("chat.completions.create", **HELLO)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", None)
        with inference_recording("replay", recordings) as session:
            sdk.call("chat.completions.create", **HELLO)

    assert ({"replayed": 1}, 1) == (session.counts, server.count)


def test_trio_is_guarded_too(recordings: Path) -> None:
    """httpx runs on it."""
    trio = pytest.importorskip("trio")

    async def get() -> None:
        async with ASYNC_CLIENT() as client:
            await client.post("http://api.anthropic.com:9/")

    with resolved_to_loopback("api.anthropic.com"), inference_recording("replay", recordings):
        with pytest.raises(LiveCallBlocked):
            trio.run(get)
        with openai.OpenAI(api_key="x", max_retries=0) as client, pytest.raises(LiveCallBlocked):
            client._client.get("http://api.anthropic.com:9/")
