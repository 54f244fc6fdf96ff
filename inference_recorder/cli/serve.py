"""`inference-recorder serve`: the recordings over HTTP, for programs in any language."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ..children import variables
from ..engine.test_run import PYTEST_VARIABLE
from ..network import is_loopback
from ..server.paths import prefix
from .console import remark
from .served import Served, takes_server_options

_EVERY_NETWORK = frozenset({"0.0.0.0", "::"})  # noqa: S104 - refused without a token
"""As an address to connect to they are this machine, as one to listen at all its networks."""


@click.command()
@takes_server_options
@click.option("--host", default="127.0.0.1", show_default=True, help="Another one than this machine needs a token.")
@click.option(
    "--token", envvar="INFERENCE_RECORDER_TOKEN", default="", help="What every path has to begin with: /k/TOKEN/…"
)
@click.option("--ready-file", type=click.Path(path_type=Path), help="Write the URL there when requests are accepted.")
def serve(host: str, port: int, token: str, ready_file: Path | None, **options: Any) -> None:
    """Answer the requests of OpenAI's and Anthropic's API from recordings, or record them, until SIGTERM or Ctrl-C.

    Clients of OpenAI's API get URL/v1 as their base URL, those of Anthropic's URL. A request says which test it belongs
    to in the header X-Inference-Test-Id, or in its path: URL/t/TEST/v1, with the percent-encoded id of the test. A run
    that asks a server which answered an earlier one names itself, so that its calls are counted from the first answer
    on: URL/t/TEST/r/RUN/v1.

    \b
    Exit codes:
      0  it was stopped
      1  the session cannot be opened
      2  the options are wrong, or the port is taken
    """
    if not token and (host in _EVERY_NETWORK or not is_loopback(host)):
        raise click.UsageError(f"{host} can be reached from other machines; say who may ask: --token")
    served = Served(options)
    if ready_file is not None:  # that of a server which was killed
        ready_file.unlink(missing_ok=True)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with (
        served.session() as session,
        served.serving(host, port, token) as url,
        _announced(ready_file, url + prefix(token=token)),
    ):
        shown = url + prefix(token=token and "TOKEN")  # keep the token out of logs
        remark(f"{session.mode}, recordings in {session.store.directories.written}, at {shown}/v1")
        if PYTEST_VARIABLE in os.environ and not variables.inherited and served.may_join:
            remark("a test started this server and has no session that it could join: misses here fail no test")
        while not stopped.wait(1):  # without a timeout, Windows never sees the signal
            pass


@contextmanager
def _announced(path: Path | None, text: str) -> Iterator[None]:
    """Keep a file with this text there while the block runs. Only this user can read it, since it may hold the token.

    Raises click.UsageError.
    """
    if path is None:
        yield
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror}") from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
