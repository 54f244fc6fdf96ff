"""What a call sends as a credential is in no file, however its client comes by it and whatever the server repeats."""

from __future__ import annotations

import base64
import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import MissingRecording, inference_recording

from ..conftest import HELLO, Colour
from ..support.openai_server import OpenAIServer, ReceivedRequest, Reply, chunks, completion, error
from ..support.secret_table import CREDENTIALS, Credential, made
from .test_redaction import assert_nowhere, parts

KINDS = (
    ("plain", "raw stream", "failing"),
    pytest.param(("stream", "raw", "failing raw"), marks=pytest.mark.slow),
)
VALUE, OTHER = made(24, "sent"), made(24, "sent later")


def repeat(server: OpenAIServer, value: str = VALUE) -> None:
    """Have the server say a credential that it was sent, everywhere: it has seen it, since the test checks that."""

    def answer(asked: ReceivedRequest, number: int) -> Reply:
        sent = f"{asked.headers}{asked.query}"
        sent += "".join(
            base64.b64decode(text.partition("Basic ")[2]).decode()
            for text in asked.headers.values()
            if text.startswith("Basic ")
        )
        assert value in sent
        body = asked.json if asked.content else {}
        if body.get("model") == "failing" or "organization" in asked.path:
            return error(401, f"Incorrect API key provided: {value}.", x_echo=value)
        if body.get("stream"):
            return Reply(events=chunks(*parts(f"It is {value}.")), headers={"x-echo": value})
        answer_text = completion(f"It is {value}.")
        call = {"name": "use", "arguments": json.dumps({value: value})}
        answer_text["choices"][0]["message"]["tool_calls"] = [{"id": "call_1", "type": "function", "function": call}]
        return Reply(answer_text, headers={"x-echo": value})

    server.elsewhere, server.scripts["/v1/chat/completions"] = answer, answer


@pytest.fixture
def make_client(make_sdk: Callable[..., Colour], server: OpenAIServer) -> Any:
    def make(credential: Credential, value: str) -> Colour:
        colour = make_sdk()
        options = credential.client(value, colour.is_async)
        if credential.is_azure:
            kind = openai.AsyncAzureOpenAI if colour.is_async else openai.AzureOpenAI
            position = {"azure_endpoint": server.base_url.removesuffix("/v1"), "api_version": "2024-06-01"}
            colour.client = kind(**position, http_client=colour.client._client, max_retries=0, **options)
        elif options:
            colour.client = colour.client.with_options(**options)
        return colour

    return make


@pytest.fixture(autouse=True)
def _usual_server(server: OpenAIServer) -> Iterator[None]:
    usual = server.elsewhere
    yield
    server.elsewhere = usual


def called(sdk: Colour, credential: Credential, kind: str, value: str, text: str = "Say hello.") -> Any:
    """Make a call of this kind and read its answer to the end; returns what it says, or its error."""
    arguments = {"model": "failing" if "failing" in kind else "gpt-4o", **credential.call(value)}
    arguments["messages"] = [{"role": "user", "content": text}]
    if "stream" in kind:
        arguments["stream"] = True
    try:
        if credential.endpoint == "admin":
            return sdk.call("admin.organization.usage.completions", start_time=1)
        if "raw" not in kind:
            result = sdk.call("chat.completions.create", **arguments)
        else:
            result = sdk.call("chat.completions.with_raw_response.create", **arguments).parse()
        if "stream" not in kind:
            return result.choices[0].message.content
        return "".join(chunk.choices[0].delta.content or "" for chunk in sdk.items(result) if chunk.choices)
    except openai.APIStatusError as caught:
        return caught


def skip_without_functions() -> None:
    if not hasattr(openai.OpenAI, "_refresh_api_key"):
        pytest.skip("this openai takes no function for a key")


