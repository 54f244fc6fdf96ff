"""Requests that no client should send: each gets an answer, none leaves its bounds, and the server goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from starlette.datastructures import Headers

from inference_recorder.engine.engine import Engine
from inference_recorder.server.app import LARGEST_BODY
from inference_recorder.server.calls import HttpCall
from inference_recorder.server.paths import prefix
from inference_recorder.server.requests import HttpRequest, described
from inference_recorder.server.upstream import BaseUrls, Upstream

from ..conftest import HELLO, files_of
from ..support.openai_server import OpenAIServer, Reply, chunks, completion, error
from ..support.secret_table import made
from .process import server_process
from .served import CHAT, HELLO_BYTES, STREAMED, answered, connected, request_bytes, served

pytestmark = pytest.mark.usefixtures("without_plugin")

_TEST = b"X-Inference-Test-Id"
REFUSED: dict[str, tuple[int, bytes]] = {
    "..": (400, request_bytes(b"/v1/../admin")),
    "%2e%2e": (400, request_bytes(b"/v1/%2e%2e/admin")),
    "%2e%2e%2f": (400, request_bytes(b"/v1/files/%2e%2e%2f%2e%2e%2fadmin")),
    ".. after a test": (400, request_bytes(b"/t/a/v1/../../../etc/passwd")),
    "//": (400, request_bytes(b"//127.0.0.1/v1/models", b"GET", body=b"")),
    "another host": (400, request_bytes(b"http://127.0.0.1:9/v1/models", b"GET", body=b"")),
    "a file": (400, request_bytes(b"/etc/passwd", b"GET", body=b"")),
    "a listing": (400, request_bytes(b"/t/", b"GET", body=b"")),
    "NUL": (400, request_bytes(b"/v1/\0")),
    "not ASCII": (400, request_bytes(b"/v1/\xff")),
    "a path of 64 KiB": (414, request_bytes(b"/v1/" + b"a" * 65_536)),
    "/t/ twice": (400, request_bytes(b"/t/a/t/a" + CHAT.encode())),
    "an empty test id": (400, request_bytes(b"/t/" + CHAT.encode())),
    "NUL in a test id": (400, request_bytes(b"/t/a%00b" + CHAT.encode())),
    "CRLF in a test id": (400, request_bytes(b"/t/a%0d%0aX-Evil:%201" + CHAT.encode())),
    "a long test id": (400, request_bytes(b"/t/" + b"a" * 4097 + CHAT.encode())),
    "two test ids": (400, request_bytes(headers=[(_TEST, b"a"), (_TEST, b"b")])),
    "CRLF in a header's test id": (400, request_bytes(headers=[(_TEST, b"a%0d%0ab")])),
    "OPTIONS": (405, request_bytes(method=b"OPTIONS")),
    "an unknown method": (405, request_bytes(method=b"SPLIT")),
    "a proxy": (405, request_bytes(b"127.0.0.1:9", b"CONNECT", body=b"")),
    "a websocket": (400, request_bytes(b"/v1/realtime", b"GET", [(b"upgrade", b"websocket")], b"")),
    "signed": (400, request_bytes(headers=[(b"authorization", b"AWS4-HMAC-SHA256 Credential=AKIA/x")])),
    "a negative length": (400, request_bytes(headers=[(b"content-length", b"-1")])),
    "a form without a boundary": (400, request_bytes().replace(b"application/json", b"multipart/form-data")),
    "no HTTP": (400, b"\x16\x03\x01\x02\x00\r\n\r\n"),
}
UNREADABLE = ("a negative length", "no HTTP", "not ASCII", "NUL")
"""What uvicorn refuses itself."""
ANSWERED: dict[str, bytes] = {
    "a path of less than 64 KiB": request_bytes(b"/v1/" + b"a" * 60_000),
    "%00": request_bytes(b"/v1/files/%00"),
    "an invalid percent-encoding": request_bytes(b"/v1/files/%zz%"),
    "no UTF-8": request_bytes(b"/v1/files/%ff%fe"),
    "a test id that is not UTF-8": request_bytes(b"/t/%ff" + CHAT.encode()),
    "a test id like a path": request_bytes(b"/t/..%2f..%2f..%2fetc%2fpasswd" + CHAT.encode()),
    "a header that is not UTF-8": request_bytes(headers=[(b"x-name", b"\xff\xfe")]),
    "a header of 60 KiB": request_bytes(headers=[(b"x-name", b"a" * 60_000)]),
    "HEAD": request_bytes(b"/v1/models", b"HEAD", body=b""),
    "an offer of HTTP/2": request_bytes(headers=[(b"upgrade", b"h2c"), (b"http2-settings", b"AAA")]),
    "JSON that does not end": request_bytes(body=b'{"model":'),
    "JSON that is deep": request_bytes(body=b"[" * 100_000),
    "JSON that is not an object": request_bytes(body=b"[1]"),
    "bytes": request_bytes(body=bytes(range(256))),
    "no body": request_bytes(body=b""),
}


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("name", REFUSED)
def test_a_request_out_of_bounds_is_refused_and_not_sent_on(name: str, server: OpenAIServer, recordings: Path) -> None:
    """The server sends on what it gets with its caller's credentials: never outside its own base url."""
    status, request = REFUSED[name]
    with served("record", recordings, server.base_url) as running:
        answer = answered(running.url, request)
        after = answered(running.url, request_bytes())

    assert (status, 200) == (answer[0], after[0]), answer
    assert [True] * (name not in UNREADABLE) == [str(error) in answer[1].decode() for _, error in running.reports]
    assert [CHAT] == [received.path for received in server.received]
    assert 1 == len(files_of(recordings))
    assert b"X-Evil" not in b"".join(path.read_bytes() for path in recordings.glob("*.json"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ANSWERED)
def test_an_odd_request_is_sent_on_and_replayed(name: str, server: OpenAIServer, recordings: Path) -> None:
    """What the model's server makes of it is its business; the answer is the same again, and stays in the directory."""
    server.elsewhere = lambda request, number: Reply({"object": "odd", "size": len(request.content)})
    with served("record", recordings, server.base_url) as running:
        live = answered(running.url, ANSWERED[name])
    with served("replay", recordings, server.base_url) as running:
        replayed = answered(running.url, ANSWERED[name])

    assert 200 == live[0], live
    assert live == replayed
    assert 1 == server.count
    assert {recordings} == {path.parent for path in recordings.parent.rglob("*.json")}


def test_only_who_knows_the_token_is_answered(server: OpenAIServer, recordings: Path) -> None:
    """A server that listens to a network answers, and spends, for everyone who reaches it."""
    with served("record", recordings, server.base_url, token="s3cret/token") as running:
        paths = ["", prefix(token="s3cret"), prefix(token="s3cret/tokeN"), prefix(test_id="a"), "/k/"]
        refused = [httpx.post(running.url + path + CHAT, json=HELLO) for path in paths]
        answer = httpx.post(running.url + prefix(token="s3cret/token", test_id="a") + CHAT, json=HELLO)

    assert [403] * len(paths) == [response.status_code for response in refused]
    assert "s3cret" not in "".join(response.text for response in refused)
    assert 200 == answer.status_code
    assert 1 == server.count
    assert b"s3cret" not in b"".join(path.read_bytes() for path in recordings.glob("*.json"))


@pytest.mark.slow
def test_a_test_id_that_is_not_encoded_is_refused_with_the_advice_to_encode_it(
    server: OpenAIServer, recordings: Path
) -> None:
    """Ids have slashes, and so do paths."""
    with served("record", recordings, server.base_url) as running:
        refused = httpx.post(f"{running.url}/t/tests/test_a.py::test_b{CHAT}", json=HELLO)
        answer = httpx.post(f"{running.url}/t/{quote('tests/test_a.py::test_b', safe='')}{CHAT}", json=HELLO)

    assert (400, 200) == (refused.status_code, answer.status_code)
    assert "percent-encoded" in refused.json()["error"]["message"]


@pytest.mark.slow
def test_a_model_that_cannot_be_reached_is_named_by_its_host(recordings: Path) -> None:
    """An upstream comes from an option or the environment: the client's error has to show which one it was."""
    with served("record", recordings, "http://user:s3cret@localhost:9/v1") as running:
        answer = httpx.post(running.url + CHAT, json=HELLO)

    assert 502 == answer.status_code
    assert "localhost" in answer.json()["error"]["message"]
    assert "s3cret" not in answer.text


@pytest.mark.slow
def test_no_credential_is_in_a_file_an_error_or_the_output(
    server: OpenAIServer, recordings: Path, tmp_path: Path
) -> None:
    """Recordings are committed, and what a server writes ends in the log of a public job."""
    secrets = {name: made(40, name) for name in ("bearer", "x-api-key", "cookie", "proxy", "api-key", "query")}
    headers = {
        "authorization": f"Bearer {secrets['bearer']}",
        "x-api-key": secrets["x-api-key"],
        "cookie": f"session={secrets['cookie']}",
        "proxy-authorization": f"Basic {secrets['proxy']}",
        "api-key": secrets["api-key"],
    }
    sent_on = [value for name, value in secrets.items() if name != "proxy"]
    echo = " ".join(sent_on)
    server.answers(CHAT, Reply(completion(echo)), Reply(events=chunks(*sent_on)), error(401, f"Bad: {echo}"))
    ours: list[httpx.Response] = []
    output = ""

    def ask(url: str, path: str = CHAT, body: Any = HELLO, **more: Any) -> httpx.Response:
        return httpx.post(f"{url}{path}?api_key={secrets['query']}", json=body, headers=headers | more, timeout=30)

    for mode, upstream in (("record", server.base_url), ("record", "http://127.0.0.1:9/v1"), ("replay", "http://x/v1")):
        with server_process(recordings, mode, upstream, ready_file=tmp_path / "ready") as process:
            live = [ask(process.url), ask(process.url, body=STREAMED), ask(process.url, body=HELLO | {"seed": 1})]
            ours += live if mode == "record" and upstream != server.base_url else live[2:] if mode == "replay" else []
            ours.append(ask(process.url, "/t/a/t/b/v1/x"))
            ours.append(ask(process.url, authorization=f"AWS4-HMAC-SHA256 Signature={secrets['bearer']}"))
            output += process.end()
    files = {path: path.read_bytes() for path in recordings.parent.rglob("*") if path.is_file()}

    assert [502] * 3 == [response.status_code for response in ours[2:5]]
    assert {400, 422, 502} == {response.status_code for response in ours}
    texts = [
        *files.values(),
        output.encode(),
        *(response.content + repr(response.headers).encode() for response in ours),
    ]
    assert [] == [(name, text) for name, value in secrets.items() for text in texts if value.encode() in text]
    assert secrets["bearer"] in server.received[0].headers["authorization"]


async def test_what_holds_a_request_shows_none_of_it() -> None:
    """Reports of errors print the values in a traceback."""
    secret = made(40, "shown")
    http = HttpRequest("POST", CHAT, "", Headers({"authorization": f"Bearer {secret}"}), HELLO_BYTES)
    upstream = Upstream(BaseUrls())
    request = await described(http, "https://api.openai.com/v1")
    call = HttpCall.of(http, request, Engine, upstream, is_paced=False)  # type: ignore[arg-type]  # none decides

    shown = [repr(each) for each in (http, request, upstream, call, upstream.request(http))]
    assert [] == [text for text in shown if secret in text]
    await upstream.close()


class Body:
    """A request body of this many bytes, made while it is sent."""

    def __init__(self, size: int, start: bytes = b"", end: bytes = b"") -> None:
        self._parts = [start, *[b"word " * 200_000] * ((size - len(start) - len(end)) // 1_000_000), b"", end]
        self._parts[-2] = b"x" * (size - sum(map(len, self._parts)))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)


JSON_START, JSON_END = b'{"model": "m", "messages": [{"role": "user", "content": "', b'"}]}'
FORM = {"content-type": "multipart/form-data; boundary=b"}
FORM_START = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
BIG: dict[str, tuple[str, dict[str, str], bytes, bytes]] = {
    "JSON": (CHAT, {"content-type": "application/json"}, JSON_START, JSON_END),
    "an upload": ("/v1/files", FORM, FORM_START, b"\r\n--b--\r\n"),
    "bytes": ("/v1/files", {"content-type": "application/octet-stream"}, b"", b""),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "is_chunked"), [("JSON", True), ("an upload", False), ("an upload", True), ("bytes", False)]
)
def test_a_body_of_the_largest_size_is_sent_on_and_a_larger_one_refused(
    kind: str, is_chunked: bool, server: OpenAIServer, recordings: Path
) -> None:
    """Audio and files of fine-tuning are large; what has no end must not fill the memory."""
    path, headers, start, end = BIG[kind]
    server.elsewhere = lambda request, number: Reply({"object": "file", "size": len(request.content)})
    with served("record", recordings, server.base_url) as running:
        responses = []
        for size in (LARGEST_BODY, LARGEST_BODY + 1):
            length = {} if is_chunked else {"content-length": str(size)}
            content = iter(Body(size, start, end))
            responses.append(httpx.post(running.url + path, content=content, headers=headers | length, timeout=120))

    assert [200, 413] == [response.status_code for response in responses], responses[0].text
    assert [LARGEST_BODY] == [len(received.content) for received in server.received]
    assert LARGEST_BODY == responses[0].json()["size"]
    server.received.clear()


@pytest.mark.slow
def test_clients_that_are_slow_hold_up_no_other(server: OpenAIServer, recordings: Path) -> None:
    """One server answers all workers: a test that stops in a debugger must not time out the others."""
    events = chunks(*["word " * 10_000] * 200)  # ten megabytes
    server.answers(CHAT, Reply({}), Reply(events=events))
    with served("record", recordings, server.base_url) as running:
        for body in (HELLO, STREAMED):
            httpx.post(running.url + CHAT, json=body, timeout=60)
    with served("replay", recordings, server.base_url) as running:

        def seconds_of_fifty() -> float:
            begun = time.monotonic()
            with ThreadPoolExecutor(50) as pool:
                answers = list(
                    pool.map(lambda number: httpx.post(running.url + CHAT, json=HELLO, timeout=30), range(50))
                )
            assert {200} == {answer.status_code for answer in answers}
            return time.monotonic() - begun

        alone = min(seconds_of_fifty() for _ in range(3))
        sending, reading = ([connected(running.url) for _ in range(10)] for _ in range(2))
        for sender, reader in zip(sending, reading, strict=True):
            sender.sendall(request_bytes()[:-1])
            reader.sendall(request_bytes(body=json.dumps(STREAMED).encode()))
        beside = min(seconds_of_fifty() for _ in range(3))
        for sender in sending:
            sender.sendall(request_bytes()[-1:])
        statuses = [connection.recv(12) for connection in sending + reading]
        for connection in sending + reading:
            connection.close()

    print(f"fifty requests: {alone:.3f} s alone, {beside:.3f} s beside twenty slow clients")
    assert {b"HTTP/1.1 200"} == set(statuses)
    assert beside < 10 * alone + 1
