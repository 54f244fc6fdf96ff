"""The server of the demo, as the SDK sees it."""

from __future__ import annotations

import time

import openai
import pytest

from inference_recorder.cli.demo.loopback import serve
from inference_recorder.cli.demo.server import GREETING, HAIKU, embedded_server

ASKED = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "A haiku, please"}]}


@pytest.fixture(scope="module")
def client():
    with (
        serve(embedded_server(pause_seconds=0)) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
    ):
        yield client


def test_a_plain_answer_is_a_whole_completion(client):
    """Recordings of the demo should look like those of the API."""
    answer = client.chat.completions.create(**ASKED)

    assert HAIKU == answer.choices[0].message.content
    assert answer.id.startswith("chatcmpl-")
    assert abs(time.time() - answer.created) < 60
    assert ("gpt-4o-mini", "stop") == (answer.model, answer.choices[0].finish_reason)
    assert (3, 12, 15) == (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens)
    assert answer._request_id.startswith("req_")


def test_two_answers_have_two_ids(client):
    """The format makes ids constant; that shows only where they differ."""
    first, second = (client.chat.completions.create(**ASKED) for _ in range(2))

    assert first.id != second.id


def test_whoever_does_not_ask_for_a_haiku_gets_a_greeting(client):
    """Any other prompt works too."""
    answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}])

    assert GREETING == answer.choices[0].message.content


def test_a_streamed_answer_ends_with_the_usage_that_was_asked_for(client):
    """The usage chunk has no choices, which consumers trip over."""
    chunks = list(client.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True}))

    assert HAIKU == "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    assert ("assistant", "stop") == (chunks[0].choices[0].delta.role, chunks[-2].choices[0].finish_reason)
    assert ([], 12) == (chunks[-1].choices, chunks[-1].usage.completion_tokens)
    assert 1 == len({chunk.id for chunk in chunks})


def test_a_streamed_answer_without_stream_options_tells_no_usage(client):
    """As the API does."""
    chunks = list(client.chat.completions.create(**ASKED, stream=True))

    assert "stop" == chunks[-1].choices[0].finish_reason
    assert {None} == {chunk.usage for chunk in chunks}


def test_a_model_that_does_not_exist_is_openais_404(client):
    """The demo's failing call."""
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(**{**ASKED, "model": "no-such-model"})

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
    ids=["no messages", "empty messages", "no object", "an endpoint it does not have"],
)
def test_what_it_cannot_answer_is_an_error_in_openais_form(client, path, body, kind):
    """A 500 would be asked again by the SDK, and its text is no JSON."""
    with pytest.raises(kind) as raised:
        client.post(path, body=body, cast_to=object)

    assert "invalid_request_error" == raised.value.body["type"]
