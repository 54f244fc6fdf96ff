"""A server of recordings in a process of its own, as `inference-recorder serve` runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_COMMAND = Path(sys.executable).with_name("inference-recorder")


class ServerProcess:
    """A running server; `url` is where it listens."""

    def __init__(self, process: subprocess.Popen[str], ready_file: Path) -> None:
        self.process = process
        self._ready_file = ready_file

    @property
    def url(self) -> str:
        while not self._ready_file.exists():
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.01)
        return self._ready_file.read_text()

    def kill(self) -> None:
        """End it with kill -9, as a cancelled job does."""
        self.process.kill()
        self.process.wait(60)

    def end(self) -> str:
        """End it with SIGTERM; returns what it wrote to stdout and stderr."""
        self.process.terminate()
        output, _ = self.process.communicate(timeout=60)
        assert 0 == self.process.returncode, output
        return output


@contextmanager
def server_process(
    directory: Path, mode: str, upstream: str, *options: str, ready_file: Path
) -> Iterator[ServerProcess]:
    """Run a server while the block runs."""
    command = [str(_COMMAND), "serve", "--mode", mode, "--dir", str(directory), "--ready-file", str(ready_file)]
    upstreams = ["--upstream", upstream, "--anthropic-upstream", upstream.removesuffix("/v1"), *options]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    ready_file.unlink(missing_ok=True)
    with subprocess.Popen([*command, *upstreams], cwd=directory.parent, env=environment, **pipes) as process:
        try:
            yield ServerProcess(process, ready_file)
        finally:
            process.kill()
