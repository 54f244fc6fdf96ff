"""`serve()`: an ASGI application on 127.0.0.1, in a thread of this process, while a block runs."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

_GRACE_SECONDS = 1
_POLL_SECONDS = 0.002


@contextmanager
def serve(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """Serve `app` on a free port, or this one, while the block runs; yields its URL, such as "http://127.0.0.1:43817".

    After the block, nothing listens there and the thread has ended; unfinished answers get one second to finish. The
    loggers of uvicorn write nothing from then on. Raises RuntimeError if the server cannot start, OSError if the port
    is taken.
    """
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    # Only with an explicit protocol, asyncio disables Nagle's algorithm; otherwise a second answer waits 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        thread = threading.Thread(target=server.run, args=([listener],), name="tests-loopback", daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    # The socket listens already: without a server behind it, a client would wait until its own timeout.
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the loopback server ended before it had started")
        time.sleep(_POLL_SECONDS)
