"""A whole suite under pytest-xdist: recorded once by its workers, replayed by them with nothing sent."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ..conftest import files_of
from ..support.openai_server import OpenAIServer

SUITE = """
    import asyncio, os
    import openai, pytest
    from inference_recorder import inference_recording

    HELLO = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Say hello."}]}
    client = openai.OpenAI(base_url=os.environ["SERVER"], api_key="x")

    @pytest.fixture
    def recorder():
        with inference_recording() as session:
            yield session

    @pytest.mark.parametrize("number", range(12))
    def test_plain(number, recorder):
        assert "Hello" in client.chat.completions.create(**HELLO).choices[0].message.content

    @inference_recording()
    def test_decorated():
        chunks = list(client.chat.completions.create(**HELLO, stream=True))
        assert "Hello!" == "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    def test_async(recorder):
        async def main():
            async with openai.AsyncOpenAI(base_url=os.environ["SERVER"], api_key="x") as client:
                return await asyncio.gather(*(client.chat.completions.create(**HELLO, seed=n) for n in range(5)))
        assert 5 == len(asyncio.run(main()))

    @pytest.mark.parametrize("worker", range(6))
    def test_shared(worker):
        with inference_recording(test_id="shared by all workers"):
            client.embeddings.create(model="m", input="the same for all")
"""


def run(directory: Path, server: OpenAIServer, mode: str) -> subprocess.CompletedProcess[str]:
    """Run the suite in `directory` with two workers, of whose plugins there are xdist and ours."""
    settings = {
        "LLAMA_STACK_TEST_INFERENCE_MODE": mode,
        "SERVER": server.base_url,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    plugins = ["-p", "xdist", "-p", "inference_recorder.pytest_plugin", "-p", "no:cacheprovider"]
    # In one line each: what takes most of a failing run is the source that pytest shows of the SDK.
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--tb=line", *plugins]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(
        command, cwd=directory, env=environment | settings, capture_output=True, text=True, check=False
    )


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Return how many tests had each outcome, as pytest itself reads its summary."""
    return pytest.RunResult.parse_summary_nouns(done.stdout.splitlines())


def test_two_workers_record_a_suite_and_replay_it(server: OpenAIServer, tmp_path: Path) -> None:
    """The command that every user types; what all workers share is asked for once."""
    (tmp_path / "test_suite.py").write_text(textwrap.dedent(SUITE))
    missed = run(tmp_path, server, "replay")
    recorded = run(tmp_path, server, "record-if-missing")
    asked = server.count
    replayed = run(tmp_path, server, "replay")

    assert {"failed": 20} == outcomes(missed), missed.stdout
    assert "Recording not found" in missed.stdout
    assert {"passed": 20} == outcomes(recorded), recorded.stdout
    assert {"passed": 20} == outcomes(replayed), replayed.stdout
    assert 12 + 1 + 5 + 1 == asked == server.count == len(files_of(tmp_path / "recordings"))
