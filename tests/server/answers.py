"""What servers answer, usual and odd, to a few ways of calling the SDKs."""

from __future__ import annotations

import gzip
import json
from typing import Any

from ..conftest import HELLO, Colour
from ..sdk.ways.test_odd_answers import ERROR_TEXTS
from ..sdk.ways.watching import entered, parsed_line
from ..support.openai_server import Reply, chunk, completion, error, response_events
from .calls import ANTHROPIC, ASK, CHAT, METHODS, OTHERS, UPLOADS
from .rows import Row, deep, plain, posted, raw


def _sse(*data: Any, done: bytes = b"data: [DONE]\n\n") -> bytes:
    return (
        b"".join(one if isinstance(one, bytes) else b"data: " + json.dumps(one).encode() + b"\n\n" for one in data)
        + done
    )


def _stream(content: bytes, **headers: str) -> Reply:
    return Reply(content=content, media_type="text/event-stream", headers={"x-request-id": "req"} | headers)


def _words(count: int, size: int = 3) -> bytes:
    return _sse(*(chunk({"content": "é" + "w" * (size - 2)}) for _ in range(count)))


FIRST, LAST = chunk({"content": "Hel"}), chunk({"content": "lo"}, finish="stop")
FAILED = {"error": {"message": "no more", "code": "context_length_exceeded", "type": "x", "param": None}}
BUSY = {"error": {"message": "no more", "code": "server_error", "type": "server_error"}}
STREAMED = {
    "nothing": _stream(b""),
    "no chunks": _stream(_sse()),
    "one chunk": _stream(_words(1)),
    "100 chunks": _stream(_words(100)),
    "5,000 chunks": _stream(_words(5_000)),
    **{f"64 KiB {off:+}": _stream(_words(1, 65_536 - 247 + off)) for off in (-2, -1, 0, 1, 2)},
    "64 KiB of many": _stream(_words(280, 16)),
    "1 MiB": _stream(_words(4, 262_144)),
    "gzip": _stream(gzip.compress(_words(40)), **{"content-encoding": "gzip"}),
    "no [DONE]": _stream(_sse(FIRST, LAST, done=b"")),
    "more after [DONE]": _stream(_sse(FIRST, LAST) + _sse(FIRST)),
    "no last line": _stream(_sse(FIRST, LAST, done=b"data: [DONE]")),
    "CRLF": _stream(_sse(FIRST, LAST).replace(b"\n", b"\r\n")),
    "comments": _stream(b": OPENROUTER PROCESSING\n\n" + _sse(FIRST, b": ping\n\n", LAST)),
    "ids and pauses": _stream(b"id: 7\nretry: 10\n" + _sse(FIRST, LAST)),
    "named events": _stream(_sse(b'event: a\ndata: {"n": 1}\n\n', b"event: ping\ndata: {}\n\n", LAST)),
    "an event of several lines": _stream(_sse(b'data: {"id": "x",\ndata: "choices": []}\n\n', LAST)),
    "no JSON": _stream(_sse(FIRST, b"data: PROCESSING\n\n", LAST)),
    "a list": _stream(_sse(FIRST, [1, 2], LAST)),
    "an error": _stream(_sse(FIRST, FAILED, done=b"")),
    "an error that passes": _stream(_sse(FIRST, BUSY, done=b"")),
    "an error first": _stream(_sse(FAILED, done=b"")),
    "an error, and more": _stream(_sse(FIRST, FAILED, LAST)),
    "an event named error": _stream(
        _sse(FIRST, b"event: error\ndata: " + json.dumps(FAILED).encode() + b"\n\n", done=b"")
    ),
    "a deep chunk": _stream(_sse(FIRST | {"deep": deep(60)}, LAST)),
    "large numbers": _stream(_sse(FIRST | {"n": 10**30, "f": 1.0, "g": 1e-9}, LAST)),
    "odd letters": _stream(_sse(chunk({"content": "\u2028 \u0085 🙂 \x00 </é"}), LAST)),
    "two choices": _stream(_sse(FIRST | {"choices": [FIRST["choices"][0] | {"index": n} for n in (0, 1)]}, LAST)),
    "another status": Reply(content=_words(2), status=201, media_type="text/event-stream"),
    "JSON": Reply(completion("no stream")),
    "a failure": error(400, code="no"),
}
"""Answers to a chat that is streamed."""
NO_LINES = {
    "more after [DONE]",
    "no last line",
    "comments",
    "ids and pauses",
    "an event of several lines",
    "an error, and more",
    "an event named error",
}
"""Those of which a recording keeps the events, and not every line."""
CUT = {
    "after no chunk": Reply(events=[], breaks=True),
    "after two chunks": Reply(events=[FIRST, LAST], breaks=True),
}
"""Streams that the server breaks off."""

