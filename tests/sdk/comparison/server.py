"""A small HTTP server that sends each generated stream byte for byte, in the parts that its case wants."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from .cases import Case, events_of

_PAUSE_SECONDS = 0.0005
_MOST_PARTS = 12


class StreamServer:
    """Answers each request with the stream of the case that its `user` (or `metadata`) names, and counts them."""

    def __init__(self, cases: list[Case]) -> None:
        self.base_url = ""
        self.received: Counter[int] = Counter()
        """Number of a case -> how often it was requested."""
        self._cases = {case.number: case for case in cases}

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until its client has closed it."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                body = json.loads(await reader.readexactly(int(length.partition(b":")[2])))
                case = self._cases[int(body["user"])]
                self.received[case.number] += 1
                await _answer(case, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is gone, or left the stream
        finally:
            writer.close()


@contextmanager
def running(cases: list[Case]) -> Iterator[StreamServer]:
    """Serve these cases on 127.0.0.1, in a thread, while the block runs."""
    server, started, loop = StreamServer(cases), threading.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        async with await asyncio.start_server(server.handle, "127.0.0.1", 0) as listening:
            server.base_url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
            started.set()
            await over.wait()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    over = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    started.wait()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@lru_cache(maxsize=64)
def _content(case: Case) -> bytes:
    content = b"".join(events_of(case))
    return gzip.compress(content, 1) if case.is_compressed else content


async def _answer(case: Case, writer: asyncio.StreamWriter) -> None:
    content, encoding = _content(case), "content-encoding: gzip\r\n" if case.is_compressed else ""
    writer.write(
        f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{encoding}transfer-encoding: chunked\r\n\r\n".encode()
    )
    for part in _parts(case, content):
        writer.write(b"%x\r\n%b\r\n" % (len(part), part))
        await writer.drain()
        if case.is_paced:
            await asyncio.sleep(_PAUSE_SECONDS)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


def _parts(case: Case, content: bytes) -> Iterator[bytes]:
    """Yield the body in one part, or cut at places that need not be the ends of events."""
    chance = random.Random(case.number)
    cuts = sorted(chance.sample(range(1, len(content)), min(_MOST_PARTS, len(content) - 1)) if case.is_paced else [])
    for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
        yield content[start:end]
