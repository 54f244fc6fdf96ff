"""What somebody says is a secret is hidden in what people write, and takes no part of an answer with it."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from inference_recorder import MissingRecording, RecorderError, inference_recording
from inference_recorder.api_schema import is_enumerated
from inference_recorder.request.jsonable import canonical_text
from inference_recorder.request.keys import request_key
from inference_recorder.storage.catalogue import entry_of

from ..conftest import HELLO, Colour
from ..support.openai_server import (
    OpenAIServer,
    ReceivedRequest,
    Reply,
    chunk,
    chunks,
    completion,
    error,
    response,
    response_events,
)

NUMBER = 123456789012
TOOL = {
    "type": "function",
    "function": {
        "name": "close",
        "parameters": {
            "type": "object",
            "properties": {"customer": {"type": "integer", "enum": [NUMBER], "default": NUMBER}},
        },
    },
}


def in_clear(directory: Path, secret: str) -> list[str]:
    return [path.name for path in directory.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def body_of(directory: Path) -> Any:
    (path,) = directory.glob("*.json")
    return json.loads(path.read_bytes())["response"]["body"]


# Structure


def _asks(client: openai.OpenAI, way: str, text: str) -> Any:
    """Return what a call gives, as values that can be compared: types, fields set and values; of an error its parts."""
    params: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}
    try:
        if way == "chat":
            return _seen(client.chat.completions.create(**params))
        if way == "stream":
            items = list(client.chat.completions.create(**params, stream=True))
            return _in_one(_seen(items), "content")
        if way == "raw":
            raw = client.chat.completions.with_raw_response.create(**params)
            return _seen(raw.parse()), raw.headers.get("content-type")
        if way == "response":
            return _seen(client.responses.create(model="gpt-4o", input=text))
        if way == "events":
            return _in_one(_seen(list(client.responses.create(model="gpt-4o", input=text, stream=True))), "delta")
        if way == "embeddings":
            return _seen(client.embeddings.create(model="e", input=text)), _seen(
                client.embeddings.create(model="e", input=text, encoding_format="float")
            )
        if way == "models":
            return [_seen(one) for one in client.models.list()]
        return client.chat.completions.create(**params | {"model": "failing"})
    except openai.APIStatusError as failed:
        body = failed.response.json()
        return type(failed).__name__, failed.status_code, failed.message, failed.body, body, failed.code, failed.type


def _seen(value: Any) -> Any:
    if isinstance(value, openai.BaseModel):
        fields = {name: _seen(getattr(value, name)) for name in value.model_fields_set if name not in _VOLATILE}
        return type(value).__name__, fields
    return [_seen(one) for one in value] if isinstance(value, list) else value


def _in_one(seen: Any, name: str) -> Any:
    """Return what was seen of a stream without its chunks of text, and that text."""
    parts: list[str] = []

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            if isinstance(value.get(name), str):
                parts.append(value[name])
            return {key: without(item) for key, item in value.items() if key != name or not isinstance(item, str)}
        return type(value)(map(without, value)) if isinstance(value, (list, tuple)) else value

    return without(seen), "".join(parts)


_VOLATILE = ("id", "created", "created_at")
WAYS = ("chat", "stream", "raw", "response", "events", "embeddings", "models", "error")


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _words(item)
    elif isinstance(value, list):
        for item in value:
            yield from _words(item)
    elif isinstance(value, (str, int, float)):
        yield str(value)


_SEEN = [
    completion(),
    chunks("Hel", "lo there"),
    response(),
    response_events("Hello there !"),
    error(400, code="bad_code").json,
]
_ALL_WORDS = sorted({word for word in _words(_SEEN) if len(word) >= 4})
_LITERALS = st.sampled_from(
    [*_ALL_WORDS, "chat", "json", "list", "data", "embedding", "__type__", "completions", "message"]
)


def _script(server: OpenAIServer) -> None:
    usual = server.elsewhere

    def chat(asked: ReceivedRequest, number: int) -> Reply:
        if asked.json["model"] == "failing":
            return error(400, code="bad_code", x_note="message")
        return usual(asked, number)

    server.scripts["/v1/chat/completions"] = chat


def _has_secret(live: Any, replayed: Any, secret: str) -> bool:
    """Whether a replay is the live answer, but that a text may have a placeholder in place of the secret."""
    if isinstance(live, str):
        return isinstance(replayed, str) and replayed in (live, live.replace(secret, "__REDACTED__"))
    if isinstance(live, (list, tuple)):
        return (
            type(live) is type(replayed)
            and len(live) == len(replayed)
            and all(_has_secret(one, other, secret) for one, other in zip(live, replayed, strict=True))
        )
    if isinstance(live, dict):
        return live.keys() == replayed.keys() and all(_has_secret(live[name], replayed[name], secret) for name in live)
    return type(live) is type(replayed) and bool(live == replayed)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for below, item in value.items():
            yield from _leaves(item, below)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, name)
    elif isinstance(value, str):
        yield name, value


@given(_LITERALS, st.sampled_from(WAYS), st.booleans(), st.booleans())
@example("ted_", "chat", False, False)
@example("created", "chat", False, False)
@example("model", "chat", True, False)
@example("stop", "stream", True, False)
@example("message", "error", False, True)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_rule_takes_a_part_of_an_answer_with_it(
    client: openai.OpenAI, server: OpenAIServer, secret: str, way: str, is_asked: bool, is_pattern: bool
) -> None:
    """redact=["ted"] made `created` None, "stop" hid the finish_reason, and "model" ended in a KeyError."""
    _script(server)
    rule = re.compile(re.escape(secret)) if is_pattern else secret
    text = f"Tell me of {secret}." if is_asked else "Say hello."
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with inference_recording("record", directory, redact=[rule], test_id="t"):
            live = _asks(client, way, text)
        with inference_recording("replay", directory, redact=[rule], test_id="t"):
            replayed = _asks(client, way, text)

        assert _has_secret(live, replayed, secret), (live, replayed)
        for path in directory.glob("*.json"):
            content = json.loads(path.read_bytes())
            written = [content["request"]["body"], content["response"]["body"]]
            params = [leaf for leaf in _leaves(written) if secret in leaf[1] and not is_enumerated(*leaf)]
            assert [] == params


@pytest.mark.parametrize(
    "rule", ["created", re.compile("stop"), lambda text: [found for found in ["choices"] if found in text]]
)
def test_the_members_of_an_answer_stay(rule: Any, sdk: Colour, recordings: Path) -> None:
    """Whatever kind of rule hits them."""
    with inference_recording("record", recordings, redact=[rule]):
        sdk.call("chat.completions.create", **HELLO)
        live = sdk.items(sdk.call("chat.completions.create", **HELLO, stream=True))
    with inference_recording("replay", recordings, redact=[rule]):
        replayed = sdk.call("chat.completions.create", **HELLO)
        stream = sdk.items(sdk.call("chat.completions.create", **HELLO, stream=True))

    assert isinstance(replayed.created, int)
    assert "stop" == replayed.choices[0].finish_reason
    assert [one.choices and one.choices[0].finish_reason for one in live] == [
        one.choices and one.choices[0].finish_reason for one in stream
    ]


def test_a_secret_as_a_name_in_metadata_is_hidden(client: openai.OpenAI, recordings: Path) -> None:
    """Somebody wrote it, while nobody wrote "metadata"; so with a property of a tool's parameters."""
    params: dict[str, Any] = HELLO | {"metadata": {"Bert Brown": "bert_brown", "metadata": "x"}}
    parameters = {"type": "object", "properties": {"bert_brown": {"type": "string"}}}
    params["tools"] = [{"type": "function", "function": {"name": "find", "parameters": parameters}}]
    rules = ["Bert Brown", "bert_brown"]
    for mode in ("record", "replay"):
        with inference_recording(mode, recordings, redact=rules) as session:
            client.chat.completions.create(**params)

    assert {"replayed": 1} == session.counts
    assert [] == in_clear(recordings, "Bert Brown") + in_clear(recordings, "bert_brown")


