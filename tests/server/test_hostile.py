"""Requests that no client should send: each gets an answer, none leaves its bounds, and the server goes on."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from inference_recorder.server.paths import prefix

from ..conftest import HELLO, files_of
from ..support.openai_server import OpenAIServer, Reply
from .served import CHAT, answered, request_bytes, served

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
ANSWERED: dict[str, bytes] = {
    "a path of less than 64 KiB": request_bytes(b"/v1/" + b"a" * 60_000),
    "%00": request_bytes(b"/v1/files/%00"),
    "an invalid percent-encoding": request_bytes(b"/v1/files/%zz%"),
    "no UTF-8": request_bytes(b"/v1/files/%ff%fe"),
    "a test id that is no UTF-8": request_bytes(b"/t/%ff" + CHAT.encode()),
    "a test id like a path": request_bytes(b"/t/..%2f..%2f..%2fetc%2fpasswd" + CHAT.encode()),
    "a header that is no UTF-8": request_bytes(headers=[(b"x-name", b"\xff\xfe")]),
    "a header of 60 KiB": request_bytes(headers=[(b"x-name", b"a" * 60_000)]),
    "HEAD": request_bytes(b"/v1/models", b"HEAD", body=b""),
    "an offer of HTTP/2": request_bytes(headers=[(b"upgrade", b"h2c"), (b"http2-settings", b"AAA")]),
    "JSON that does not end": request_bytes(body=b'{"model":'),
    "JSON that is deep": request_bytes(body=b"[" * 100_000),
    "JSON that is no object": request_bytes(body=b"[1]"),
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
