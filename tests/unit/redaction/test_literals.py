"""A text that only looks like a placeholder is distinguished from one, in keys, in files and in replays."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inference_recorder.recording.answer import Answer, Failed, Failure, Http, Streamed, Value
from inference_recorder.recording.codec import decode, encode
from inference_recorder.redaction.placeholders import escaped, unescaped
from inference_recorder.redaction.recordings import RecordingRedactor
from inference_recorder.redaction.requests import RequestRules, recorded_request, with_version
from inference_recorder.redaction.restoring import given_back, restored_failure
from inference_recorder.request.credentials import Credential
from inference_recorder.request.jsonable import canonical_text
from inference_recorder.request.keys import request_key
from inference_recorder.request.request import Request

from ...support.answers import contents_of, values_of
from ...support.secret_table import SECRETS, made

ONE, TWO = SECRETS[0], SECRETS[16]
KEYS = made(32, "the client's"), made(32, "the client's later")
LITERALS = (
    "__REDACTED__", "__REDACTED_0__", "__REDACTED_1__", "__REDACTED_2__", "__REDACTED_1J__", "__REDACTED_LITERAL_1__",
    "__REDACTED_LITERAL__", "__REDACTED_1__REDACTED_2__", "__REDACTED_LITERAL_LITERAL_0J__", "__REDACTED_12__",
)  # fmt: skip
PARTS = ("__REDACTED", "_1__", "__", "REDACTED_1__", "_LITERAL", "__REDACTED_1", "J__")
"""What a literal may be put together from, across chunks or beside a placeholder."""


def request(body: dict[str, Any], which: int = 0) -> Request:
    url = "http://localhost/v1/v1/chat/completions"
    return Request("POST", "/v1/chat/completions", url, body, canonical_text(body), Credential(KEYS[which]))


def recorded(asked: Request, answer: Answer, rules: RequestRules) -> bytes:
    hidden = RecordingRedactor(rules.redactor_of(asked), asked.credential)
    held = with_version(hidden.request(rules.as_recorded(asked, asked.frozen_body())), rules.key_version)
    return encode("t", held, hidden.answer(answer))


def replayed(asked: Request, content: bytes, rules: RequestRules) -> Answer:
    """Return the answer as a replay reads it from a recording."""
    answer = decode(content, "").answer
    if not answer.is_redacted:
        return answer
    secrets = rules.secrets_of(asked)
    given = decode(given_back(content, secrets), "").answer
    if isinstance(given, Failed) and isinstance(answer, Failed):
        return replace(given, failure=restored_failure(answer.failure, content, secrets, asked.credential))
    return given


def values(answer: Answer) -> Any:
    return contents_of(replace(answer, is_redacted=False))


_TEXTS = st.lists(
    st.sampled_from([0, 1, *LITERALS, " ", '"', "\n", "word"]) | st.text(st.characters(codec="utf-8"), max_size=3),
    max_size=6,
)
_ANSWER_TEXTS = st.lists(st.sampled_from([0, 1, *LITERALS, *PARTS, " ", '"', "word"]), max_size=6)


def filled(parts: list[Any], secrets: tuple[str, str], separator: str = " ") -> str:
    return separator.join(secrets[part] if isinstance(part, int) else part for part in parts)


def answers_of(texts: list[str], key: str) -> list[Answer]:
    """Return a value and a failure that say these in each of their places; the failure, the client's key too."""
    first, second, third = texts
    whole = {"__type__": "object", "__data__": {first: second, "b": [third], "arguments": json.dumps({first: third})}}
    failure = Failure("BadRequestError", f"{first} {key}", 400, {"message": second}, f"{key} {third}")
    http = Http(400, {"x-first": first.replace("\n", " "), "x-second": second.replace("\n", " ")})
    return [Value(whole, http=http), Failed(failure, http=http)]


@given(_TEXTS, st.lists(_ANSWER_TEXTS, min_size=3, max_size=3), st.booleans())
@example([0, "__REDACTED_1__", 1], [["__REDACTED_1__", 0], ["__REDACTED_0__"], ["__REDACTED_1J__", 1]], True)
@example(["__REDACTED_1__"], [["__REDACTED_1__"], [], []], False)
@example([0], [["__REDACTED", 0], [0, "REDACTED_1__"], ["__REDACTED_1", 0]], True)
def test_a_replay_says_what_the_server_would(asked: list[Any], answers: list[list[Any]], is_other: bool) -> None:
    """A literal in prompt or answer came back as the secret of the one who replays."""
    secrets = (ONE.one, TWO.one), ((ONE.other, TWO.other) if is_other else (ONE.one, TWO.one))
    rules = RequestRules()
    then, now = (request({"input": f"{filled([0, 1], one)} {filled(asked, one)}"}, n) for n, one in enumerate(secrets))
    separators = ["" if {0, 1}.isdisjoint(parts) else "\t" for parts in answers]
    texts = [
        [filled(parts, one, between) for parts, between in zip(answers, separators, strict=True)] for one in secrets
    ]

    contents = [recorded(then, answer, rules) for answer in answers_of(texts[0], KEYS[0])]

    for content, answer in zip(contents, answers_of(texts[1], KEYS[1]), strict=True):
        assert values(answer) == values(replayed(now, content, rules))
        held = json.loads(content)["request"]
        keys = {request_key(rules.asked(one), "t") for one in (then, now)}
        assert keys == {request_key(recorded_request(held), "t")}
        for secret in (*secrets[0], KEYS[0]):
            assert secret.encode() not in content


