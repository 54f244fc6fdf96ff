"""Python processes that are started in a session join it: nothing that they ask reaches a model in replay."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from inference_recorder import inference_recording

from ..conftest import files_of
from ..support.openai_server import OpenAIServer

pytestmark = pytest.mark.usefixtures("without_plugin")

CHILD = """
    import asyncio, os, sys
    import openai

    def ask(text="Say hello."):
        options = {"api_key": "x", "max_retries": 0, "http_client": openai.DefaultHttpxClient(verify=False)}
        with openai.OpenAI(base_url=os.environ["SERVER"], **options) as client:
            messages = [{"role": "user", "content": text}]
            return client.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.content

    async def ask_async(text):
        options = {"api_key": "x", "max_retries": 0, "http_client": openai.DefaultAsyncHttpxClient(verify=False)}
        async with openai.AsyncOpenAI(base_url=os.environ["SERVER"], **options) as client:
            messages = [{"role": "user", "content": text}]
            answer = await client.chat.completions.create(model="gpt-4o", messages=messages)
            return answer.choices[0].message.content

    def try_to_ask(text="Say hello."):
        try:
            return ask(text)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
"""
Run = Callable[[str], str]


@pytest.fixture
def run(server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs statements in a process of their own, after those of CHILD; returns what they print."""
    (tmp_path / "child.py").write_text(textwrap.dedent(CHILD))
    monkeypatch.setenv("SERVER", server.base_url)
    monkeypatch.syspath_prepend(tmp_path)

    def run(statements: str) -> str:
        program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom child import *\n{statements}"
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert "" == result.stderr
        return result.stdout.strip()

    return run


def test_a_process_records_and_replays(run: Run, server: OpenAIServer, recordings: Path) -> None:
    """The same request again is the next of its series, and a miss raises there."""
    calls = "print(ask(), ask(), asyncio.run(ask_async('async')))"
    before = dict(os.environ)
    with inference_recording("record", recordings) as recording:
        recorded = run(calls)

    with inference_recording("replay", recordings) as replaying:
        replayed = run(f"{calls}; print(try_to_ask('new'))").splitlines()

    assert before == dict(os.environ)
    assert 3 == server.count == len(files_of(recordings))
    assert recorded == replayed[0]
    assert "MissingRecording: Recording not found for POST /v1/chat/completions (model gpt-4o)" == replayed[1]
    assert ({"recorded": 3}, {"replayed": 3, "missed": 1}) == (recording.counts, replaying.counts)
    assert 3 == len(replaying.requests) == len(recording.requests)
    assert replaying.usage == recording.usage


def test_what_is_installed_runs_as_usual(tmp_path: Path, recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another tool's sitecustomize still runs, and an environment without this package notices nothing."""
    (tmp_path / "sitecustomize.py").write_text("print('installed')")
    (tmp_path / "openai.py").write_text("print('another openai')")
    (tmp_path / "inference_recorder.py").write_text("raise ImportError('not here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    program = "import sys, openai, sitecustomize; print(sitecustomize.__file__, *sys.path)"
    command = [sys.executable, "-c", program]
    outside = subprocess.run(command, capture_output=True, text=True)

    with inference_recording("replay", recordings):
        inside = subprocess.run(command, capture_output=True, text=True)

    assert (outside.stdout, "") == (inside.stdout, inside.stderr)
    assert inside.stdout.startswith(f"installed\nanother openai\n{tmp_path / 'sitecustomize.py'}")


def test_nothing_is_imported_before_the_sdk(recordings: Path) -> None:
    """Most programs that a test starts never call a model."""
    program = "import sys; print([name for name in sys.modules if 'inference' in name or 'importlib.' in name])"
    command = [sys.executable, "-c", program]
    outside = subprocess.run(command, capture_output=True, text=True)

    with inference_recording("replay", recordings):
        inside = subprocess.run(command, capture_output=True, text=True)

    assert (outside.stdout, "") == (inside.stdout, inside.stderr)
