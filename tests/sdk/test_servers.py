"""A server under test that serves several tests at once: each call belongs to the test whose request caused it."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import httpx
import openai
import pytest

from inference_recorder import inference_recording, llama_stack, test_id_context
from inference_recorder.asgi import event_hooks
from inference_recorder.config import DIRECTORY_VARIABLES, MODE_VARIABLES

from ..conftest import files_of
from ..support.chat_app import ROOT, in_process, in_thread
from ..support.openai_server import OpenAIServer, ReceivedRequest, Reply, chunks, completion

pytestmark = pytest.mark.usefixtures("without_plugin")

TESTS = [f"tests/test_chat.py::test_it[{number} % Ü]" for number in range(8)]
WAYS = ("plain", "in_thread", "streamed")
UNUSED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Loads no certificates, which takes longer than a call."""


def answer(asked: ReceivedRequest, number: int) -> Reply:
    """Return an answer that no other request gets."""
    if asked.json.get("stream"):
        return Reply(events=chunks("Answer ", f"{number}"))
    return Reply(json=completion(f"Answer {number}", number=number))


@contextmanager
def thread_in_session(mode: str, directory: Path, model_url: str) -> Iterator[str]:
    with in_thread(model_url) as url, inference_recording(mode, directory):
        yield url


@contextmanager
def joined_process(mode: str, directory: Path, model_url: str) -> Iterator[str]:
    with inference_recording(mode, directory), in_process(model_url) as url:
        yield url


@contextmanager
def process_with_session(mode: str, directory: Path, model_url: str) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MODE_VARIABLES[0], mode)
        patch.setenv(DIRECTORY_VARIABLES[0], str(directory))
        patch.setenv("PYTHONPATH", str(ROOT))
        with in_process(model_url, own_session=True) as url:
            yield url


Served = Callable[[str, Path, str], AbstractContextManager[str]]
SERVED: list[Served] = [thread_in_session, joined_process, process_with_session]
in_each_way = pytest.mark.parametrize(
    "served",
    [
        pytest.param(served, marks=() if served is thread_in_session else pytest.mark.slow, id=served.__name__)
        for served in SERVED
    ],
)


def run_test(test_id: str, url: str, begin: threading.Barrier | None = None) -> list[str]:
    """Return the answers of one test, which asks the same as all others, twice in each way."""
    answers = []
    with (
        test_id_context(test_id),
        httpx.Client(base_url=url, event_hooks=event_hooks(), verify=UNUSED, timeout=60) as client,
    ):
        for way in WAYS:
            for _ in range(2):
                if begin is not None:
                    begin.wait(60)
                response = client.get(f"/{way}", params={"text": way})
                answers.append(response.raise_for_status().text)
    return answers


def run_together(url: str) -> list[list[str]]:
    begin = threading.Barrier(len(TESTS))
    with ThreadPoolExecutor(len(TESTS)) as pool:
        return list(pool.map(partial(run_test, url=url, begin=begin), TESTS))


@in_each_way
def test_tests_at_once_replay_their_own_recordings(served: Served, server: OpenAIServer, recordings: Path) -> None:
    """One session serves them all, and no call is counted or found under another test's id."""
    server.scripts["/v1/chat/completions"] = answer
    with served("record", recordings, server.base_url) as url:
        recorded = run_together(url)
    requests = server.count

    with served("replay", recordings, server.base_url) as url:
        replayed = run_together(url)

    assert recorded == replayed
    assert len(TESTS) * len(WAYS) * 2 == len({each for answers in recorded for each in answers}) == requests
    assert (requests, requests) == (server.count, len(files_of(recordings)))