@pytest.mark.parametrize("kinds", KINDS, ids=", ".join)
@pytest.mark.parametrize("credential", CREDENTIALS, ids=[one.way for one in CREDENTIALS])
def test_what_was_sent_is_nowhere(
    credential: Credential, kinds: tuple[str, ...], make_client: Any, server: OpenAIServer, recordings: Path
) -> None:
    """A 401 repeats the token it was sent, and so does a model that knows its request's headers."""
    if "admin" in credential.way and "admin_api_key" not in inspect.signature(openai.OpenAI).parameters:
        pytest.skip("this openai has no admin keys")
    if "function" in credential.way:
        skip_without_functions()
    sdk = make_client(credential, VALUE)
    repeat(server)
    for kind in kinds:
        directory = recordings / kind
        with inference_recording("record", directory, record_errors=True) as session:
            live = called(sdk, credential, kind, VALUE)

        assert 1 == session.counts["recorded"], kind
        assert VALUE in str(live), kind  # the caller gets the server's own text
        assert_nowhere(VALUE, directory)
        assert_nowhere(base64.b64encode(f"user-of-some-length:{VALUE}".encode()).decode(), directory)
        assert VALUE not in f"{session!r}{session.requests}{session.recorded}{vars(session)}", kind

        with inference_recording("replay", directory) as session:
            replayed = called(make_client(credential, OTHER), credential, kind, OTHER)
        assert 1 == session.counts["replayed"], kind
        assert type(live) is type(replayed), kind
        if credential.way == "extra query" or (credential.is_known_in_replay and "failing" in kind):
            assert str(live).replace(VALUE, OTHER) == str(replayed), kind
        else:
            assert "__REDACTED" in str(replayed), kind


def test_each_key_of_a_retried_call_is_a_secret(
    make_sdk: Callable[..., Colour], server: OpenAIServer, recordings: Path
) -> None:
    """A provider hands out a new token for each try, and the server's last word names the first."""
    skip_without_functions()
    keys = [made(24, "first"), made(24, "second")]
    given = iter(keys)

    async def provide() -> str:
        return next(given)

    is_async = make_sdk().is_async
    sdk = make_sdk(api_key=provide if is_async else lambda: next(given), max_retries=1)
    server.answers(
        "/v1/chat/completions", error(500, "again", retry_after_ms="1"), error(401, f"no such keys: {' '.join(keys)}")
    )
    with inference_recording("record", recordings, record_errors=True), pytest.raises(openai.AuthenticationError):
        sdk.call("chat.completions.create", **HELLO)

    assert 2 == server.count
    for key in keys:
        assert_nowhere(key, recordings)


def test_the_credentials_of_the_http_client_are_secrets(
    make_sdk: Callable[..., Colour], server: OpenAIServer, recordings: Path
) -> None:
    """They are put into the request after the SDK has built it."""
    is_async = make_sdk().is_async
    kind = openai.DefaultAsyncHttpxClient if is_async else openai.DefaultHttpxClient
    sdk = make_sdk(http_client=kind(verify=False, auth=("user-of-some-length", VALUE)))
    repeat(server)
    with inference_recording("record", recordings):
        sdk.call("chat.completions.create", **HELLO)

    assert_nowhere(VALUE, recordings)


@pytest.mark.parametrize("way", ["api_key by a function", "extra Authorization"])
def test_a_request_that_repeats_what_was_sent_has_the_key_it_always_had(
    way: str, make_client: Any, server: OpenAIServer, recordings: Path, sessions_are_runs: None
) -> None:
    """A replay sends nothing and calls no provider: it could not make a key that depends on what was sent."""
    skip_without_functions()
    credential = next(one for one in CREDENTIALS if one.way == way)
    repeat(server)
    text = f"My key is {VALUE}, and another is sk-{made(40, 'shaped')}."
    sdk = make_client(credential, VALUE)
    for _ in range(2):  # a client that has called its provider knows the key
        with inference_recording("record", recordings) as session:
            called(sdk, credential, "plain", VALUE, text)

        assert_nowhere(VALUE, recordings)
        assert VALUE not in repr(session.requests)
        assert 1 == len(list(recordings.glob("*.json")))
        with inference_recording("replay", recordings) as session:
            assert "It is __REDACTED__." == called(make_client(credential, OTHER), credential, "plain", OTHER, text)
        assert {"replayed": 1} == session.counts


def test_a_secret_of_the_request_is_given_back_whatever_else_was_sent(
    make_sdk: Callable[..., Colour], server: OpenAIServer, recordings: Path
) -> None:
    """Its number was lost where it stands below a name of secrets, once the client's key was looked for there too."""
    server.scripts["/v1/chat/completions"] = lambda asked, number: Reply(completion(f"You sent {asked.query}."))
    for mode, token in (("record", made(20, "one")), ("replay", made(20, "other"))):
        account = {"organization": f"org-{made(24, token)}"}
        with inference_recording(mode, recordings, test_id="t"):  # type: ignore[arg-type]
            answer = make_sdk(api_key=VALUE).call(
                "chat.completions.create", **HELLO, extra_query={"token": token}, extra_body=account
            )

    assert f"You sent token={token}." == answer.choices[0].message.content
    assert_nowhere(made(20, "one"), recordings)