# Numbers


def test_a_secret_number_in_a_request_reaches_no_file(sdk: Colour, recordings: Path) -> None:
    """A customer's number is passed as a number: `user`, metadata, the default of a tool's argument."""
    params: dict[str, Any] = HELLO | {"metadata": {"customer": NUMBER}, "tools": [TOOL], "user": NUMBER}
    for mode in ("record", "replay"):
        with inference_recording(mode, recordings, redact=[str(NUMBER)]) as session:
            sdk.call("chat.completions.create", **params, extra_body={"customers": [[NUMBER, -NUMBER, float(NUMBER)]]})

    assert {"replayed": 1} == session.counts
    assert [] == in_clear(recordings, str(NUMBER))
    (path,) = recordings.glob("*.json")
    entry = entry_of(path)
    assert entry.asked is not None
    assert path.stem == request_key(entry.asked, entry.test_id)


def test_another_number_answers_as_another_text_does(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """A number and the text that spells it are two requests; two secrets in the same place are one."""
    other = 987654321098
    rules = [str(NUMBER), str(other)]
    with inference_recording("record", recordings, redact=rules):
        client.chat.completions.create(**HELLO | {"user": NUMBER})
    with inference_recording("replay", recordings, redact=rules):
        client.chat.completions.create(**HELLO | {"user": other})
        with pytest.raises(MissingRecording):
            client.chat.completions.create(**HELLO, user=str(NUMBER))


@pytest.mark.parametrize("number", [NUMBER, 1234567890123456789012345678901, 1.25e300, -0.00123456, 123456.5], ids=repr)
def test_a_number_of_the_request_comes_back_as_it_is(
    number: float, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """In an answer's own members, in the JSON of a tool call, whole and in chunks, and with its type."""
    spelled = json.dumps(number)
    arguments = f'{{"customer": {spelled}, "of": [0, {spelled}], "text": "{spelled}"}}'
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "close", "arguments": ""}}
    deltas = [{**call, "function": {"arguments": arguments[at : at + 4]}} for at in range(0, len(arguments), 4)]

    def chat(asked: ReceivedRequest, _: int) -> Reply:
        if asked.json.get("stream"):
            return Reply(events=[chunk({"tool_calls": [call]}), *(chunk({"tool_calls": [one]}) for one in deltas)])
        answer = completion(customer=number, of=[{"customer": number}], large=98765432109876543210)
        answer["choices"][0]["message"]["tool_calls"] = [
            {**call, "function": {"name": "close", "arguments": arguments}}
        ]
        return Reply(answer)

    server.scripts["/v1/chat/completions"] = chat
    params: dict[str, Any] = HELLO | {"metadata": {"customer": number}}
    live: list[Any] = []
    replayed: list[Any] = []
    for mode, seen in (("record", live), ("replay", replayed)):
        with inference_recording(mode, recordings, redact=[spelled]):
            answer = sdk.call("chat.completions.create", **params)
            items = sdk.items(sdk.call("chat.completions.create", **params, stream=True))
            seen += [
                answer.large,
                answer.customer,
                answer.of,
                answer.choices[0].message.tool_calls[0].function.arguments,
            ]
            seen += ["".join(item.choices[0].delta.tool_calls[0].function.arguments for item in items)]

    assert [98765432109876543210, number, [{"customer": number}], arguments, arguments] == live == replayed
    assert type(number) is type(replayed[1])
    assert [] == in_clear(recordings, spelled)