@pytest.mark.slow
def test_processes_of_one_server_count_the_calls_of_a_test_together(server: OpenAIServer, recordings: Path) -> None:
    """A server may have several workers, and any of them gets the next request."""
    server.scripts["/v1/chat/completions"] = answer

    def run(mode: Literal["record", "replay"]) -> list[list[str]]:
        with (
            inference_recording(mode, recordings),
            in_process(server.base_url) as one,
            in_process(server.base_url) as two,
            inference_recording("live"),  # the attempt that the requests name is another than the session's
        ):
            return [run_test(TESTS[0], url) for url in (one, two)]

    recorded = run("record")

    assert recorded == run("replay")
    assert 12 == server.count == len({*recorded[0], *recorded[1]})


@pytest.mark.slow
def test_a_test_and_its_server_share_a_series(client: openai.OpenAI, server: OpenAIServer, recordings: Path) -> None:
    """The process that ends first must not take its own answers for the whole series."""
    server.scripts["/v1/chat/completions"] = answer
    question: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": "same"}]}

    def run(mode: Literal["record", "replay"]) -> list[str]:
        with (
            inference_recording(mode, recordings),
            test_id_context(TESTS[0]),
            in_process(server.base_url) as url,
            httpx.Client(base_url=url, event_hooks=event_hooks(), verify=UNUSED, timeout=60) as to_server,
        ):
            first = client.chat.completions.create(**question).choices[0].message.content
            second = to_server.get("/plain", params={"text": "same"}).text
            return [first, second, client.chat.completions.create(**question).choices[0].message.content]

    assert ["Answer 0", "Answer 1", "Answer 2"] == run("record") == run("replay")
    assert 3 == server.count


@pytest.mark.slow
def test_in_llama_stacks_recorder_each_request_has_the_directories_of_its_test(
    server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its servers enter one session for a whole run; an id from a header must not lead out of the project."""
    server.scripts["/v1/chat/completions"] = answer
    project = tmp_path / "project"
    for directory in ("a", "b"):
        (project / directory).mkdir(parents=True)
        (project / directory / "test_it.py").touch()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "test_it.py").touch()
    monkeypatch.chdir(project)
    ids = ["a/test_it.py::test_it", "b/test_it.py::test_it", "../outside/test_it.py::test_it"]

    def run(mode: Literal["record", "replay"]) -> list[list[str]]:
        with in_thread(server.base_url) as url, llama_stack.inference_recording(mode, project / "common"):
            return [run_test(test_id, url) for test_id in ids]

    recorded = run("record")

    assert recorded == run("replay")
    directories = [project / "a/recordings", project / "b/recordings", project / "common/recordings"]
    assert [6, 6, 6] == [len(files_of(directory)) for directory in directories]
    assert 18 == server.count


@pytest.mark.slow
def test_of_sessions_side_by_side_a_request_belongs_to_its_tests(server: OpenAIServer, recordings: Path) -> None:
    """Tests in threads of one process each open one; without a test id, nothing says which is meant."""
    server.scripts["/v1/chat/completions"] = answer
    begin = threading.Barrier(len(TESTS))

    def run(test_id: str) -> dict[str, int]:
        with test_id_context(test_id), inference_recording("record", recordings) as session:
            run_test(test_id, url, begin)
        return dict(session.counts)

    with in_thread(server.base_url) as url, ThreadPoolExecutor(len(TESTS)) as pool:
        counts = list(pool.map(run, TESTS))

    assert [{"recorded": 6}] * len(TESTS) == counts
    assert 6 * len(TESTS) == server.count == len(files_of(recordings))


@pytest.mark.slow
@pytest.mark.parametrize("served", [joined_process, process_with_session])
def test_a_test_that_runs_again_gets_its_first_answers_again(
    served: Served, server: OpenAIServer, recordings: Path
) -> None:
    """A server may outlive the run, and a flaky test is run twice."""
    server.scripts["/v1/chat/completions"] = answer
    with served("record", recordings, server.base_url) as url:
        recorded = run_test(TESTS[0], url)

    with served("replay", recordings, server.base_url) as url:
        with inference_recording("live"):
            first = run_test(TESTS[0], url)
        with inference_recording("live"):
            second = run_test(TESTS[0], url)

    assert [recorded] * 2 == [first, second]
