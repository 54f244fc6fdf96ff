"""Helpers of the tests of `serve` and `run`: the commands in processes of their own, and requests to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ..support.systems import needs_signals

COMMAND = [sys.executable, "-c", "from inference_recorder.cli.main import main; main(prog_name='inference-recorder')"]
"""As the installed script does."""
CHAT = "/v1/chat/completions"
TIMEOUT_SECONDS = 120


@dataclass
class Serving:
    """A running `inference-recorder serve`."""

    process: subprocess.Popen[str]
    announced: str
    """The line with which it began."""
    url: str
    """Without a path."""
    rest: str = ""
    """What it has written on stderr, when it has ended."""

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send it this signal; returns its exit code."""
        self.process.send_signal(number)
        self.rest = self.process.communicate(timeout=TIMEOUT_SECONDS)[1]
        return self.process.returncode


@contextmanager
def serving(*options: object, directory: Path, **variables: str) -> Iterator[Serving]:
    """Run `serve` in this directory while the block runs, with these options and variables of the environment."""
    needs_signals()
    command = [*COMMAND, "serve", *map(str, options)]
    environment = {**os.environ, **variables}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=directory, env=environment, **pipes) as process:
        assert process.stderr is not None
        announced = process.stderr.readline()
        if " at http" not in announced:
            raise AssertionError(announced + process.communicate(timeout=TIMEOUT_SECONDS)[1])
        running = Serving(process, announced, announced.rpartition(" at ")[2].strip().removesuffix("/v1"))
        try:
            yield running
        finally:
            if process.poll() is None:
                process.kill()


def run(*arguments: object, directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `inference-recorder` with these arguments in this directory."""
    command = [*COMMAND, *map(str, arguments)]
    environment = {**os.environ, **variables}
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )


def ask(
    url: str, text: str = "Say hello.", *, path: str = CHAT, stream: bool = False, **headers: str
) -> httpx.Response:
    """Send a chat request to the server at `url`; returns the response, read."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]} | ({"stream": True} if stream else {})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"{url}{path}", json=body, headers=named, timeout=TIMEOUT_SECONDS, trust_env=False)


def said(response: httpx.Response) -> str:
    """Return the text of a chat completion."""
    text: str = response.json()["choices"][0]["message"]["content"]
    return text
