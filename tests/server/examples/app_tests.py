"""An app in a process of its own. Its calls are those of the test for which it was started."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from inference_recorder.pytest_plugin.inference_server import InferenceServer


@pytest.fixture
def app(inference_server: InferenceServer) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # it listens already: nobody has to wait for the app
        command = [sys.executable, "-m", "uvicorn", "app:app", "--fd", str(listener.fileno())]
        with subprocess.Popen(command, env=inference_server.env, pass_fds=[listener.fileno()]) as process:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            process.terminate()


@pytest.mark.parametrize("name", ["Ada", "Alan"])
def test_it_greets(app: str, name: str) -> None:
    assert name in httpx.get(f"{app}/greet", params={"name": name}, timeout=60).text
