"""A suite of a user, run in this process or in its own."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import openai
import pytest

# Imported here, since what a run inside this process imports first is taken out of sys.modules at its end.
import inference_recorder.pytest_plugin.summary
import inference_recorder.recorder
import inference_recorder.storage.rollback  # noqa: F401

from ..conftest import files_of
from ..support.openai_server import OpenAIServer
from .programs import PROGRAMS

# What a client imports only when it is made: a run within this process, which takes away what it has imported, would
# leave the HTTP library with exceptions of modules that are there twice.
openai.DefaultHttpxClient(verify=False).close()

ASK = """
    import os
    import openai

    def question(text):
        return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}

    def ask(text="Say hello.", **more):
        options = {"api_key": "x", "max_retries": 0, "http_client": openai.DefaultHttpxClient(verify=False)}
        with openai.OpenAI(base_url=os.environ["SERVER"], **options) as client:
            return client.chat.completions.create(**question(text), **more).choices[0].message.content

    async def ask_async(text="Say hello.", **more):
        options = {"api_key": "x", "max_retries": 0, "http_client": openai.DefaultAsyncHttpxClient(verify=False)}
        async with openai.AsyncOpenAI(base_url=os.environ["SERVER"], **options) as client:
            return (await client.chat.completions.create(**question(text), **more)).choices[0].message.content

    def try_to_ask(text="Say hello."):
        try:
            return ask(text)
        except Exception as error:
            return type(error).__name__
"""
HEAD = """
    import pytest
    from ask import ask, ask_async, try_to_ask
    from inference_recorder import MissingRecording, inference_recording
    from inference_recorder.engine.test_run import running_test_id
"""


class Suite:
    """The directory of a user's project, whose tests are written one by one and run with pytest's arguments."""

    def __init__(self, pytester: pytest.Pytester, server: OpenAIServer) -> None:
        self.pytester = pytester
        self.server = server
        self.directory = pytester.path
        self.write("ask.py", ASK)

    def write(self, name: str, text: str) -> None:
        """Write a file; a test file begins with what all of them import."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        head = textwrap.dedent(HEAD) if path.name.startswith(("test_", "conftest")) else ""
        path.write_text(head + textwrap.dedent(text), encoding="utf-8")

    def configure(self, *lines: str) -> None:
        """Write `[tool.inference_recorder]` with these lines."""
        text = "\n".join(["[tool.inference_recorder]", *lines, ""])
        (self.directory / "pyproject.toml").write_text(text, encoding="utf-8")

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run the tests in this process: fast, but without workers and without a fresh start."""
        return self.pytester.runpytest_inprocess(*arguments)

    def run_apart(self, *arguments: str) -> pytest.RunResult:
        """Run the tests in a separate process."""
        return self.pytester.runpytest_subprocess(*arguments)

    def files(self, directory: str = "recordings") -> list[str]:
        return files_of(self.directory / directory)

    def recordings(self, directory: str = "recordings") -> list[dict[str, Any]]:
        """Return the recordings in a directory, parsed."""
        return [json.loads((self.directory / directory / name).read_text()) for name in self.files(directory)]

    def test_ids(self, directory: str = "recordings") -> list[str | None]:
        return sorted((recording["test_id"] for recording in self.recordings(directory)), key=str)


@pytest.fixture
def suite(pytester: pytest.Pytester, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> Suite:
    monkeypatch.setenv("SERVER", server.base_url)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -p no:cacheprovider -p no:hypothesispytest -W ignore")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.syspath_prepend(pytester.path)
    with openai.OpenAI(api_key="x") as client:
        client.chat.completions.create  # noqa: B018 - as above, for the SDK's lazy modules
    return Suite(pytester, server)


def line_of(result: pytest.RunResult, start: str) -> str:
    """Return the only line of the output that starts with `start`."""
    [line] = [line for line in result.outlines if line.startswith(start)]
    return line


@pytest.fixture
def programs(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tests of the suite start programs, and know the base urls of the server."""
    monkeypatch.setenv("OPENAI_BASE_URL", suite.server.base_url)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", suite.server.base_url.removesuffix("/v1"))
    monkeypatch.setenv("PYTHONPATH", str(suite.directory))
    suite.write("programs.py", PROGRAMS)
