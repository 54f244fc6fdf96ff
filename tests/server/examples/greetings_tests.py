"""An async test of an async program."""

import asyncio
import sys
from asyncio.subprocess import PIPE

import pytest

from inference_recorder.pytest_plugin.inference_server import InferenceServer


@pytest.mark.asyncio
async def test_it_greets_all(inference_server: InferenceServer) -> None:
    command = [sys.executable, "greetings.py", "Ada", "Alan"]
    process = await asyncio.create_subprocess_exec(*command, env=inference_server.env, stdout=PIPE)
    output, _ = await process.communicate()
    assert output.decode().split("\n") == ["Hello, Ada!", "Hello, Alan!", ""]
