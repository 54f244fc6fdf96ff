"""The demo's server, as the SDK sees it; once stopped, nothing of it is left."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from inference_recorder.cli.demo.server import GREETING, HAIKU, running_server

REQUEST: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "A haiku, please"}]}


def client_of(base_url: str) -> openai.OpenAI:
    http_client = openai.DefaultHttpxClient(verify=False)
    return openai.OpenAI(base_url=base_url, api_key="none", max_retries=0, http_client=http_client)


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    with running_server(pause_seconds=0) as base_url, client_of(base_url) as client:
        yield client


@pytest.fixture
def started_threads() -> Callable[[], set[threading.Thread]]:
    """Returns the threads that run now and did not before the test; other tests' servers may run all the while."""
    before = set(threading.enumerate())
    return lambda: set(threading.enumerate()) - before


def assert_refuses(base_url: str) -> None:
    address = urlsplit(base_url)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port), timeout=5)


def test_a_plain_answer_is_a_whole_completion(client):
    """Recordings of the demo should look like those of the API."""
    answer = client.chat.completions.create(**REQUEST)

    assert HAIKU == answer.choices[0].message.content
    assert answer.id.startswith("chatcmpl-")
    assert abs(time.time() - answer.created) < 60
    assert ("gpt-4o-mini", "stop") == (answer.model, answer.choices[0].finish_reason)
    assert (3, 12, 15) == (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens)
    assert answer._request_id.startswith("req_")


def test_two_answers_have_two_ids(client):
    """The format makes ids constant; that shows only where they differ."""
    first, second = (client.chat.completions.create(**REQUEST) for _ in range(2))

    assert first.id != second.id


def test_a_prompt_without_a_haiku_gets_a_greeting(client):
    """Any other prompt works too."""
    answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}])

    assert GREETING == answer.choices[0].message.content


def test_a_streamed_answer_ends_with_the_requested_usage(client):
    """The usage chunk has no choices, which consumers trip over."""
    chunks = list(client.chat.completions.create(**REQUEST, stream=True, stream_options={"include_usage": True}))

    assert HAIKU == "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    assert ("assistant", "stop") == (chunks[0].choices[0].delta.role, chunks[-2].choices[0].finish_reason)
    assert ([], 12) == (chunks[-1].choices, chunks[-1].usage.completion_tokens)
    assert 1 == len({chunk.id for chunk in chunks})


def test_a_streamed_answer_without_stream_options_has_no_usage(client):
    """As the API does."""
    chunks = list(client.chat.completions.create(**REQUEST, stream=True))

    assert "stop" == chunks[-1].choices[0].finish_reason
    assert {None} == {chunk.usage for chunk in chunks}


def test_a_model_that_does_not_exist_is_openais_404(client):
    """The demo's failing call."""
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(**{**REQUEST, "model": "no-such-model"})

    assert {
        "message": "The model `no-such-model` does not exist",
        "type": "invalid_request_error",
        "param": None,
        "code": "model_not_found",
    } == raised.value.body
    assert raised.value.request_id.startswith("req_")


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/chat/completions", {"model": "m"}, openai.BadRequestError),
        ("/chat/completions", {"model": "m", "messages": []}, openai.BadRequestError),
        ("/chat/completions", ["a list"], openai.BadRequestError),
        ("/embeddings", {"model": "m"}, openai.NotFoundError),
    ],
    ids=["no messages", "empty messages", "not an object", "an endpoint it does not have"],
)
def test_what_it_cannot_answer_is_an_error_in_openais_form(client, path, body, kind):
    """The SDK would retry a 500, and its text would not be JSON."""
    with pytest.raises(kind) as raised:
        client.post(path, body=body, cast_to=object)

    assert "invalid_request_error" == raised.value.body["type"]


def test_after_the_block_it_refuses_connections_and_no_thread_is_left(started_threads):
    """The demo's replay proves something only if the server is gone."""
    with running_server(pause_seconds=0) as base_url, client_of(base_url) as client:
        client.chat.completions.create(**REQUEST)
        assert 1 <= len(started_threads())

    assert_refuses(base_url)
    assert set() == started_threads()


def test_a_block_without_requests_stops_it_too(started_threads):
    """Stopping must not depend on a request having arrived."""
    with running_server() as base_url:
        pass

    assert_refuses(base_url)
    assert set() == started_threads()


def test_an_error_in_the_block_stops_it_and_propagates(started_threads):
    """Otherwise an interrupted demo would hang."""
    with pytest.raises(LookupError, match="in the block"), running_server() as base_url:
        raise LookupError("in the block")

    assert_refuses(base_url)
    assert set() == started_threads()


def test_a_stream_that_is_left_early_does_not_keep_it_up(started_threads, capfd):
    """Interrupting the demo must neither hang nor print the server's traceback."""
    with running_server() as base_url, client_of(base_url) as client:
        stream = client.chat.completions.create(**REQUEST, stream=True)
        next(stream)
        stream.close()

    assert_refuses(base_url)
    assert set() == started_threads()
    assert ("", "") == capfd.readouterr()


def test_a_second_call_is_answered_at_once(client):
    """Nagle's algorithm and delayed acknowledgements can add 40 ms to an answer, and to the demo's live times."""
    seconds = []
    for _ in range(20):
        started = time.perf_counter()
        client.chat.completions.create(**REQUEST)
        seconds.append(time.perf_counter() - started)

    assert statistics.median(seconds) < 0.03
