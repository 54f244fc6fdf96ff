"""Servers of recordings in processes of their own: one as `inference-recorder serve` runs it, or several.

`python -m tests.server.process COUNT DIRECTORY MODE UPSTREAM` forks several after importing all that they need, prints
the URL of each, and ends them at SIGTERM.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inference_recorder import inference_recording
from inference_recorder.server.app import RecordingServer
from inference_recorder.server.running import serving
from inference_recorder.server.upstream import BaseUrls

from ..support.systems import needs_signals

ROOT = Path(__file__).parents[2]
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
    needs_signals()
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


@contextmanager
def server_processes(count: int, directory: Path, mode: str, upstream: str) -> Iterator[list[str]]:
    """Run several servers on one directory while the block runs; yields their URLs."""
    needs_signals()
    command = [sys.executable, "-m", "tests.server.process", str(count), str(directory), mode, upstream]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield [process.stdout.readline().strip() for _ in range(count)]
        finally:
            process.terminate()
            assert 0 == process.wait(60)


def _main(count: int, directory: str, mode: str, upstream: str) -> int:
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            _serve(directory, mode, upstream)
            return 0
        children.append(child)
    signal.signal(signal.SIGTERM, lambda *_: [os.kill(child, signal.SIGTERM) for child in children])
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


def _serve(directory: str, mode: str, upstream: str) -> None:
    has_to_end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: has_to_end.set())
    app = RecordingServer(BaseUrls(upstream))
    with inference_recording(mode, directory), serving(app) as url:
        os.write(1, f"{url}\n".encode())  # at once: the others write there too
        has_to_end.wait()


if __name__ == "__main__":
    sys.exit(_main(int(sys.argv[1]), *sys.argv[2:5]))
