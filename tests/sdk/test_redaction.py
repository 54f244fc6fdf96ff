"""No secret reaches a file, by any way; and a recording made with one answers a replay made with another."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import openai
import pytest

from inference_recorder import MissingRecording, RecorderError, inference_recording
from inference_recorder.request.jsonable import canonical_text
from inference_recorder.request.keys import request_key
from inference_recorder.request.request import Request

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
from ..support.secret_table import SECRETS, Secret, made

KEY = SECRETS[0]


def parts(text: str, length: int = 5) -> list[str]:
    return [text[start : start + length] for start in range(0, len(text), length)]


def last_text(asked: ReceivedRequest) -> str:
    """Return what the request says last, which these tests' server repeats."""
    body = asked.json
    text = body["input"] if "input" in body else body["messages"][-1]["content"]
    assert isinstance(text, str)
    return text


def echo(server: OpenAIServer) -> None:
    """Make the server repeat what it receives, in an answer, its tool call, its chunks, or an error."""

    def chat(asked: ReceivedRequest, number: int) -> Reply:
        text = last_text(asked)
        if asked.json["model"] == "failing":
            return error(401, f"Incorrect API key provided: {text}", code="invalid_api_key")
        if asked.json.get("stream"):
            return Reply(events=chunks(*parts(text), number=number))
        answer = completion(text, number=number)
        call = {"name": "use", "arguments": json.dumps({"text": text})}
        answer["choices"][0]["message"]["tool_calls"] = [{"id": "call_1", "type": "function", "function": call}]
        return Reply(answer)

    server.scripts["/v1/chat/completions"] = chat
    server.scripts["/v1/responses"] = lambda asked, number: (
        Reply(events=response_events(last_text(asked)))
        if asked.json.get("stream")
        else Reply(response(last_text(asked)))
    )


def asking(text: str, **changes: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]} | changes


def everything_written(directory: Path) -> bytes:
    return b"\n".join(path.read_bytes() + path.name.encode() for path in directory.rglob("*") if path.is_file())


def assert_nowhere(value: str, directory: Path) -> None:
    written = everything_written(directory)
    assert value.encode() not in written
    assert json.dumps(value)[1:-1].encode() not in written
    assert json.dumps(json.dumps(value))[3:-3].encode() not in written


def each(recordings: Path) -> Iterator[tuple[Secret, Path]]:
    """Yield each secret of the table and a folder for it. One client asks for all, since making one takes longest."""
    for secret in SECRETS:
        yield secret, recordings / secret.kind.replace(" ", "-").replace(":", "")


