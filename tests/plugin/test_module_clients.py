"""Clients that modules make when they are imported."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence

import pytest

from ..support.openai_server import Reply, completion
from .conftest import Suite

APP = """
import os
import openai

options = {"max_retries": 0, "http_client": openai.DefaultHttpxClient(verify=False)}
client = openai.OpenAI(base_url=os.environ["SERVER"], **options)
azure = openai.AzureOpenAI(azure_endpoint=os.environ["SERVER"], api_version="2024-06-01", **options)

def own_client():
    return openai.OpenAI(base_url=os.environ["SERVER"], max_retries=0)

def answer(text, client=client):
    question = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}
    return client.chat.completions.create(**question).choices[0].message.content
"""
TESTS = """
    from app import answer, azure, own_client
    pytestmark = pytest.mark.inference_recording
    def test_recorded():
        with own_client() as client:
            answer("Say hello."), answer("Say hello.", azure), answer("Say hello.", client)
"""
RECORD_IF_MISSING = "--inference-mode=record-if-missing"


def recorded_app(suite: Suite, monkeypatch: pytest.MonkeyPatch, files: Sequence[str] = ("test_it.py",)) -> None:
    """Write a suite whose conftest.py imports the application, and record it with a key, which is gone then."""
    suite.server.answers("/v1/openai/deployments/gpt-4o/chat/completions", Reply(completion()))
    suite.write("app.py", APP)
    suite.write("conftest.py", "import app\ndef pytest_unconfigure(): app.client.close(), app.azure.close()")
    for name in files:
        suite.write(name, TESTS)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-real")
    suite.run(RECORD_IF_MISSING).assert_outcomes(passed=len(files))
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("AZURE_OPENAI_API_KEY")
    suite.server.received.clear()


@pytest.mark.slow
def test_an_application_that_makes_its_clients_at_import_replays_without_a_key(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most do, and conftest.py imports them before anything else of the suite; afterwards the SDK is as it was."""
    recorded_app(suite, monkeypatch)
    program = """
import sys, pytest
pytest.main()
import openai
finders = [finder for finder in sys.meta_path if "inference_recorder" in repr(finder)]
print("left:", type(openai.OpenAI.__init__).__name__, finders)
"""

    result = suite.pytester.run(sys.executable, "-c", program)

    result.stdout.fnmatch_lines(
        ["recordings: 3 replayed, 0 recorded, 0 missed, 0 live, 0 unused", "left: function [[][]]"]
    )
    assert 0 == suite.server.count


@pytest.mark.parametrize("options", [[], pytest.param(["-n2"], marks=pytest.mark.slow)])
def test_a_test_module_may_be_the_first_to_import_the_sdk(
    options: list[str], suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no conftest.py imports the application, nothing of the run has seen the SDK before tests are collected."""
    recorded_app(suite, monkeypatch, files=("test_it.py", "test_more.py"))
    for name in ("ask.py", "conftest.py"):
        (suite.directory / name).unlink()
    for name in ("test_it.py", "test_more.py"):
        (suite.directory / name).write_text(f"import pytest\n{textwrap.dedent(TESTS)}")

    result = suite.run_apart(*options)

    result.assert_outcomes(passed=2)
    assert 0 == suite.server.count


def test_a_call_that_would_need_the_key_says_so(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was made up must not reach the API, whose 401 would explain nothing."""
    recorded_app(suite, monkeypatch)
    suite.write("test_it.py", f"{TESTS}\n    def test_new(): answer('Something new.')")
    suite.write("test_forgot.py", "from app import answer\ndef test_forgot(): answer('Say hello.')")

    result = suite.run(RECORD_IF_MISSING)

    result.assert_outcomes(passed=1, failed=2)
    assert 0 == suite.server.count
    start = "E * openai.OpenAIError: Nothing was sent: {} needs an API key, and its client was made without one"
    result.stdout.fnmatch_lines_random(
        [
            start.format("test_forgot.py::test_forgot"),
            "E *the call is in no session, *; mark the test with @pytest.mark.inference_recording, or *",
            "E *to call the API, set OPENAI_API_KEY",
            start.format("test_it.py::test_new"),
            "E *no recording answers the call; to record it, set OPENAI_API_KEY",
            "recordings: 3 replayed, 0 recorded, 0 missed, 0 live, 0 unused",
        ]
    )
    # As it says:
    suite.write(
        "test_forgot.py",
        "from app import answer\n@pytest.mark.inference_recording\ndef test_forgot(): answer('Say hello.')",
    )
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real")
    suite.run(RECORD_IF_MISSING).assert_outcomes(passed=3)
    monkeypatch.delenv("OPENAI_API_KEY")
    suite.run().assert_outcomes(passed=3)


@pytest.mark.slow
def test_a_live_call_without_a_key_is_not_asked_to_record(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A live session looks for no recording and makes none."""
    recorded_app(suite, monkeypatch)
    suite.write(
        "test_it.py", "from app import answer\n@pytest.mark.inference_recording('live')\ndef test_it(): answer('Hi')"
    )

    result = suite.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *its session is live; to call the API, set OPENAI_API_KEY"])
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real")
    suite.run().assert_outcomes(passed=1)


@pytest.mark.slow
def test_a_run_that_sends_every_call_needs_its_keys(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own error comes at once, where the client is made."""
    recorded_app(suite, monkeypatch)

    result = suite.run_apart("--inference-mode=record")

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*OPENAI_API_KEY*"])


@pytest.mark.slow
def test_a_suite_without_sessions_may_use_an_sdk_that_is_not_supported(suite: Suite) -> None:
    """The plugin is installed in many environments; only a session needs to patch the SDK."""
    (suite.directory / "ask.py").write_text("ask = ask_async = try_to_ask = None")
    suite.write("openai/__init__.py", "__version__ = '9.0'")
    suite.write("openai/_client.py", "class OpenAI: pass")
    suite.write("test_it.py", "import openai._client\ndef test_it(): assert '9.0' == openai.__version__")

    suite.run_apart().assert_outcomes(passed=1)
