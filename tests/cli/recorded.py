"""Helpers of these tests: recordings written without a server, and commands run in a pipe or at a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from inference_recorder.cli.main import main
from inference_recorder.recording.answer import Answer, Value
from inference_recorder.recording.body import typed
from inference_recorder.recording.codec import encode
from inference_recorder.recording.layout import recording_name
from inference_recorder.recording.stability import recorded_id
from inference_recorder.request.jsonable import canonical_text
from inference_recorder.request.keys import EXACT, KeyVersion, request_key
from inference_recorder.request.request import Request
from inference_recorder.storage.directories import Directories
from inference_recorder.storage.store import Store

CHAT = "/v1/chat/completions"


def run(*arguments: str | Path) -> Result:
    """Run a command as in a pipe; an unexpected exception fails the test."""
    return CliRunner().invoke(main, [str(one) for one in arguments], catch_exceptions=False)


def at_a_terminal(*arguments: str | Path, columns: int = 100, **variables: str) -> tuple[int, str]:
    """Run a command in a process whose stdout and stderr are a terminal; returns its exit code and what it showed."""
    pty = pytest.importorskip("pty", reason="needs a terminal as POSIX has them")
    ours, theirs = pty.openpty()
    program = [sys.executable, "-c", "from inference_recorder.cli.main import main; main()", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color", **variables}
    process = subprocess.Popen(program, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while output := os.read(ours, 65536):
            shown += output
    except OSError:  # the terminal is gone with its last writer
        pass
    finally:
        os.close(ours)
    return process.wait(60), shown.decode().replace("\r\n", "\n")


def completion(text: str = "Hello!", key: str = "", tokens: tuple[int, int] = (3, 2)) -> Answer:
    """Return a chat completion as it is recorded under `key`."""
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
    message = {"role": "assistant", "content": text}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    data = {"id": recorded_id(key), "object": "chat.completion", "created": 0, "model": "gpt-4o", "choices": choices}
    return Value(typed("openai.types.chat.chat_completion.ChatCompletion", data | {"usage": usage}))


def record(
    directory: Path,
    test_id: str | None = "tests/test_a.py::test_b",
    *,
    question: str = "Say hello.",
    model: str = "gpt-4o",
    endpoint: str = CHAT,
    base_url: str = "https://api.openai.com/v1",
    answer: Answer | None = None,
    generation: KeyVersion = EXACT,
    key: str | None = None,
    position: int = 1,
    attachment: bytes | None = None,
    **body: Any,
) -> Path:
    """Write a recording as a session would, under its own key or `key`; returns its path."""
    arguments = {"model": model, "messages": [{"role": "user", "content": question}], **body}
    if endpoint == "/v1/models":
        arguments = {}
    url = base_url + endpoint
    name = key or request_key(Request("POST", endpoint, url, arguments, canonical_text(arguments)), test_id, generation)
    recorded = {"method": "POST", "url": url, "headers": {}, "body": arguments, "endpoint": endpoint, "model": model}
    content = encode(test_id, recorded, answer or completion(key=name))
    name = f"models-{name}-0badcafe" if endpoint == "/v1/models" else recording_name(name, position)
    path = Store(Directories(directory, (directory,))).write(name, content, attachment=attachment)
    assert path is not None
    return path


def tool_call(directory: Path, test_id: str = "tests/test_a.py::test_b") -> Path:
    """Write a call of a tool as llama-stack's recorder does; we do not replay it."""
    path = directory / f"{'5' * 64}.json"
    request = {"test_id": test_id, "provider": "search", "tool_name": "web", "kwargs": {}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"test_id": test_id, "request": request, "response": {"body": {}, "is_streaming": False}})
    )
    return path