def test_a_plain_answer_repeats_the_callers_present_secret(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """A placeholder handed to the code under test is an answer that no server gave."""
    echo(server)
    for secret, directory in each(recordings):
        with inference_recording("record", directory):
            sdk.call("chat.completions.create", **asking(secret.text.format(secret.one)))

        with inference_recording("replay", directory):
            replayed = sdk.call("chat.completions.create", **asking(secret.text.format(secret.other)))

        message = replayed.choices[0].message
        assert_nowhere(secret.one, directory)
        assert secret.text.format(secret.other) == message.content, secret.kind
        assert {"text": secret.text.format(secret.other)} == json.loads(message.tool_calls[0].function.arguments)


def test_a_secret_in_parts_is_hidden_and_given_back(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """A model streams a key five characters at a time; no chunk alone looks like one."""
    echo(server)
    for secret, directory in each(recordings):
        with inference_recording("record", directory):
            sdk.items(sdk.call("chat.completions.create", **asking(secret.text.format(secret.one), stream=True)))

        with inference_recording("replay", directory):
            stream = sdk.call("chat.completions.create", **asking(secret.text.format(secret.other), stream=True))
            replayed = sdk.items(stream)

        assert_nowhere(secret.one, directory)
        written = json.loads(next(directory.glob("*.json")).read_bytes())["response"]["body"]
        text = "".join(item["__data__"]["choices"][0]["delta"].get("content", "") for item in written[:-2])
        assert secret.one not in text, secret.kind
        received = "".join(item.choices[0].delta.content or "" for item in replayed if item.choices)
        assert secret.text.format(secret.other) == received, secret.kind


def test_an_error_that_repeats_a_secret_is_recorded_without_it(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """OpenAI's own 401 repeats the key it was sent."""
    echo(server)
    for secret, directory in each(recordings):
        with inference_recording("record", directory, record_errors=True), pytest.raises(openai.AuthenticationError):
            sdk.call("chat.completions.create", **asking(secret.text.format(secret.one), model="failing"))

        with inference_recording("replay", directory), pytest.raises(openai.AuthenticationError) as caught:
            sdk.call("chat.completions.create", **asking(secret.text.format(secret.other), model="failing"))

        assert_nowhere(secret.one, directory)
        assert secret.text.format(secret.other) in caught.value.body["message"], secret.kind  # type: ignore[index]
        assert caught.value.response.json()["error"] == caught.value.body, secret.kind


def test_the_client_requests_hides_and_gives_back_too(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Raw responses, streamed Responses, and arguments beside the prompt go another way to the file."""
    echo(server)

    def calls(text: str) -> tuple[str, str, str]:
        raw = sdk.call("chat.completions.with_raw_response.create", **asking(text, metadata={"note": text}))
        events = sdk.items(sdk.call("responses.create", model="gpt-4o", input=text, stream=True))
        body = {"model": "gpt-4o", "input": text, "tools": [{"headers": text}]}
        posted = sdk.call("post", "/responses", body=body, cast_to=object)
        answers = raw.parse().choices[0].message.content, events[-1].response.output_text
        return (*answers, posted["output"][0]["content"][0]["text"])

    for secret, directory in each(recordings):
        with inference_recording("record", directory):
            calls(secret.text.format(secret.one))

        with inference_recording("replay", directory):
            replayed = calls(secret.text.format(secret.other))

        assert_nowhere(secret.one, directory)
        assert (secret.text.format(secret.other),) * 3 == replayed, secret.kind


def test_a_miss_does_not_show_the_secret(client: openai.OpenAI, recordings: Path) -> None:
    """The text of an error ends in a public CI log."""
    for secret, directory in each(recordings):
        text = secret.text.format(secret.one)
        with inference_recording("record-if-missing", directory, test_id=f"tests/test_a.py::test_b[{text}]"):
            client.chat.completions.create(**HELLO)
        with inference_recording("replay", directory, test_id=f"tests/test_a.py::test_b[{text}]") as session:
            with pytest.raises(MissingRecording) as caught:
                client.chat.completions.create(**asking(text, model=f"gpt-{text}"))

        shown = f"{caught.value}{caught.value!r}{caught.value.__dict__}{session!r}{session.missed}"
        assert secret.one not in shown, secret.kind
        assert json.dumps(secret.one)[1:-1] not in shown, secret.kind
        assert_nowhere(secret.one, directory)


def test_a_recording_made_before_secrets_were_hidden_is_found(client: openai.OpenAI, recordings: Path) -> None:
    """It lies under the key of the request as it was, and so does all that llama-stack's recorder recorded."""
    body = asking(KEY.text.format(KEY.one))
    with inference_recording("record", recordings, test_id="t"):
        client.chat.completions.create(**HELLO)
    url = f"{str(client.base_url).rstrip('/')}/v1/chat/completions"
    plain_key = request_key(Request("POST", "/v1/chat/completions", url, body, canonical_text(body)), "t")
    next(recordings.glob("*.json")).rename(recordings / f"{plain_key}.json")

    with inference_recording("replay", recordings, test_id="t") as session:
        client.chat.completions.create(**body)

    assert {"replayed": 1} == session.counts


def test_a_variables_value_is_a_secret_whatever_its_shape(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most providers' keys look like nothing in particular; the variable that holds one says what it is."""
    echo(server)
    monkeypatch.setenv("WEATHER_API_KEY", "wonderful-weather-wind")
    with inference_recording("record", recordings):
        client.chat.completions.create(**asking("Ask with wonderful-weather-wind."))
    monkeypatch.setenv("WEATHER_API_KEY", "a-dummy-of-some-length")

    with inference_recording("replay", recordings):
        answer = client.chat.completions.create(**asking("Ask with a-dummy-of-some-length."))

    assert_nowhere("wonderful-weather-wind", recordings)
    assert "Ask with a-dummy-of-some-length." == answer.choices[0].message.content


def test_a_variable_set_inside_the_block_counts(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fixtures set the environment after the suite's recorder was entered."""
    echo(server)
    with inference_recording("record", recordings):
        monkeypatch.setenv("WEATHER_TOKEN", "wonderful-weather-wind")
        client.chat.completions.create(**asking("Ask with wonderful-weather-wind."))
    monkeypatch.delenv("WEATHER_TOKEN")

    with inference_recording("replay", recordings) as session:
        monkeypatch.setenv("WEATHER_TOKEN", "a-dummy-of-some-length")
        client.chat.completions.create(**asking("Ask with a-dummy-of-some-length."))

    assert_nowhere("wonderful-weather-wind", recordings)
    assert {"replayed": 1} == session.counts


def test_a_variable_set_inside_the_block_counts_for_each_thread(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first thread that missed read the environment again; the others then found it unchanged, and raised."""
    echo(server)
    before, threads = sys.getswitchinterval(), 4
    start = Barrier(threads)

    def ask(_: object) -> None:
        start.wait()
        client.chat.completions.create(**asking("Ask with wonderful-weather-wind."))

    monkeypatch.setenv("WEATHER_TOKEN", "wonderful-weather-wind")
    with inference_recording("record", recordings):
        client.chat.completions.create(**asking("Ask with wonderful-weather-wind."))
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(threads) as pool:
            for _ in range(20):
                monkeypatch.delenv("WEATHER_TOKEN")
                with inference_recording("replay", recordings) as session:
                    monkeypatch.setenv("WEATHER_TOKEN", "wonderful-weather-wind")
                    list(pool.map(ask, range(threads)))
                assert {"replayed": threads} == session.counts
    finally:
        sys.setswitchinterval(before)


def test_the_clients_own_key_is_a_secret(
    make_sdk: Callable[..., Colour], server: OpenAIServer, recordings: Path
) -> None:
    """Together's keys are 64 hex digits, passed as an argument; its 401 repeats them."""
    one, other = (made(64, which, "0123456789abcdef") for which in ("one", "other"))
    server.scripts["/v1/chat/completions"] = lambda asked, number: error(
        401, f"no such key: {asked.headers['authorization']}"
    )
    with inference_recording("record", recordings, record_errors=True), pytest.raises(openai.AuthenticationError):
        make_sdk(api_key=one).call("chat.completions.create", **HELLO)

    with inference_recording("replay", recordings), pytest.raises(openai.AuthenticationError) as caught:
        make_sdk(api_key=other).call("chat.completions.create", **HELLO)

    assert_nowhere(one, recordings)
    assert f"no such key: Bearer {other}" == caught.value.body["message"]  # type: ignore[index]


def test_the_clients_own_key_is_not_a_part_of_a_test_id(make_sdk: Callable[..., Colour], recordings: Path) -> None:
    """A test that is parametrised by its keys has them in its id."""
    for mode, key in (("record", made(32, "one")), ("replay", made(32, "other"))):
        with inference_recording(mode, recordings, test_id=f"tests/test_a.py::test_b[{key}]") as session:
            make_sdk(api_key=key).call("chat.completions.create", **HELLO)

    assert {"replayed": 1} == session.counts
    assert_nowhere(made(32, "one"), recordings)


@pytest.mark.parametrize(
    "rule",
    ["Rumpelstiltskin", re.compile(r"name is (?P<secret>\w+)"), lambda text: re.findall("Rumpel[a-z]+", text)],
    ids=["text", "pattern with a group", "function that returns secrets"],
)
def test_the_callers_own_rules(rule: Any, client: openai.OpenAI, server: OpenAIServer, recordings: Path) -> None:
    """What a company must not publish has no shape that anybody else knows."""
    echo(server)
    with inference_recording("record", recordings, redact=[rule]):
        client.chat.completions.create(**asking("The name is Rumpelstiltskin."))

    assert_nowhere("Rumpelstiltskin", recordings)
    with inference_recording("replay", recordings, redact=[rule]):
        answer = client.chat.completions.create(**asking("The name is Rumpelstiltskin."))
    assert "The name is Rumpelstiltskin." == answer.choices[0].message.content


def test_a_function_that_returns_a_text_is_refused(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """Its characters would be taken for secrets; the call is not made, and nothing is lost."""

    def filtered(text: str) -> str:
        return text.replace("Rumpelstiltskin", "NAME")

    with (
        inference_recording("record", recordings, redact=[filtered]),
        pytest.raises(RecorderError, match="returns a list of the secrets"),
    ):
        client.chat.completions.create(**asking("The name is Rumpelstiltskin."))

    assert 0 == server.count


def test_a_session_names_the_model_as_its_recording_does(sdk: Colour, recordings: Path) -> None:
    """What `session.recorded` says goes into the summary of a test run and into its report."""
    model = "ft:gpt-4o:Bert Brown::1"
    with inference_recording("record", recordings, redact=["Bert Brown"]) as session:
        sdk.call("chat.completions.create", **HELLO | {"model": model})

    (recorded,) = session.recorded
    assert recorded.path is not None
    assert json.loads(Path(recorded.path).read_bytes())["request"]["model"] == recorded.model
    assert "Bert Brown" not in repr(recorded)


@pytest.mark.parametrize("rules", ["sk-1", [""], [7]], ids=["a single text", "an empty text", "a number"])
def test_an_invalid_rule_is_refused(rules: Any) -> None:
    """A list that hides nothing, or every letter, is noticed when it is too late."""
    with pytest.raises(RecorderError, match="redact="):
        inference_recording("replay", redact=rules)


def test_several_secrets_each_come_back_as_themselves(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """Two keys swapped are two keys that do not work; and two that were different may be one dummy now."""
    echo(server)
    one, two = SECRETS[0], SECRETS[16]
    with inference_recording("record", recordings):
        client.chat.completions.create(**asking(f"{one.one} then {two.one}, {two.one} and {one.one}"))

    with inference_recording("replay", recordings):
        both = client.chat.completions.create(**asking(f"{one.other} then {two.other}, {two.other} and {one.other}"))
        same = client.chat.completions.create(**asking(f"{one.other} then {one.other}, {one.other} and {one.other}"))

    assert f"{one.other} then {two.other}, {two.other} and {one.other}" == both.choices[0].message.content
    assert f"{one.other} then {one.other}, {one.other} and {one.other}" == same.choices[0].message.content


def test_log_probabilities_do_not_spell_it_out(client: openai.OpenAI, server: OpenAIServer, recordings: Path) -> None:
    """Tokens and their bytes hold the text a second and a third time."""

    def chat(asked: ReceivedRequest, number: int) -> Reply:
        tokens = [
            {"token": part, "logprob": -0.1, "bytes": list(part.encode()), "top_logprobs": []}
            for part in parts(KEY.one)
        ]
        if asked.json.get("stream"):
            return Reply(events=[chunk({"content": token["token"]}) for token in tokens])
        answer = completion(KEY.one)
        answer["choices"][0]["logprobs"] = {"content": tokens, "refusal": None}
        return Reply(answer)

    server.scripts["/v1/chat/completions"] = chat
    with inference_recording("record", recordings):
        client.chat.completions.create(**HELLO, logprobs=True)

    assert_nowhere(KEY.one, recordings)
    written = json.loads(next(recordings.glob("*.json")).read_bytes())
    logprobs = written["response"]["body"]["__data__"]["choices"][0]["logprobs"]["content"]
    assert "__REDACTED__" == "".join(token["token"] for token in logprobs)
    assert {None} == {token["bytes"] and bytes(token["bytes"]) for token in logprobs}


@pytest.mark.parametrize("size", [1, 300_000], ids=["in the recording", "beside it"])
def test_a_file_that_holds_a_secret_is_kept_without_it(
    size: int, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Downloads are kept as bytes; base64 hides a key from a scanner, not from a reader."""
    server.answers(
        "/v1/files/file-1/content", Reply(content=KEY.one.encode() + b" " * size, media_type="application/octet-stream")
    )
    with inference_recording("record", recordings):
        sdk.call("files.content", "file-1")

    with inference_recording("replay", recordings):
        replayed = sdk.call("files.content", "file-1")

    assert_nowhere(KEY.one, recordings)
    assert base64.b64encode(KEY.one.encode())[:20] not in everything_written(recordings)
    assert b"__REDACTED__" + b" " * size == replayed.content


def test_the_account_is_nobodys_business(client: openai.OpenAI, server: OpenAIServer, recordings: Path) -> None:
    """Organisation and project ids name a customer; user names and queries of a base url may be keys."""
    password, signature, token = made(12, "pw"), made(30, "sig"), made(20, "q")
    base_url = f"{server.base_url.replace('://', f'://user:{password}@')}?sig={signature}"
    account = {"organization": SECRETS[-2].one, "project": SECRETS[-1].one}
    server.scripts["/v1/"] = lambda asked, number: error(429, f"Rate limit reached in organization {SECRETS[-2].one}")
    with openai.OpenAI(base_url=base_url, api_key="sk-test", max_retries=0, **account) as owner:
        with inference_recording("record", recordings), pytest.raises(openai.RateLimitError):
            query = {"token": token}
            owner.chat.completions.create(**HELLO, extra_body={"project_id": "1461945d-7925"}, extra_query=query)

    for value in (*account.values(), "user:", password, signature, token, "1461945d-7925"):
        assert_nowhere(value, recordings)


def test_a_secret_is_hidden_beside_names_that_are_numbers(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """`logit_bias` is given by numbers of tokens; such a call could not be made at all with a secret in it."""
    echo(server)
    calls = [
        HELLO | {"messages": [{"role": "user", "content": key}], "logit_bias": {9: 1, 10: 2}}
        for key in (KEY.one, KEY.other)
    ]
    with inference_recording("record", recordings):
        sdk.call("chat.completions.create", **calls[0])
    with inference_recording("replay", recordings):
        answer = sdk.call("chat.completions.create", **calls[1])

    assert KEY.other == answer.choices[0].message.content
    assert {"9": 1, "10": 2} == json.loads(next(recordings.glob("*.json")).read_text())["request"]["body"]["logit_bias"]


@pytest.mark.parametrize("kind", ["plain", "stream", "raw", "failing"])
@pytest.mark.parametrize("literal", ["__REDACTED_1__", "__REDACTED_0__", "__REDACTED__", "__REDACTED_LITERAL_1J__"])
def test_a_literal_that_looks_like_a_placeholder_comes_back(
    literal: str, kind: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A prompt about this very tool got the caller's key in the place of the text that it had typed."""
    echo(server)
    name = "chat.completions.with_raw_response.create" if kind == "raw" else "chat.completions.create"
    more = {"stream": {"stream": True}, "failing": {"model": "failing"}}.get(kind, {})

    def call(key: str) -> Any:
        try:
            result = sdk.call(name, **asking(f"{key} is what {literal} stands for, {literal}.", **more))
        except openai.AuthenticationError as error:
            return f"{error}{error.body}{error.response.text}"
        if kind == "stream":
            return "".join(item.choices[0].delta.content or "" for item in sdk.items(result) if item.choices)
        message = (result.parse() if kind == "raw" else result).choices[0].message
        return message.content, json.loads(message.tool_calls[0].function.arguments)

    with inference_recording("live"):
        live = call(KEY.other)
    with inference_recording("record", recordings, record_errors=True):
        call(KEY.one)
    with inference_recording("replay", recordings):
        replayed = call(KEY.other)

    assert live == replayed
    assert_nowhere(KEY.one, recordings)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Explain __REDACTED_1__.", "Explain __REDACTED_2__."),
        ("Explain __REDACTED__.", "Explain __REDACTED_1__."),
        ("Explain __REDACTED_1__.", f"Explain {KEY.one}."),
        (f"Explain {KEY.one}.", "Explain __REDACTED_1__."),
        (f"Explain {KEY.one}.", "Explain __REDACTED__."),
    ],
    ids=[
        "another number",
        "no number",
        "recorded with a literal",
        "recorded with a secret",
        "with a secret, no number",
    ],
)
def test_requests_that_differ_in_a_literal_have_different_answers(
    one: str, other: str, client: openai.OpenAI, recordings: Path
) -> None:
    """Their keys were the same: one got the other's answer."""
    with inference_recording("record", recordings):
        client.chat.completions.create(**asking(one))

    with inference_recording("replay", recordings), pytest.raises(MissingRecording):
        client.chat.completions.create(**asking(other))
