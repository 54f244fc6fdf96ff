"""Runs the server in a thread of this process."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from ..sdk.own_servers import running_at
from .app import RecordingServer

GRACE_SECONDS = 10
"""How long answers that are being sent or recorded may take at the end."""


class _Server(uvicorn.Server):
    """Tells when it accepts requests, and closes the application's connections in the loop that made them."""

    def __init__(self, app: RecordingServer) -> None:
        asgi: Any = app
        config = uvicorn.Config(
            asgi,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            server_header=False,
            date_header=False,
            access_log=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        super().__init__(config)
        self.app = app
        self.has_started = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.has_started.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):  # their clients do not read what is left
            connection.transport.abort()
        await self.app.close()

    def serve_in_thread(self, listener: socket.socket) -> None:
        logger, thread_id = logging.getLogger("asyncio"), threading.get_ident()

        def is_shown(record: logging.LogRecord) -> bool:
            # asyncio warns when a client of this server left early; its stream is read to the end all the same.
            return record.thread != thread_id or not str(record.msg).startswith("socket.send() raised")

        logger.addFilter(is_shown)
        try:
            asyncio.run(self.serve([listener]))
        finally:
            logger.removeFilter(is_shown)
            self.has_started.set()


@contextmanager
def serving(app: RecordingServer, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve `app` in a thread while the block runs; yields its URL without a path, such as "http://127.0.0.1:43817".

    At the end, what is being answered or stored has ten seconds to finish. Raises OSError if the port is taken.
    """
    server = _Server(app)
    with _listening(host, port) as listener:
        thread = threading.Thread(
            target=server.serve_in_thread, args=(listener,), name="inference_recorder-server", daemon=True
        )
        thread.start()
        server.has_started.wait()
        try:
            url = _url_of(listener)
            with running_at(url):
                yield url
        finally:
            server.should_exit = True
            thread.join()


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; 0 is a free port. Raises OSError."""
    # Only with an explicit protocol, asyncio disables Nagle's algorithm; otherwise a second answer waits 40 ms.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except BaseException:
        listener.close()
        raise
    return listener


def _url_of(listener: socket.socket) -> str:
    """Return the URL of a socket, without a path."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