def test_a_miss_after_a_call_does_not_show_what_was_sent(
    make_client: Any, server: OpenAIServer, recordings: Path
) -> None:
    """It shows what came nearest, from a file that has it hidden."""
    credential = next(one for one in CREDENTIALS if one.way == "extra header of a token")
    repeat(server)
    sdk = make_client(credential, VALUE)
    with inference_recording("record", recordings):
        called(sdk, credential, "plain", VALUE, f"It is {VALUE}. One.")
    with inference_recording("replay", recordings), pytest.raises(MissingRecording) as caught:
        called(sdk, credential, "plain", VALUE, "It is nothing. Two.")

    assert VALUE not in f"{caught.value}{caught.value!r}{vars(caught.value)}"


def test_short_and_common_values_are_left_alone(client: openai.OpenAI, recordings: Path, server: OpenAIServer) -> None:
    """A cookie that says "dark" must not take the word out of every answer."""
    server.answers("/v1/chat/completions", Reply(completion("It is dark. Bearer of bad news.")))
    with inference_recording("record", recordings):
        client.chat.completions.create(**HELLO, extra_headers={"Cookie": "theme=dark", "Authorization": "Bearer x"})

    assert b"It is dark. Bearer of bad news." in next(recordings.glob("*.json")).read_bytes()


@pytest.mark.parametrize("word", ["messages", "function", "endpoint", "completions", "assistant"])
def test_a_word_of_the_sdk_that_was_sent_takes_no_part_of_a_recording_away(
    word: str, client: openai.OpenAI, recordings: Path, server: OpenAIServer
) -> None:
    """A session named as a member of the request left a file whose request was none, or could not be written."""
    history = [{"role": "assistant", "content": f"I am the {word}."}, {"role": "user", "content": "Go on."}]
    server.answers("/v1/chat/completions", Reply(completion(f"The {word}.")))
    with inference_recording("record", recordings) as session:
        client.chat.completions.create(
            model="gpt-4o",
            messages=history,  # type: ignore[arg-type]
            tools=[{"type": "function", "function": {"name": "go", "parameters": {}}}],
            extra_headers={"X-Session": word},
        )

    recorded = json.loads(next(recordings.glob("*.json")).read_bytes())
    body = recorded["request"]["body"]
    assert "/v1/chat/completions" == recorded["request"]["endpoint"] == session.requests[0].endpoint
    assert ["I am the __REDACTED__.", "Go on."] == [message["content"] for message in body["messages"]]
    assert ["assistant", "user"] == [message["role"] for message in body["messages"]]
    assert {"name": "go", "parameters": {}} == body["tools"][0]["function"]
    assert "The __REDACTED__." == recorded["response"]["body"]["__data__"]["choices"][0]["message"]["content"]


@pytest.mark.parametrize("key", ["REDACTED", "_REDACTED"])
def test_a_client_whose_key_is_a_part_of_a_placeholder_gets_the_same_text(
    key: str, make_sdk: Callable[..., Colour], server: OpenAIServer, recordings: Path
) -> None:
    """Somebody who needs no key may well say that it is redacted."""
    secret = f"sk-{made(40, 'shaped')}"
    answer_text = f"It is REDACTED, __REDACTED_1__ or {secret}."
    server.answers("/v1/chat/completions", Reply(completion(answer_text)))
    for mode in ("record", "replay"):
        with inference_recording(mode, recordings, test_id="t"):  # type: ignore[arg-type]
            messages = [{"role": "user", "content": f"Use {secret}."}]
            answer = make_sdk(api_key=key).call("chat.completions.create", model="gpt-4o", messages=messages)

    assert answer_text == answer.choices[0].message.content
    assert_nowhere(secret, recordings)


def test_a_number_that_was_sent_is_hidden_in_the_request(
    client: openai.OpenAI, recordings: Path, server: OpenAIServer
) -> None:
    """The number of an account is a text in a header, and a number in the parameters of a tool."""
    number = 731412345678
    parameters = {
        "type": "object",
        "properties": {"account": {"type": "integer", "enum": [number], "default": -number}},
    }
    for mode in ("record", "replay"):
        with inference_recording(mode, recordings, test_id="t") as session:  # type: ignore[arg-type]
            client.chat.completions.create(
                **HELLO,
                seed=number,
                tools=[{"type": "function", "function": {"name": "go", "parameters": parameters}}],
                extra_headers={"X-Account": str(number)},
            )

    (path,) = recordings.glob("*.json")
    body = json.loads(path.read_bytes())["request"]["body"]
    hidden = {"type": "integer", "enum": ["__REDACTED__"], "default": "-__REDACTED__"}
    assert hidden == body["tools"][0]["function"]["parameters"]["properties"]["account"]
    assert number == body["seed"]
    assert {"replayed": 1} == session.counts
