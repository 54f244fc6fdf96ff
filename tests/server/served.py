"""A server of recordings in this process, what it reports, and requests to it byte by byte."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from inference_recorder import inference_recording
from inference_recorder.server.app import RecordingServer
from inference_recorder.server.running import serving
from inference_recorder.server.upstream import BaseUrls
from inference_recorder.session import Session

from ..conftest import HELLO

CHAT = "/v1/chat/completions"
HELLO_BYTES = json.dumps(HELLO).encode()
STREAMED: dict[str, Any] = HELLO | {"stream": True}


@dataclass
class Served:
    """A running server; `reports` has each error that it reported, with its test id."""

    session: Session
    url: str = ""
    reports: list[tuple[str | None, Exception]] = field(default_factory=list)


@contextmanager
def served(
    mode: str, directory: Path, upstream: str, *, session: dict[str, Any] | None = None, **options: Any
) -> Iterator[Served]:
    """Serve the recordings in a directory while the block runs; `session` and `options` are further arguments."""
    urls = BaseUrls(upstream, upstream.removesuffix("/v1"))
    with inference_recording(mode, directory, **session or {}) as opened:
        running = Served(opened)
        app = RecordingServer(urls, report=lambda error, test_id: running.reports.append((test_id, error)), **options)
        with serving(app) as running.url:
            yield running


def connected(url: str) -> socket.socket:
    """Return a connection to a server."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port or 80), timeout=30)


def request_bytes(
    target: bytes = CHAT.encode(),
    method: bytes = b"POST",
    headers: Iterable[tuple[bytes, bytes]] = (),
    body: bytes = HELLO_BYTES,
) -> bytes:
    """Return a request as it crosses the network, with nothing checked."""
    lines = [b"%b %b HTTP/1.1" % (method, target), b"host: x", b"connection: close", b"content-type: application/json"]
    lines += [b"content-length: %d" % len(body), *(b"%b: %b" % header for header in headers)]
    return b"\r\n".join((*lines, b"", body))


def answered(url: str, request: bytes) -> tuple[int, bytes]:
    """Send bytes and return the status and the body of the answer; (0, b"") for a connection closed without one."""
    with connected(url) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split(b" ", 2)[1]), body) if head else (0, b"")