ANSWERED = {
    "nothing": Reply(content=b""),
    "nothing, 204": Reply(content=b"", status=204, media_type=None),
    "null": Reply(content=b"null"),
    "a list": Reply(content=b"[1, 2]"),
    "a number": Reply(content=b"7"),
    "a text": Reply(content=b'"text"'),
    "no JSON": Reply(content=b"<html>busy</html>"),
    "half of JSON": Reply(content=b'{"id": "x'),
    "HTML": Reply(content=b"<html>busy</html>", media_type="text/html"),
    "text": Reply(content="é".encode(), media_type="text/plain; charset=utf-8"),
    "bytes": Reply(content=b"\x00\xff", media_type="application/octet-stream"),
    "gzip": Reply(content=gzip.compress(json.dumps(completion()).encode()), headers={"content-encoding": "gzip"}),
    "deep": Reply(completion() | {"deep": deep(60)}),
    "large numbers": Reply(completion() | {"n": [10**30, 2**63, 1.0, 1e-9, -0.0]}),
    "an error in 200": Reply(FAILED),
    "201": Reply(completion(), status=201),
    "64 KiB": Reply(completion("é" * 32_768)),
    "300 KiB": Reply(completion("é" * 150_000)),
    "its own spacing": Reply(content=json.dumps(completion(), indent=3, ensure_ascii=True).encode()),
    "its own ids and times": Reply(completion(created_at=7, system_fingerprint="chatcmpl-00000000")),
    "headers": Reply(
        completion(), headers={"retry-after": "3", "x-own": "é".encode().decode("latin-1"), "openai-organization": "o"}
    ),
}
"""Answers to a chat, and to a request that has no row in the coverage table."""
STATUSES = (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 503, 529)


def _lines(sdk: Colour) -> Any:
    manager = sdk.client.chat.completions.with_streaming_response.create(**HELLO, stream=True)
    with entered(sdk, manager) as response:
        return [response.status_code, [parsed_line(line) for line in sdk.items(response.iter_lines())]]


ANSWERS = (
    {f"streamed: {name}": plain(CHAT, **HELLO, stream=True)._replace(answer=reply) for name, reply in STREAMED.items()}
    | {f"lines of: {name}": Row(_lines, answer=reply) for name, reply in STREAMED.items() if name not in NO_LINES}
    | {f"answered: {name}": plain(CHAT, **HELLO)._replace(answer=reply) for name, reply in ANSWERED.items()}
    | {f"answered raw: {name}": raw(CHAT, **HELLO)._replace(answer=reply) for name, reply in ANSWERED.items()}
    | {
        f"answered elsewhere: {name}": posted("/odd", body={})._replace(answer=reply)
        for name, reply in ANSWERED.items()
    }
    | {
        f"content: {size} bytes of {kind}": plain("files.content", "f")._replace(
            answer=Reply(content=content * size, media_type=kind)
        )
        for size in (0, 1, 262_143, 262_144, 262_145)
        for kind, content in {"text/csv": b"a", "application/octet-stream": b"\xff", "application/json": b"1"}.items()
    }
    | {
        f"responses, streamed with {name}": plain("responses.create", **ASK, stream=True)._replace(answer=reply)
        for name, reply in {
            "events": Reply(events=response_events("Hello there"), is_done_sent=False),
            "events and [DONE]": Reply(events=response_events("Hello there")),
            "half of its events": Reply(events=response_events("Hello there")[:4], is_done_sent=False),
            "an error": Reply(
                events=[
                    *response_events()[:2],
                    {"type": "error", "code": "x", "message": "no", "param": None, "sequence_number": 2},
                ],
                is_done_sent=False,
            ),
        }.items()
    }
)
FAILURES = (
    {
        f"{status}: {name}": row._replace(answer=error(status, "No é.", code="code", retry_after="1"))
        for name, row in {
            "chat": METHODS["chat"],
            "chat, streamed": METHODS["chat, streamed"],
            "chat, raw": METHODS["chat, raw"],
            "embeddings": METHODS["embeddings"],
            "models": METHODS["models"],
            "file": OTHERS["file"],
            "upload": UPLOADS["upload of name"],
            "message": ANTHROPIC["anthropic: message"],
        }.items()
        for status in (STATUSES if name in ("chat", "upload", "message") else (400, 404, 429))
    }
    | {
        f"{way}, cut {when}": METHODS[way]._replace(answer=reply)
        for when, reply in CUT.items()
        for way in ("chat, streamed", "chat, raw stream", "chat, posted stream")
    }
    | {
        f"400 of {name}": METHODS["chat"]._replace(answer=Reply(content=content, status=400, media_type=kind))
        for name, (kind, content) in ERROR_TEXTS.items()
    }
)
