"""`python -m tests.server.load`: replayed streams beside a bare starlette app that sends the same bytes, and memory.

Both run in processes of their own under the same settings of uvicorn, and are asked in turns by 200 connections.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import StreamingResponse

from inference_recorder.server.running import serving

from ..support.openai_server import Reply, chunks, running_server
from .process import ROOT, ServerProcess, server_process
from .served import CHAT, STREAMED, answered, request_bytes

CONNECTIONS, ROUNDS, OF_EACH = 200, 5, 3
_STREAM = request_bytes(body=json.dumps(STREAMED).encode()).replace(b"connection: close\r\n", b"")
_END = b"0\r\n\r\n"


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Send the parts of the file that the command line names, a line each."""

    async def body() -> AsyncIterator[bytes]:
        for part in parts_of(sys.argv[2]):
            yield part

    await Request(scope, receive).body()
    await StreamingResponse(body(), media_type="text/event-stream")(scope, receive, send)


@cache
def parts_of(file: str) -> list[bytes]:
    return [part + b"\n\n" for part in Path(file).read_bytes().split(b"\n\n")[:-1]]


async def ask(url: str) -> tuple[float, list[float]]:
    """Return the seconds that all streams took together, and for each those until its first chunk."""
    firsts: list[float] = []

    async def connection() -> None:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
        for _ in range(OF_EACH):
            begun = time.perf_counter()
            writer.write(_STREAM)
            await reader.readuntil(b"data: ")
            firsts.append(time.perf_counter() - begun)
            await reader.readuntil(_END)
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return time.perf_counter() - begun, firsts


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def megabytes(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def bare_process(parts: Path) -> Iterator[ServerProcess]:
    command = [sys.executable, "-m", "tests.server.load", "bare", str(parts), str(parts.with_name("bare"))]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            yield ServerProcess(process, parts.with_name("bare"))
        finally:
            process.kill()


def main(directory: Path) -> None:
    recordings, parts = directory / "recordings", directory / "parts"
    recordings.mkdir()
    with running_server() as upstream:
        upstream.answers(CHAT, Reply(events=chunks(*(f"word{number}" for number in range(97)))))
        with server_process(recordings, "record", upstream.base_url, ready_file=directory / "recorded") as process:
            answered(process.url, request_bytes(body=json.dumps(STREAMED).encode()))
            process.end()
    with server_process(recordings, "replay", "http://127.0.0.1:9/v1", ready_file=directory / "ready") as ours:
        parts.write_bytes(_dechunked(answered(ours.url, request_bytes(body=json.dumps(STREAMED).encode()))[1]))
        with bare_process(parts) as theirs:
            figures: dict[str, list[tuple[float, float, float]]] = {"ours": [], "bare": []}
            for _ in range(ROUNDS + 1):
                for name, process in (("ours", ours), ("bare", theirs)):
                    cpu = cpu_seconds(process.process.pid)
                    seconds, firsts = asyncio.run(ask(process.url))
                    cpu = cpu_seconds(process.process.pid) - cpu
                    count = CONNECTIONS * OF_EACH
                    figures[name].append((count / seconds, statistics.median(firsts) * 1000, cpu / count * 1000))
        medians = {
            name: [statistics.median(column) for column in zip(*rows[1:], strict=True)]
            for name, rows in figures.items()
        }
        for name, (rate, first, cpu) in medians.items():
            print(f"{name}: {rate:.0f} streams/s, first chunk after {first:.0f} ms (median), {cpu:.2f} ms CPU each")
        rate, first, cpu = (ours / bare for ours, bare in zip(medians["ours"], medians["bare"], strict=True))
        print(f"ratio: {rate:.2f} of the rate, {first:.2f} times the first chunk, {cpu:.2f} times the CPU")
        print("; ".join(asyncio.run(send_many(ours))))


async def send_many(process: ServerProcess) -> list[str]:
    """Return how large the server is after each 5,000 of 20,000 further streams."""
    parts = urlsplit(process.url)
    sizes = [f"{megabytes(process.process.pid):.1f} MB before"]

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
        for _ in range(250):
            writer.write(_STREAM)
            await reader.readuntil(_END)
        writer.close()

    for total in range(5_000, 20_001, 5_000):
        await asyncio.gather(*(connection() for _ in range(20)))
        sizes.append(f"{megabytes(process.process.pid):.1f} MB after {total:,} requests")
    return sizes


def _dechunked(body: bytes) -> bytes:
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        content, body = content + body[:length], body[length + 2 :]
    return content


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        app: Any = bare
        app.close = lambda: asyncio.sleep(0)
        with serving(app) as bare_url:
            Path(sys.argv[3]).write_text(bare_url)
            while True:
                time.sleep(1)
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary))