@given(_ANSWER_TEXTS, st.lists(st.integers(1, 9), min_size=1, max_size=8), st.booleans())
@example(["__REDACTED_1__", " ", 0, "__REDACTED_1__"], [4], True)
@example([0, "__REDACTED_1__"], [9], True)
def test_a_stream_says_what_the_server_would(parts: list[Any], lengths: list[int], is_other: bool) -> None:
    """A literal may come in one chunk or in several, and a secret beside it too."""
    secrets = (ONE.one, TWO.one), ((ONE.other, TWO.other) if is_other else (ONE.one, TWO.one))
    rules = RequestRules()
    then, now = (request({"input": filled([0, 1], one)}) for one in secrets)
    texts = [filled(parts, one, "\t") for one in secrets]
    chunks, start = [], 0
    while start < len(texts[0]):
        length = lengths[len(chunks) % len(lengths)]
        chunks.append({"choices": [{"index": 0, "delta": {"content": texts[0][start : start + length]}}]})
        start += length

    content = recorded(then, Streamed(chunks), rules)

    received = values_of(replayed(now, content, rules))
    assert texts[1] == "".join(one["choices"][0]["delta"]["content"] for one in received)


@given(st.lists(st.sampled_from([*LITERALS, *PARTS, "x"]), max_size=6).map("".join))
def test_what_is_written_is_read_back(text: str) -> None:
    """Nothing is lost, and nothing that is written looks like a placeholder."""
    assert text == unescaped(escaped(text))
    assert "" == text or escaped(text) != escaped(text + "x")


@given(_TEXTS, _TEXTS)
def test_requests_that_differ_in_a_literal_have_different_keys(one: list[Any], other: list[Any]) -> None:
    """The number in a literal counted for nothing, and a literal was taken for a secret."""
    rules, secrets = RequestRules(), (ONE.one, TWO.one)
    texts = [filled(parts, secrets) for parts in (one, other)]
    keys = [request_key(rules.asked(request({"input": text})), "t") for text in texts]
    seen = [text.replace(ONE.one, "<secret>").replace(TWO.one, "<secret>") for text in texts]

    assert (seen[0] == seen[1]) == (keys[0] == keys[1])


OLD = {
    "key": None,
    "request": {
        "method": "POST",
        "url": "http://localhost/v1/v1/chat/completions",
        "headers": {},
        "body": {"input": "__REDACTED_1__ is __REDACTED_2__"},
        "endpoint": "/v1/chat/completions",
        "model": "",
    },
}


@pytest.mark.parametrize(("typed", "given"), [("__REDACTED_5__", "__REDACTED_5__"), (ONE.other, ONE.other)])
def test_a_recording_of_before_is_found_and_read_as_before(typed: str, given: str) -> None:
    """It has a number for the literal too, and its key did not tell which literal it was."""
    rules = RequestRules()
    now = request({"input": f"{typed} is {TWO.other}"})
    content = encode("t", OLD["request"], Value("It is __REDACTED_2__ and __REDACTED_1__.", is_redacted=True))  # type: ignore[arg-type]
    old_key = request_key(recorded_request(json.loads(content)["request"]), "t")

    keys = [key for _, key in rules.further_keys(now, "t", "")]

    assert old_key in keys
    assert f"It is {TWO.other} and {given}." == replayed(now, content, rules).body


@given(st.lists(st.sampled_from([0, *LITERALS, *PARTS, "x"]), max_size=5))
@example(["__REDACTED", 0])
@example(["__REDACTED_1", 0])
@example(["__REDACTED_1_", 0, "REDACTED_1__"])
@example([0, "REDACTED_1__"])
def test_nothing_need_stand_between_a_literal_and_a_secret(parts: list[Any]) -> None:
    """A placeholder put right beside a part of a literal must not make another one of the two."""
    answers = []
    for value in (made(24, "in the environment"), made(24, "in it later")):
        with patch.dict(os.environ, {"DB_PASSWORD": value}):
            rules = RequestRules()
        asked, text = request({"input": f"Use {value}."}), filled(parts, (value, ""), "")
        if not answers:
            content = recorded(asked, Value(text), rules)
            assert value.encode() not in content
        answers.append((text, replayed(asked, content, rules).body))

    for live, again in answers:
        assert live == again
