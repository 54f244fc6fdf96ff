"""Nothing reaches a model in replay: not past the OpenAI SDK either, whatever library is used."""

from __future__ import annotations

import asyncio
import http.client
import importlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx
import openai
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from inference_recorder import LiveCallBlocked, MissingRecording, inference_recording, llama_stack
from inference_recorder.config import checked_hosts
from inference_recorder.guard import patches, resolved
from inference_recorder.network import NetworkRules
from inference_recorder.sdk import context, patching

from ..conftest import HELLO
from ..support.loopback import serve
from ..support.openai_server import OpenAIServer, Reply
from .model_hosts import ASYNC_CLIENT, CALLS, CLIENT, library, resolved_to_loopback

pytestmark = pytest.mark.usefixtures("sessions_are_runs")
HOST = "api.anthropic.com"
CASES = [pytest.param(name, marks=pytest.mark.slow if "anthropic" in name else ()) for name in CALLS]
"""Importing anthropic alone takes a second."""


@pytest.fixture
def url(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A model host, which answers everything."""
    monkeypatch.setattr(server, "elsewhere", lambda request, number: Reply({}))
    with resolved_to_loopback(HOST, "api.openai.com", "llm.example.org", "tool.example.org"):
        yield server.base_url.replace("127.0.0.1", HOST).removesuffix("/v1")


def at(url: str, host: str) -> str:
    return url.replace(HOST, host)


@pytest.mark.parametrize("name", CASES)
def test_a_replay_lets_no_library_reach_a_model(url: str, name: str, server: OpenAIServer, recordings: Path) -> None:
    """Another SDK, plain HTTP, a socket: a run that is called offline must be it, or say what is not."""
    if name.partition(",")[0] in ("anthropic", "perplexity"):
        library(name.partition(",")[0])
    with inference_recording("replay", recordings) as session:
        start = time.monotonic()
        with pytest.raises(LiveCallBlocked) as caught:
            CALLS[name](url)
        seconds = time.monotonic() - start

    assert 0 == server.count
    assert (HOST, "replay") == (caught.value.host, caught.value.reason)
    assert "robustness/model_hosts.py:" in str(caught.value.line)
    assert {"missed": 1} == session.counts
    assert seconds < 1  # the SDKs of Stainless would sleep longer before they have tried it three times


@pytest.mark.parametrize("name", CASES)
def test_a_recording_session_counts_what_goes_past_it(
    url: str, name: str, server: OpenAIServer, recordings: Path
) -> None:
    """Otherwise a suite is recorded that needs the network for ever."""
    with inference_recording("record-if-missing", recordings) as session:
        CALLS[name](url)

    assert 1 == server.count
    assert {"live": 1} == session.counts
    assert [HOST] == [live.host for live in session.live]


@pytest.mark.parametrize(
    ("host", "library_name"),
    [
        ("generativelanguage.googleapis.com", "httpx, async"),
        ("ai.api.nvidia.com", "aiohttp"),
        ("api.tavily.com", "httpx"),
        ("ollama", "httpx, async"),
    ],
    ids=["google-genai", "rerank", "a tool", "ollama"],
)
def test_what_llama_stack_records_past_the_sdk_is_not_silent(
    host: str, library_name: str, url: str, server: OpenAIServer, recordings: Path
) -> None:
    """Its recorder has files of such calls, and ours answers none."""
    with resolved_to_loopback(host), ollama() if host == "ollama" else nullcontext(at(url, host)) as place:
        with llama_stack.inference_recording("replay", recordings) as replaying, pytest.raises(LiveCallBlocked):
            CALLS[library_name](place)
        with llama_stack.inference_recording("record", recordings) as recording:
            CALLS[library_name](place)

    assert ({"missed": 1}, {"live": 1}) == (replaying.counts, recording.counts)


@contextmanager
def ollama() -> Iterator[str]:
    """Run a server at Ollama's port in the block, which answers everything, and yield its url."""
    app = Starlette(routes=[Route("/", lambda request: PlainTextResponse(""), methods=["POST"])])
    with ExitStack() as stack:
        try:
            place = stack.enter_context(serve(app, 11434))
        except OSError:
            pytest.skip("something listens at Ollama's port")
        yield place


def test_ollama_is_not_watched_in_a_general_session(recordings: Path) -> None:
    """This machine is free: it may be any server of the suite."""
    with inference_recording("replay", recordings) as session, suppress(OSError):
        socket.create_connection(("localhost", 11434), timeout=5).close()

    assert {} == session.counts


@pytest.mark.filterwarnings("ignore:.*opens a websocket")
def test_a_websocket_of_the_sdk_counts_once(url: str, recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK opens it for one call, which is counted as that."""
    place = urlsplit(at(url, "api.openai.com"))

    def connect(*args: object, **kwargs: object) -> None:
        socket.create_connection((place.hostname, place.port)).close()

    for module in ("websockets", "websockets.sync"):
        monkeypatch.setitem(sys.modules, module, ModuleType(module))
    monkeypatch.setitem(sys.modules, "websockets.sync.client", SimpleNamespace(connect=connect))
    client = openai.OpenAI(api_key="x")
    with inference_recording("record-if-missing", recordings) as session:
        getattr(client, "realtime", client.beta.realtime).connect(model="m").enter()

    assert {"live": 1} == session.counts


def test_a_secret_in_a_path_is_not_shown(url: str, recordings: Path) -> None:
    """The report page shows it, and is published by CI."""
    with inference_recording("record-if-missing", recordings, redact=["s3cr3t-account"]) as session:
        CALLS["httpx"](f"{url}/accounts/s3cr3t-account/run")

    assert ["/accounts/__REDACTED__/run"] == [live.endpoint for live in session.live]


@pytest.mark.parametrize("name", ["perplexity", "perplexity, async"])
def test_an_sdk_that_tries_nothing_again_shows_the_cause(name: str, url: str, recordings: Path) -> None:
    """It wraps every exception of its HTTP client in one of its own."""
    perplexity = library("perplexity")

    async def ask() -> None:
        async with perplexity.AsyncPerplexity(api_key="x", base_url=url, max_retries=0) as client:
            await client.chat.completions.create(model="c", messages=HELLO["messages"])

    with inference_recording("replay", recordings), pytest.raises(perplexity.APIConnectionError) as caught:
        if name == "perplexity":
            with perplexity.Perplexity(api_key="x", base_url=url, max_retries=0) as client:
                client.chat.completions.create(model="c", messages=HELLO["messages"])
        else:
            asyncio.run(ask())

    assert isinstance(caught.value.__cause__, LiveCallBlocked)


def test_a_connection_kept_from_before_is_refused(url: str, server: OpenAIServer, recordings: Path) -> None:
    """A client that the application made at its start has one, and opens no other."""
    place = httpx.URL(url)
    kept = http.client.HTTPConnection(place.host, place.port)

    def ask() -> None:
        kept.request("GET", "/")
        kept.getresponse().read()

    async def with_aiohttp() -> None:
        async with library("aiohttp").ClientSession() as session:
            await (await session.get(url)).read()
            with inference_recording("replay", recordings), pytest.raises(LiveCallBlocked):
                await session.get(url)

    with CLIENT() as client, library("requests").Session() as session:
        for get in (lambda: client.get(url), lambda: session.get(url), ask):
            get()
            with inference_recording("replay", recordings), pytest.raises(LiveCallBlocked):
                get()
    kept.close()
    asyncio.run(with_aiohttp())

    assert 4 == server.count


@contextmanager
def proxy_that_hangs_up() -> Iterator[tuple[str, list[bytes]]]:
    """Give the address of a proxy, and what it has received; complete after the block."""
    received: list[bytes] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(5)
                    received.append(connection.recv(100))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}", received
        finally:
            with socket.create_connection(listener.getsockname()) as last:
                last.sendall(b"end")
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def calls_through(proxy: str) -> list[Callable[[str], Any]]:
    """Return what gets a url through a proxy, for each library that can."""
    requests, aiohttp = library("requests"), library("aiohttp")

    def with_httpx(to: str) -> None:
        with CLIENT(proxy=proxy) as client:
            client.get(to)

    async def with_async_httpx(to: str) -> None:
        async with ASYNC_CLIENT(proxy=proxy) as client:
            await client.get(to)

    async def with_aiohttp(to: str) -> None:
        async with aiohttp.ClientSession() as session:
            await session.get(to, proxy=proxy)

    return [
        with_httpx,
        lambda to: asyncio.run(with_async_httpx(to)),
        lambda to: requests.get(to, proxies={"http": proxy, "https": proxy}),
        *([] if proxy.startswith("socks") else [lambda to: asyncio.run(with_aiohttp(to))]),
    ]


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_request_through_a_proxy_is_judged_by_its_url(scheme: str, url: str, recordings: Path) -> None:
    """The socket knows only the proxy, which may be on this machine; so is it where the network is blocked."""
    if scheme == "socks5":
        library("socks"), library("socksio")
    plain = "plain.example.org"
    with resolved_to_loopback(plain), proxy_that_hangs_up() as (address, received):
        for call in calls_through(f"{scheme}://{address}"):
            for host, to in (
                (HOST, url),
                (HOST, f"https://{HOST}/"),
                (plain, f"http://{plain}/"),
                (plain, f"https://{plain}/"),
            ):
                with inference_recording("replay", recordings, block_network=host == plain) as session:
                    with pytest.raises(LiveCallBlocked) as caught:
                        call(to)
                assert (host, {"missed": 1}) == (caught.value.host, session.counts)

    assert {b"end"} >= set(received) - {b""}


def test_an_allowed_host_and_loopback_are_free_behind_a_proxy(recordings: Path) -> None:
    """A blocked network must not block what it lets through without a proxy."""
    urls = ("http://plain.example.org/", "https://plain.example.org/", "http://127.0.0.1/")
    for index in range(4):
        with proxy_that_hangs_up() as (address, received):
            call = calls_through(f"http://{address}")[index]
            with inference_recording(
                "replay", recordings, block_network=True, allow_hosts=["*.example.org"]
            ) as session:
                for to in urls:
                    with suppress(OSError, httpx.HTTPError):
                        call(to)
                        pytest.fail("it hangs up")

        reached = {request.split()[1].decode() for request in received if b" " in request}
        assert ({urls[0], "plain.example.org:443", urls[2]}, {}) == (reached, session.counts)


@pytest.mark.slow
@pytest.mark.parametrize("url", ["http://api.anthropic.com/", "https://api.anthropic.com/"])
def test_a_library_imported_in_a_session_is_judged_from_its_first_request(url: str, recordings: Path) -> None:
    """It was wrapped when it opened its first connection, too late for aiohttp's own, which may be to a proxy."""
    library("aiohttp")
    program = """
import asyncio, socket, sys
from inference_recorder import LiveCallBlocked, inference_recording

resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *args, **kwargs: resolve("127.0.0.1", *args, **kwargs)

async def main(proxy):
    import aiohttp

    async with aiohttp.ClientSession() as session:
        for url in ("http://api.anthropic.com/", "https://api.anthropic.com/"):
            try:
                await session.get(url, proxy=proxy)
            except LiveCallBlocked as error:
                print(error.host)

    import httpx  # it tries addresses in tasks of its own

    url = sys.argv[2]
    async with httpx.AsyncClient(verify=False, proxy=proxy if url.startswith("https") else None) as client:
        try:
            await client.get(url, timeout=5)
        except LiveCallBlocked as error:
            print(error.host)

with socket.create_server(("127.0.0.1", 0)) as listener, inference_recording("replay", sys.argv[1]):
    asyncio.run(main(f"http://127.0.0.1:{listener.getsockname()[1]}"))
"""
    command = [sys.executable, "-c", program, str(recordings), url]

    result = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert [HOST, HOST, HOST] == result.stdout.split(), result.stderr


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_model_host_that_cannot_be_looked_up_is_refused_too(
    is_async: bool, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline, code that goes on after a lost connection would pass for a test that needs no model."""

    def getaddrinfo(*args: Any, **kwargs: Any) -> NoReturn:
        raise socket.gaierror("offline")

    def connect(host: str) -> None:
        if is_async:
            asyncio.run(asyncio.wait_for(asyncio.open_connection(host, 443), 30))
        else:
            socket.create_connection((host, 443))

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with inference_recording("replay", recordings) as session:
        for host in (HOST, "API\u3002Anthropic\uff0e\uff43om."):  # which resolves to the same
            with pytest.raises(LiveCallBlocked, match=f"{HOST}:443"):
                connect(host)
        with pytest.raises(socket.gaierror):
            connect("files.example.org")
        with inference_recording("live"), pytest.raises(socket.gaierror):
            connect(HOST)

    assert {"missed": 2} == session.counts


def test_a_host_with_other_letters_is_allowed_however_it_is_spelled() -> None:
    """aiohttp passes on what is looked up, `socket` what the caller wrote."""
    rules = NetworkRules(blocks_all=True, allow_hosts=checked_hosts(["*.B\u00fccher.example"], "allow_hosts"))

    for host in ("a.b\u00fccher.example", "a.B\u00dcCHER\uff0eexample", b"a.xn--bcher-kva.example"):
        assert rules.allows([resolved.as_name(host)], 443)


def test_the_base_url_of_a_client_is_a_model_host_of_its_session(
    url: str, server: OpenAIServer, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A company's own gateway is in no list; loopback is free, also as a base url."""
    gateway = at(url, "llm.example.org")
    for base_url in (gateway, at(url, "127.0.0.1")):
        with openai.OpenAI(
            api_key="x", base_url=base_url, http_client=openai.DefaultHttpxClient(verify=False)
        ) as client:
            with inference_recording("replay", recordings), suppress(MissingRecording):
                client.chat.completions.create(**HELLO)
                pytest.fail("it had no recording")
            with inference_recording("replay", recordings):
                with suppress(MissingRecording):
                    client.chat.completions.create(**HELLO)
                if base_url == gateway:
                    with pytest.raises(LiveCallBlocked):
                        CALLS["httpx"](base_url)
                else:
                    CALLS["httpx"](base_url)
    with inference_recording("replay", recordings):
        CALLS["httpx"](gateway)  # this session's clients do not call it

    assert 2 == server.count


def test_the_recorders_own_calls_pass_and_count_as_recorded(
    url: str, server: OpenAIServer, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They too open connections to a model host."""
    monkeypatch.undo()
    options: dict[str, Any] = {"api_key": "x", "base_url": f"{at(url, 'api.openai.com')}/v1"}

    async def ask_async() -> None:
        http_client = openai.DefaultAsyncHttpxClient(verify=False)
        async with openai.AsyncOpenAI(**options, http_client=http_client) as client:
            await client.chat.completions.with_raw_response.create(**HELLO, temperature=1)
            async for _ in await client.chat.completions.create(**HELLO, stream=True):
                pass

    for mode in ("record", "replay"):
        with resolved_to_loopback("api.openai.com"):
            with inference_recording(mode, recordings, block_network=True) as session:  # type: ignore[arg-type]
                with openai.OpenAI(**options, http_client=openai.DefaultHttpxClient(verify=False)) as client:
                    client.chat.completions.create(**HELLO)
                asyncio.run(ask_async())
        assert {"record": {"recorded": 3}, "replay": {"replayed": 3}}[mode] == session.counts

    assert 3 == server.count


def test_a_live_session_within_a_replay_is_live(url: str, server: OpenAIServer, recordings: Path) -> None:
    """What is to be live says so, in its own block."""
    with inference_recording("replay", recordings):
        with inference_recording("live"):
            CALLS["httpx"](url)
            CALLS["httpx, async"](url)
        with pytest.raises(LiveCallBlocked):
            CALLS["httpx"](url)

    assert 2 == server.count


def test_a_thread_without_context_is_refused_where_an_open_session_replays(
    url: str, server: OpenAIServer, tmp_path: Path
) -> None:
    """Nothing says that the call is not of that one; where all of them record, it is counted in each."""
    outcomes: list[str] = []
    counts: list[dict[str, int]] = []

    def call() -> None:
        try:
            CALLS["httpx"](url)
            outcomes.append("sent")
        except LiveCallBlocked:
            outcomes.append("refused")

    def in_thread() -> None:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()

    async def beside(mode: Any, inner: Any = "replay") -> None:
        entered, ended = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            with inference_recording(mode, tmp_path / "other") as session:
                entered.set()
                await ended.wait()
            if inner != "replay":
                counts.append(dict(session.counts))

        task = asyncio.create_task(hold())
        await entered.wait()
        await asyncio.create_task(in_session(inner))
        ended.set()
        await task

    async def in_session(mode: Any) -> None:
        with inference_recording(mode, tmp_path / "one") as session:
            in_thread()
        counts.append(dict(session.counts))

    asyncio.run(in_session("replay"))
    asyncio.run(beside("replay"))
    asyncio.run(beside("record"))
    asyncio.run(beside("live"))
    asyncio.run(beside("record", "record-if-missing"))

    assert ([*["refused"] * 4, "sent"], 1) == (outcomes, server.count)
    assert [*[{"missed": 1}] * 4, {"live": 1}, {"live": 1}] == counts


def test_following_the_advice_lets_the_host_through(url: str, server: OpenAIServer, recordings: Path) -> None:
    """The error names what to write."""
    with inference_recording("replay", recordings), pytest.raises(LiveCallBlocked) as caught:
        CALLS["httpx"](url)
    assert f'allow_hosts=["{HOST}"]' in str(caught.value)

    for allowed in (HOST, "*.anthropic.com", f"{HOST}:{caught.value.port}"):
        with inference_recording("replay", recordings, allow_hosts=[allowed]) as session:
            CALLS["httpx"](url)
            CALLS["socket"](url)
        assert {} == session.counts
    with inference_recording("replay", recordings, allow_hosts=[f"{HOST}:443"]), pytest.raises(LiveCallBlocked):
        CALLS["httpx"](url)

    assert 6 == server.count


def test_of_two_names_with_one_address_the_right_one_is_refused(
    url: str, server: OpenAIServer, recordings: Path
) -> None:
    """Hosts behind one proxy of their provider share addresses."""
    tool = at(url, "tool.example.org")

    async def both() -> None:
        async with ASYNC_CLIENT() as client:
            done = await asyncio.gather(client.get(tool), client.get(url), client.get(tool), return_exceptions=True)
        assert [httpx.Response, LiveCallBlocked, httpx.Response] == [type(one) for one in done]

    with inference_recording("replay", recordings):
        for name in ("socket", "asyncio", "requests", "aiohttp"):
            with pytest.raises(LiveCallBlocked):
                CALLS[name](url)
            CALLS[name](tool)
        asyncio.run(both())
        for name in ("socket", "requests", "httpx"):
            with pytest.raises(LiveCallBlocked):
                CALLS["socket"](url)
            CALLS[name](at(url, "127.0.0.1"))

    assert 9 == server.count


@pytest.mark.parametrize("look_up", ["getaddrinfo", "gethostbyname", "gethostbyname_ex"])
def test_an_address_that_was_looked_up_has_its_name(
    look_up: str, server: OpenAIServer, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code that chooses among the addresses of a host connects by number."""
    address, resolve = "192.0.2.1", socket.getaddrinfo  # no machine has this address

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
        return resolve(address if host == HOST else host, *args, **kwargs)

    def connect(address: str) -> None:
        socket.create_connection((address, 81), 0.05)

    def with_http_client(address: str) -> None:
        http.client.HTTPConnection(address, 81, timeout=0.05).request("GET", "/")

    def with_httpx(address: str) -> None:
        with CLIENT(timeout=0.05) as client:
            client.get(f"http://{address}:81/")

    async def with_async_httpx(address: str) -> None:
        async with ASYNC_CLIENT(timeout=0.05) as client:
            await client.get(f"http://{address}:81/")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket, "gethostbyname", lambda host: address)
    monkeypatch.setattr(socket, "gethostbyname_ex", lambda host: (host, [], [address]))
    with inference_recording("replay", recordings):
        getattr(socket, look_up)(*([HOST, 81] if look_up == "getaddrinfo" else [HOST]))
        for call in (connect, with_http_client, with_httpx, lambda address: asyncio.run(with_async_httpx(address))):
            with pytest.raises(LiveCallBlocked, match=f"{HOST}:81"):
                call(address)
            with pytest.raises((OSError, httpx.HTTPError)):
                call("192.0.2.2")


def test_everything_is_the_identical_object_afterwards(recordings: Path) -> None:
    """A suite's own patches, and its measurements, must not meet ours."""

    def now() -> list[tuple[Any, ...]]:
        owners = [
            (target, getattr(sys.modules.get(target.module), target.owner, None) if target.owner else socket)
            for target in patches._TARGETS
        ]
        names = [(owner, target.method) for target, owner in owners if hasattr(owner, target.method)]
        return [(getattr(owner, name), vars(owner).get(name)) for owner, name in names]

    for name in ("aiohttp", "requests", "httpcore", "httpcore2"):
        with suppress(ImportError):
            importlib.import_module(name)
    before = now()
    with inference_recording("replay", recordings):
        with inference_recording("record", recordings):
            pass
        assert before[0][0] is not socket.getaddrinfo
        assert all(one[0] is not other[0] for one, other in zip(before, now(), strict=True))

    assert all(one[0] is other[0] and one[1] is other[1] for one, other in zip(before, now(), strict=True))


def test_a_patch_made_meanwhile_stays(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest-socket, for one, puts its own function there, and takes it away when it likes."""
    with inference_recording("replay", recordings):
        patched = socket.socket.connect

        def connect(self: socket.socket, address: Any) -> None:
            patched(self, address)

        monkeypatch.setattr(socket.socket, "connect", connect)

    assert connect is vars(socket.socket)["connect"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        socket.create_connection(listener.getsockname()).close()
    monkeypatch.undo()
    with inference_recording("replay", recordings):
        pass  # it takes away what that has put back, which other tests must not meet


@pytest.mark.parametrize(("owner", "name"), [(socket, "getaddrinfo"), (socket.socket, "connect")])
def test_a_patch_undone_after_the_session_leaves_one_layer(owner: Any, name: str, recordings: Path) -> None:
    """Undoing it puts ours back, which the next session must not wrap again, and takes away."""
    before = vars(owner).get(name)
    with inference_recording("replay", recordings):
        ours = vars(owner)[name]
        setattr(owner, name, lambda *args: ours(*args))
    setattr(owner, name, ours)

    with inference_recording("replay", recordings):
        assert ours is vars(owner)[name]

    assert before is vars(owner).get(name)


def test_a_library_imported_again_is_judged(
    server: OpenAIServer, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests take a module out to import it under another condition; as many are imported afterwards."""
    monkeypatch.setattr(http, "client", http.client)
    with inference_recording("replay", recordings):
        CALLS["socket"](server.base_url)
        before = vars(http.client.HTTPConnection)["putrequest"]
        monkeypatch.delitem(sys.modules, "http.client")
        again = importlib.import_module("http.client")
        original = vars(again.HTTPConnection)["putrequest"]
        CALLS["socket"](server.base_url)

        assert type(before) is type(vars(again.HTTPConnection)["putrequest"])

    assert original is vars(again.HTTPConnection)["putrequest"]


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps the directory of a process")
def test_a_refusal_is_raised_in_a_directory_that_is_gone(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test may have left its temporary directory; the error names the caller by its whole path."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with inference_recording("replay", tmp_path / "recordings"), pytest.raises(LiveCallBlocked) as caught:
        CALLS["socket"](url)

    assert "robustness/model_hosts.py:" in str(caught.value.line)


def test_the_event_loop_of_windows_connects_to_no_model(recordings: Path) -> None:
    """It does not ask the socket to connect, which all other ways of Python's do."""
    loop_class = importlib.import_module("asyncio.proactor_events").BaseProactorEventLoop
    asked: list[Any] = []

    async def connect(connecting: socket.socket, address: Any) -> None:
        asked.append(address)

    loop = loop_class.__new__(loop_class)
    vars(loop).update(_debug=False, _closed=True, _proactor=SimpleNamespace(connect=connect))
    with socket.socket() as allowed, socket.socket() as refused:
        with inference_recording("replay", recordings, block_network=True, allow_hosts=["198.51.100.1"]):
            asyncio.run(loop.sock_connect(allowed, ("198.51.100.1", 443)))
            with pytest.raises(LiveCallBlocked):
                asyncio.run(loop.sock_connect(refused, ("192.0.2.1", 443)))

    assert [("198.51.100.1", 443)] == asked


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_waits_for_no_thread_of_its_parent(server: OpenAIServer, recordings: Path) -> None:
    """A server under test forks its workers while other threads connect."""
    is_held, is_forked = threading.Event(), threading.Event()

    def hold() -> None:
        with patches._guard, resolved._guard, patching._guard, context._guard:
            is_held.set()
            is_forked.wait(10)

    thread = threading.Thread(target=hold)
    with inference_recording("record-if-missing", recordings):
        thread.start()
        is_held.wait(10)
        child = os.fork()
        if child == 0:
            signal.alarm(2)  # ends it
            with inference_recording("record-if-missing", recordings):
                CALLS["socket"](server.base_url.replace("127.0.0.1", "localhost"))
            os._exit(0)
        is_forked.set()
        thread.join()

    assert 0 == os.waitpid(child, 0)[1]
