"""The environment of programs that ask the server."""

from __future__ import annotations

import subprocess
import sys

import pytest

from inference_recorder.server.environment import environment_of


def test_a_traceback_of_subprocess_shows_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest prints the arguments of subprocess.run() when the program fails."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-not-to-be-shown")

    environment = environment_of("http://127.0.0.1:9", may_lack_keys=False)

    command = [sys.executable, "-c", "import os; print(os.environ['ANTHROPIC_API_KEY'])"]
    assert "sk-ant-not-to-be-shown\n" == subprocess.check_output(command, env=environment, text=True)
    assert "sk-ant-not-to-be-shown" not in repr(environment)
    assert "ANTHROPIC_API_KEY" in repr(environment)
