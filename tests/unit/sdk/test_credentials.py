"""A machine without a key can replay."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import MissingRecording, inference_recording

from ...conftest import HELLO, Colour
from ...support.openai_server import OpenAIServer

AZURE: dict[str, Any] = {"azure_endpoint": "https://test.openai.azure.com", "api_version": "2024-06-01"}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (openai.OpenAI, {}),
        (openai.AsyncOpenAI, {}),
        (openai.AzureOpenAI, AZURE),
        (openai.AsyncAzureOpenAI, AZURE),
    ],
    ids=["sync", "async", "Azure", "async Azure"],
)
def test_a_client_made_in_replay_needs_no_key(
    kind: Any, options: dict[str, Any], recordings: Path, without_plugin: None
) -> None:
    """CI has none, and contributors have none; the code under test makes its client as always."""
    with inference_recording("replay", recordings):
        assert kind is type(kind(**options))
    with pytest.raises(openai.OpenAIError):
        kind(**options)


def test_an_empty_key_is_a_missing_one(recordings: Path, without_plugin: None) -> None:
    """llama-index gives its client "" where no variable names a key."""
    with inference_recording("replay", recordings):
        assert isinstance(openai.OpenAI(api_key=""), openai.OpenAI)


@pytest.mark.parametrize("options", [{}, {"api_key": ""}], ids=["made before it was set", "given an empty key"])
def test_a_client_without_a_key_is_not_answered_with_a_variable_that_is_set(
    options: dict[str, str], server: OpenAIServer, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Setting what is set helps nobody."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with inference_recording("record-if-missing", recordings):
        client = openai.OpenAI(base_url=server.base_url, **options)
        if client.api_key == "":
            pytest.skip("this SDK takes an empty key for a key")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-real")
        with pytest.raises(openai.OpenAIError, match="to record it, pass it the key of OPENAI_API_KEY, which it was"):
            client.models.list()

    assert not server.received


@pytest.mark.parametrize("mode", ["record", "record-if-missing", "live"])
def test_a_client_that_may_send_needs_its_key(mode: str, recordings: Path, without_plugin: None) -> None:
    """A made-up key would turn a clear error into a 401 from the API."""
    with inference_recording(mode, recordings), pytest.raises(openai.OpenAIError):
        openai.OpenAI()


def test_the_modules_client_needs_no_key_in_replay_and_keeps_none(recordings: Path) -> None:
    """`openai.chat.completions.create` makes its client on first use and keeps the key in the module."""
    before = openai.api_key
    with inference_recording("replay", recordings), pytest.raises(MissingRecording):
        openai.chat.completions.create(**HELLO)

    assert (before or "") == (openai.api_key or "")
    openai._reset_client()  # type: ignore[attr-defined]  # as the SDK's own tests do


def test_a_key_that_is_there_is_used(server: OpenAIServer, recordings: Path) -> None:
    """A client made in replay may live on and ask for real later."""
    with inference_recording("replay", recordings):
        client = openai.OpenAI(api_key="sk-real", base_url=server.base_url)
    client.chat.completions.create(**HELLO)
    client.close()

    assert "Bearer sk-real" == server.received[0].headers["authorization"]


@pytest.mark.parametrize("is_copy", [False, True], ids=["the client", "a copy"])
def test_a_made_up_key_is_never_sent(
    is_copy: bool, make_sdk: Callable[..., Colour], server: OpenAIServer, recordings: Path
) -> None:
    """A reader of a 401 looks for a wrong key, and there is none."""
    with inference_recording("replay", recordings):
        sdk = make_sdk(api_key=None)
        if is_copy:
            sdk.client = sdk.client.with_options(timeout=5)
    for mode in ("record", "live"):
        with inference_recording(mode, recordings) as session:
            with pytest.raises(openai.OpenAIError, match=r"was made without one\n  .* set OPENAI_API_KEY"):
                sdk.call("chat.completions.create", **HELLO)
        assert not session.recorded + session.dropped
    with pytest.raises(openai.OpenAIError, match=r"test_a_made_up_key_is_never_sent.*\n.*is in no session"):
        sdk.call("chat.completions.create", **HELLO)
    sdk.client.api_key = "sk-real"
    sdk.call("chat.completions.create", **HELLO)

    assert ["Bearer sk-real"] == [request.headers["authorization"] for request in server.received]


def test_no_websocket_is_opened_with_a_made_up_key() -> None:
    """It goes past the client's requests."""
    with openai.OpenAI() as client, pytest.raises(openai.OpenAIError, match="was made without one"):
        client.beta.realtime.connect(model="gpt-4o")


SCRIPT = """
import sys
from inference_recorder import inference_recording
from openai import OpenAI
client = OpenAI(base_url=sys.argv[1])
with inference_recording("replay", sys.argv[2], scope="shared"):
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Say hello."}])
"""


@pytest.mark.slow
def test_outside_pytest_the_sdks_error_says_when_a_client_needs_no_key(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path, sessions_are_runs: None
) -> None:
    """A script that makes its client first fails before any session could help; what it advises works."""
    with inference_recording("record", recordings, scope="shared"):
        client.chat.completions.create(**HELLO)
    command = [sys.executable, "-c", SCRIPT, server.base_url, str(recordings)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}

    failed = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    replayed = subprocess.run(command, capture_output=True, check=False, env={**environment, "OPENAI_API_KEY": "any"})

    assert "inference_recorder: a client needs no key if it is made inside" in failed.stderr.splitlines()[-1]
    assert (1, 0) == (failed.returncode, replayed.returncode)
