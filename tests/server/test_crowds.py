"""Many tests that ask at once, of one server or of several: each gets its own answers, in order."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from inference_recorder.server.paths import prefix

from ..conftest import HELLO, files_of
from ..support.openai_server import OpenAIServer, ReceivedRequest, Reply, chunks, completion
from .process import server_processes
from .served import CHAT, STREAMED, served

pytestmark = [pytest.mark.usefixtures("without_plugin"), pytest.mark.slow]

WORKERS, TESTS_OF_EACH = 8, 50
CALLS: tuple[dict[str, Any], ...] = (HELLO, STREAMED, HELLO, STREAMED)
"""What each test asks: the same as all others, so that a crossed answer would be taken for the right one."""


class Names:
    """Answers with the name of the test that asks, which the server of the models learns from a header, and a count."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def __call__(self, request: ReceivedRequest, number: int) -> Reply:
        name = request.headers["x-asked-by"]
        count = self.counts[name] = self.counts.get(name, 0) + 1
        text = f"{name}, call {count}."
        return Reply(events=chunks(*text.split())) if request.json.get("stream") else Reply(completion(text))


def text_of(response: httpx.Response) -> str:
    """Return the text of an answer without spaces, plain or streamed."""
    if response.headers["content-type"] == "application/json":
        return str(response.json()["choices"][0]["message"]["content"]).replace(" ", "")
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n")]
    choices = [json.loads(line)["choices"] for line in lines if line.startswith("{")]
    return "".join(choice[0]["delta"].get("content") or "" for choice in choices if choice)


def ask_as_worker(worker: int, url: str) -> list[str]:
    """Make the calls of all tests of a worker, five tests at once, and return what was wrong."""

    def ask(number: int) -> list[str]:
        name = f"test-{worker}-{number}"
        headers = {"x-asked-by": name, "authorization": "Bearer sk-of-the-tests"}
        wrong: list[str] = []
        for count, body in enumerate(CALLS, 1):
            # Half of them name themselves in the path, half in the header.
            named = {"x-inference-test-id": name} if number % 2 else {}
            path = CHAT if number % 2 else prefix(test_id=name) + CHAT
            answer = client.post(url + path, json=body, headers=headers | named)
            text = text_of(answer) if answer.status_code == 200 else answer.text
            wrong += [f"{name}, call {count}: {text}"] if text != f"{name},call{count}." else []
        return wrong

    with httpx.Client(timeout=120) as client, ThreadPoolExecutor(5) as pool:
        return [text for texts in pool.map(ask, range(TESTS_OF_EACH)) for text in texts]


def ask_all(urls: Sequence[str]) -> list[str]:
    """Return what was wrong for all workers, each of which has one of the servers."""
    with ThreadPoolExecutor(WORKERS) as pool:
        wrong = pool.map(ask_as_worker, range(WORKERS), [urls[worker % len(urls)] for worker in range(WORKERS)])
    return [text for texts in wrong for text in texts]


@contextmanager
def one_for_all(directory: Path, mode: str, upstream: str) -> Iterator[list[str]]:
    with served(mode, directory, upstream) as running:
        yield [running.url]
    assert [] == running.reports


def one_for_each(directory: Path, mode: str, upstream: str) -> AbstractContextManager[list[str]]:
    return server_processes(WORKERS, directory, mode, upstream)


@pytest.mark.parametrize(
    ("mode", "serve"),
    [("record", one_for_each), ("record-if-missing", one_for_each), ("record-if-missing", one_for_all)],
)
def test_no_answers_are_crossed(mode: str, serve: Callable[..., Any], server: OpenAIServer, recordings: Path) -> None:
    """pytest -n 8 with four hundred tests, whose requests are all the same."""
    server.scripts[CHAT] = Names()
    with serve(recordings, mode, server.base_url) as urls:
        recorded = ask_all(urls)
    with serve(recordings, "replay", server.base_url) as urls:
        replayed = ask_all(urls)

    calls = WORKERS * TESTS_OF_EACH * len(CALLS)
    assert ([], []) == (recorded, replayed)
    assert calls == server.count == len(files_of(recordings))
    assert "sk-of-the-tests" not in "".join(path.read_text() for path in recordings.glob("*.json"))


@pytest.mark.parametrize("serve", [one_for_all, one_for_each])
@pytest.mark.parametrize("body", [HELLO, STREAMED], ids=["plain", "streamed"])
def test_many_clients_with_one_request_make_one_live_call(
    body: dict[str, Any], serve: Callable[..., Any], server: OpenAIServer, recordings: Path
) -> None:
    """A fixture that all workers share asks at the same moment in each of them."""
    words = [f"word{number}" for number in range(10)]
    plain = Reply(completion("".join(words)), delay_seconds=2)
    server.answers(CHAT, Reply(events=chunks(*words), pause_seconds=0.2) if body.get("stream") else plain)
    with serve(recordings, "record-if-missing", server.base_url) as urls:
        together = threading.Barrier(40)

        def ask(number: int) -> str:
            together.wait(60)
            return text_of(httpx.post(urls[number % len(urls)] + CHAT, json=body, timeout=120))

        with ThreadPoolExecutor(40) as pool:
            texts = list(pool.map(ask, range(40)))

    assert {"".join(words)} == set(texts)
    assert 1 == server.count == len(files_of(recordings))