def test_a_number_that_the_request_does_not_hold_is_a_placeholder(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The arguments of a tool call stay JSON; a count of the SDK's own stays, whatever it looks like."""
    arguments = json.dumps({"customer": NUMBER})
    answer = completion(customer=NUMBER, usage={"prompt_tokens": NUMBER, "completion_tokens": 1, "total_tokens": 2})
    call = {"id": "call_1", "type": "function", "function": {"name": "close", "arguments": arguments}}
    answer["choices"][0]["message"]["tool_calls"] = [call]
    server.answers("/v1/chat/completions", Reply(answer))
    for mode in ("record", "replay"):
        with inference_recording(mode, recordings, redact=[str(NUMBER)]):
            replayed = sdk.call("chat.completions.create", **HELLO)

    (call,) = replayed.choices[0].message.tool_calls
    assert {"customer": "__REDACTED__"} == json.loads(call.function.arguments)
    assert "__REDACTED__" == replayed.customer
    assert NUMBER == replayed.usage.prompt_tokens
    del (data := body_of(recordings)["__data__"])["usage"]
    assert str(NUMBER) not in canonical_text(data)


def test_a_variables_value_that_is_a_number_is_hidden(
    client: openai.OpenAI, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some keys are digits."""
    monkeypatch.setenv("ACCOUNT_KEY", "1234567890123456")
    with inference_recording("record", recordings):
        client.chat.completions.create(**HELLO | {"metadata": {"account": 1234567890123456}})

    assert [] == in_clear(recordings, "1234567890123456")


def test_settings_that_differ_stay_two_requests(client: openai.OpenAI, recordings: Path) -> None:
    """A pattern of digits must not make one of two calls that differ in max_tokens."""
    with inference_recording("record", recordings, redact=[re.compile(r"\d{4,}")]):
        for most in (4096, 8192):
            client.chat.completions.create(**HELLO, max_tokens=most)

    assert 2 == len(list(recordings.glob("*.json")))


# Invalid rules


@pytest.mark.parametrize(
    "rules", [["longer", "ted"], ["longer", ""], ["longer", b"top-secret"], ["longer", 7314]], ids=repr
)
@pytest.mark.parametrize("make", [lambda rules: inference_recording(redact=rules)])
def test_a_rule_is_refused_without_its_text(rules: Any, make: Callable[[Any], object]) -> None:
    """The error of a secret that is too short, or of a wrong type, ends in a log."""
    with pytest.raises(RecorderError, match=r"redact\[1\]") as caught:
        make(rules)

    assert [] == [secret for secret in ("ted", "top-secret", "7314") if f"{secret}" in str(caught.value)]


def test_a_short_value_of_a_variable_is_not_a_secret(
    client: openai.OpenAI, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SORT_KEY=name is not one."""
    monkeypatch.setenv("SORT_KEY", "fifteen-letters")
    with inference_recording("record", recordings):
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "fifteen-letters"}])

    assert in_clear(recordings, "fifteen-letters")


def test_two_secrets_as_names_of_one_object_of_an_answer_are_both_there(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """They look alike in the file, and the last one took the place of the others."""
    named = {**response("Hello."), "metadata": {"Bert Brown": "one", "Anna Amber": "two"}}
    server.answers("/v1/responses", Reply(named))
    for mode in ("record", "replay"):
        with inference_recording(mode, recordings, redact=["Bert Brown", "Anna Amber"], test_id="t"):  # type: ignore[arg-type]
            answer = client.responses.create(model="gpt-4o", input="Hi.")

    assert ["one", "two"] == list((answer.metadata or {}).values())
    assert not in_clear(recordings, "Bert Brown") + in_clear(recordings, "Anna Amber")
