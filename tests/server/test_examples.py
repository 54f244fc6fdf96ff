"""The examples beside this file, as a user runs them: recorded once, then replayed without key and network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ..conftest import files_of
from ..support.openai_server import ReceivedRequest, Reply, chunks, completion, running_server

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).parent / "examples"


def _greeting(request: ReceivedRequest, number: int) -> Reply:
    name = request.json["messages"][0]["content"].removeprefix("Greet ").removesuffix(".")
    if request.json.get("stream"):
        return Reply(events=chunks("Hello, ", f"{name}!"))
    return Reply(completion(f"Hello, {name}!"))


@pytest.mark.parametrize(("name", "tests", "calls"), [("app", 2, 2), ("greetings", 1, 2)])
def test_an_example_is_recorded_and_replayed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, name: str, tests: int, calls: int
) -> None:
    """Documentation that does not run is worse than none."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -p no:cacheprovider -p no:hypothesispytest -W ignore")
    monkeypatch.delenv("CI", raising=False)
    shutil.copy(EXAMPLES / f"{name}.py", pytester.path)
    shutil.copy(EXAMPLES / f"{name}_tests.py", pytester.path / f"test_{name}.py")

    with running_server() as server:
        server.elsewhere = _greeting
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-example")
        pytester.runpytest_subprocess("--inference-mode=record").assert_outcomes(passed=tests)
    monkeypatch.delenv("OPENAI_API_KEY")
    pytester.runpytest_subprocess().assert_outcomes(passed=tests)

    assert {"sk-of-the-example"} == {
        request.headers["authorization"].removeprefix("Bearer ") for request in server.received
    }
    assert calls == server.count == len(files_of(pytester.path / "recordings"))
