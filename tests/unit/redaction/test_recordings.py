"""What a recording made with some secrets says to who asks with others; by the rules alone, without an SDK."""

from __future__ import annotations

import base64
import copy
import json
from copy import deepcopy
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inference_recorder.recording.answer import Answer, Failed, Failure, Http, ModelList, Streamed, Value
from inference_recorder.recording.body import chunk_value
from inference_recorder.recording.codec import decode, encode
from inference_recorder.redaction import scanner as scanner_module
from inference_recorder.redaction.recordings import RecordingRedactor
from inference_recorder.redaction.redactor import Redactor
from inference_recorder.redaction.requests import RequestRules, recorded_request
from inference_recorder.redaction.restoring import given_back, restored_failure
from inference_recorder.request.credentials import Credential
from inference_recorder.request.jsonable import canonical_text
from inference_recorder.request.keys import request_key
from inference_recorder.request.request import Request

from ...support.answers import contents_of
from ...support.secret_table import SECRETS, made

ONE, TWO = SECRETS[0], SECRETS[16]
CHAT = "/v1/chat/completions"


class Run(NamedTuple):
    """What a run under the environment of the moment knows of a request."""

    request: Request
    rules: RequestRules

    @property
    def key(self) -> str:
        return request_key(self.rules.asked(self.request), "t")

    def recorded(self, answer: Answer) -> bytes:
        hidden = RecordingRedactor(self.rules.redactor_of(self.request), self.request.credential)
        asked = self.request
        members = {"method": "POST", "url": asked.url, "headers": {}, "body": asked.frozen_body()}
        request = hidden.request({**members, "endpoint": asked.endpoint, "model": asked.model})
        return encode("t", request, hidden.answer(answer))

    def replayed(self, content: bytes) -> Any:
        return decode(given_back(content, self.rules.secrets_of(self.request)), "").answer.body


def run(body: dict[str, Any], endpoint: str = CHAT) -> Run:
    request = Request("POST", endpoint, f"http://localhost{endpoint}", body, canonical_text(body))
    return Run(request, RequestRules())


@pytest.mark.parametrize(
    "body",
    [
        lambda one, two: {"d": {one: "x", "b": two}},
        lambda one, two: {"input": f"__REDACTED_5__ {one} __REDACTED_1__ {two}"},
        lambda one, two: {"input": json.dumps(json.dumps({"text": f"keys:\n{one}\n{two}"}))},
    ],
    ids=["in names", "beside typed placeholders", "in JSON in JSON"],
)
def test_each_secret_comes_back_where_it_was(body: Any) -> None:
    """Secrets out of step with their numbers give the code under test another key, or a placeholder."""
    then, now = run(body(ONE.one, TWO.one)), run(body(ONE.other, TWO.other))

    content = then.recorded(Value(f"{TWO.one} {ONE.one}"))

    assert then.key == now.key == request_key(recorded_request(json.loads(content)["request"]), "t")
    assert f"{TWO.other} {ONE.other}" == now.replayed(content)
    assert [] == [secret for secret in (ONE.one, TWO.one) if secret.encode() in content]


@pytest.mark.parametrize(
    "body",
    [lambda value: {"input": f"The password: {value}. Keep it."}, lambda value: {"extra_query": {"?": f"sig={value}"}}],
    ids=["at the end of a sentence", "first in a query"],
)
def test_a_secret_without_a_shape_is_known_by_its_context(body: Any) -> None:
    """The full stop was part of the password, so that an answer without it kept the password."""
    one, other = made(24, "one"), made(24, "other")
    then, now = run(body(one)), run(body(other))

    content = then.recorded(Value(f"{one} it is"))

    assert then.key == now.key
    assert f"{other} it is" == now.replayed(content)
    assert one.encode() not in content


def test_a_secret_in_a_path_is_one() -> None:
    """Its key held the real one: a replay with a dummy missed."""
    then, now = (run({"input": "x"}, f"/v1/files/{secret}/content") for secret in (ONE.one, ONE.other))

    content = then.recorded(Value(ONE.one))

    assert then.key == now.key == request_key(recorded_request(json.loads(content)["request"]), "t")
    assert ONE.other == now.replayed(content)
    assert ONE.one.encode() not in content


@pytest.mark.parametrize(
    "spelled",
    [lambda value: json.dumps({"p": value}), lambda value: json.dumps({"p": value}, ensure_ascii=False)],
    ids=["with escapes", "in UTF-8"],
)
def test_a_variables_value_is_found_however_it_is_spelled(spelled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The history of a tool call holds its arguments as JSON within a string."""
    value, dummy = 'pa"ss\\word-Ü-of-some-length', "a-dummy-of-some-length"
    monkeypatch.setenv("DB_PASSWORD", value)
    then = run({"input": spelled(value)})
    monkeypatch.setenv("DB_PASSWORD", dummy)
    now = run({"input": spelled(dummy)})

    content = then.recorded(Value("done"))

    assert then.key == now.key
    assert [] == [part for part in (b"word-", "Ü".encode(), b"of-some-length") if part in content]


@pytest.mark.parametrize("character", ["\x7f", "\x1f", "\x80", "/", '"', "\u2028"], ids=ascii)
def test_a_variables_value_is_found_in_a_chunk_whatever_is_in_it(
    character: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk's line writes DEL as it is and a key's text escapes it: a password with one was written to the file."""
    value = f"pass{character}word-of-some-length"
    monkeypatch.setenv("DB_PASSWORD", value)
    chunks = [{"delta": value}]

    hidden = RecordingRedactor(RequestRules().redactor).answer(Streamed(chunks)).chunks

    assert [{"delta": "__REDACTED__"}] == [chunk_value(chunk, "") for chunk in hidden or ()]


def test_a_text_kept_as_bytes_gives_a_repeated_secret_back() -> None:
    """A downloaded text becomes a text in the file, so that the present secret can replace the placeholder."""
    then, now = run({"input": ONE.one}), run({"input": ONE.other})
    downloaded = base64.b64encode(f"the key is {ONE.one}".encode()).decode()

    content = then.recorded(Value({"__type__": "base64", "__data__": downloaded}))

    assert {"__type__": "text", "__data__": f"the key is {ONE.other}"} == now.replayed(content)
    assert ONE.one.encode() not in content


def test_a_url_whose_password_is_a_variables_value_loses_its_user_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value alone was hidden, so that the user stayed, and a run without the variable had another key."""
    password = made(24, "pw")
    monkeypatch.setenv("DB_PASSWORD", password)
    then = run({"input": f"postgres://admin:{password}@localhost/db"})
    monkeypatch.delenv("DB_PASSWORD")
    now = run({"input": "postgres://admin:dummy@localhost/db"})

    assert then.key == now.key
    assert b"admin" not in then.recorded(Value("done"))


def test_texts_that_arrive_by_turns_are_read_apart() -> None:
    """Two parts of one item, a few characters of each in turn: neither secret was found."""
    texts = [ONE.one, TWO.one]
    chunks = [
        {
            "type": "response.output_text.delta",
            "item_id": "i",
            "content_index": position,
            "delta": text[start : start + 5],
        }
        for start in range(0, 60, 5)
        for position, text in enumerate(texts)
    ]

    hidden = RecordingRedactor(RequestRules().redactor).answer(Streamed(chunks)).chunks
    values = [chunk_value(chunk, "") for chunk in hidden or ()]

    for position in range(2):
        assert "__REDACTED__" == "".join(one["delta"] for one in values if one["content_index"] == position)


_PARTS = st.lists(
    st.sampled_from([0, 1]) | st.text(st.characters(codec="utf-8"), max_size=8) | st.just("__REDACTED_7__"), max_size=5
)
_SHAPE = st.recursive(
    _PARTS, lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text("abZ_", max_size=3), inner)
)


def _filled(shape: Any, values: tuple[str, str]) -> Any:
    if isinstance(shape, dict):
        return {name: _filled(item, values) for name, item in shape.items()}
    if isinstance(shape, tuple):
        return [_filled(item, values) for item in shape]
    return " ".join(values[part] if isinstance(part, int) else part for part in shape)


_ANSWER_TEXTS = st.lists(
    st.sampled_from([ONE.one, TWO.text.format(TWO.one), SECRETS[1].one, "\n", '"', "__REDACTED__"])
    | st.text(max_size=4),
    max_size=2,
).map(" ".join)
_ANSWER_JSON = st.recursive(
    _ANSWER_TEXTS | st.integers() | st.floats(allow_nan=False) | st.none(),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(st.floats(0, 1), min_size=1, max_size=3),
        st.tuples(st.integers(), inner).map(list),
        st.dictionaries(st.sampled_from(["delta", "content", "api_key", "\ud800"]) | _ANSWER_TEXTS, inner, max_size=3),
        st.fixed_dictionaries({"token": _ANSWER_TEXTS, "logprob": st.just(-0.5)}, optional={"bytes": st.just([1, 2])}),
    ),
    max_leaves=6,
)
_ANSWERS = st.one_of(
    st.builds(lambda body: Value(body), _ANSWER_JSON.filter(lambda value: not isinstance(value, list))),
    st.builds(lambda chunks: Streamed(chunks), st.lists(_ANSWER_JSON, max_size=3)),
    st.builds(lambda text, body: Failed(Failure("E", text, body=body)), _ANSWER_TEXTS, _ANSWER_JSON),
    st.builds(lambda text, page: ModelList([], page={"a": page}, http=Http(200, {"a": text})), _ANSWER_TEXTS,
              _ANSWER_JSON),
)  # fmt: skip


def _recorded(asked: Any, answer: Answer) -> tuple[Any, Any]:
    """Return a request and an answer without secrets; of the answer's chunks, what they say."""
    one = run({"input": asked})
    hidden = RecordingRedactor(one.rules.redactor_of(one.request))
    request, answer = hidden.request({"body": one.request.frozen_body(), "endpoint": CHAT}), hidden.answer(answer)
    return request, contents_of(answer)


@given(_ANSWER_TEXTS, _ANSWERS)
@example(ONE.one, Value([1, ONE.one]))
@example("", Value({"points": [[0.5, TWO.one]]}))
def test_what_is_taken_as_it_is_holds_no_secret(asked: str, answer: Answer) -> None:
    """Most requests and answers are clean at a look; the reference is that no look ever says so."""
    with patch.object(scanner_module, "prefilter", lambda pattern: lambda text: True):
        expected = _recorded(asked, copy.deepcopy(answer))

    assert expected == _recorded(asked, answer)


@given(_ANSWER_TEXTS, _ANSWERS)
def test_an_answer_not_found_to_be_redacted_has_nothing_to_be_given_back(asked: str, answer: Answer) -> None:
    """Its file is read once; any other twice, with the secrets of the one who asks put in between."""
    then, now = run({"input": asked}), run({"input": f"{asked} {ONE.other} {TWO.other}"})
    content = then.recorded(answer)
    as_it_is = decode(content, "").answer

    for secrets in (then.rules.secrets_of(then.request), now.rules.secrets_of(now.request)):
        given = decode(given_back(content, secrets), "").answer
        if not as_it_is.is_redacted:
            assert contents_of(as_it_is) == contents_of(given)
    assert as_it_is.is_redacted == (
        b"__REDACTED_" in content.partition(b'"response": ')[2].replace(b"__REDACTED__", b"")
    )


@given(_SHAPE, st.sampled_from(SECRETS), st.sampled_from(SECRETS))
def test_a_replay_is_the_servers_echo_of_the_present_secrets(shape: Any, first: Any, second: Any) -> None:
    """Wherever in a request secrets are, in whatever company."""
    one = tuple(secret.text.format(secret.one) for secret in (first, second))
    other = tuple(secret.text.format(secret.other) for secret in (first, second))
    then, now = (run({"input": _filled(shape, values)}) for values in (one, other))

    content = then.recorded(Value({"echo": then.request.frozen_body()["input"]}))

    assert then.key == now.key
    assert {"echo": now.request.body["input"]} == now.replayed(content)
    for secret in (first, second):
        assert json.dumps(secret.one)[1:-1].encode() not in content


def test_the_clients_own_key_is_given_back_in_a_failure_alone() -> None:
    """A stranger's recording could else have a tool call send it somewhere."""
    request = {"body": {"messages": "sign in with __REDACTED_1__"}}
    response = {"body": "http://example.com/?k=__REDACTED_0__&s=__REDACTED_1__"}
    content = json.dumps({"request": request, "response": response}).encode()
    failure = Failure("AuthenticationError", "no such key: __REDACTED_0__", 401, {"message": ["__REDACTED_0__"]})

    body = json.loads(given_back(content, ["the secret"]))["response"]["body"]
    failed = restored_failure(failure, content, ["the secret"], Credential("the key"))

    assert "http://example.com/?k=__REDACTED_0__&s=the secret" == body
    assert ("no such key: the key", {"message": ["the key"]}) == (failed.message, failed.body)


def test_an_errors_own_body_is_left_as_it_came() -> None:
    """The code under test goes on to read it from the exception; secrets in chunks were taken out there too."""
    body = {"details": [{"index": 0, "text": ONE.one[:9]}, {"index": 0, "text": ONE.one[9:]}]}
    before = deepcopy(body)

    hidden = (
        RecordingRedactor(RequestRules().redactor).answer(Failed(Failure("BadRequestError", "no", 400, body))).failure
    )
    assert hidden is not None

    assert before == body
    assert ["__REDACTED__", ""] == [one["text"] for one in hidden.body["details"]]


_ASKED = f"my key is {ONE.one} and {TWO.one}"
_TEXTS = st.lists(
    st.sampled_from([ONE.one, ONE.one[:9], ONE.one[9:], TWO.one, "Ü", " ", '"', "\n", "word"]), max_size=3
).map("".join)
_DELTAS = st.builds(
    lambda text, other: {"choices": [{"index": 0, "delta": {"content": text}}], other: text}, _TEXTS, _TEXTS
)


@given(chunks=st.lists(_DELTAS, max_size=4), body=_DELTAS, header=_TEXTS)
@example(chunks=[{"delta": ONE.one[:9]}, {"delta": ONE.one[9:]}], body=None, header="")
@example(chunks=[{"extra_body": {"project_id": "mine"}}], body=None, header="")
@example(chunks=[{"extra_query": {"token": "0123456789ab"}}], body=None, header="")
def test_a_prefilter_finds_what_looking_everywhere_finds(chunks: list[Any], body: Any, header: str) -> None:
    """The look at the whole answer may err on one side only. And its consumer's chunks are left as they came."""
    then, http = run({"input": _ASKED}), Http(200, {"x-request-id": header})
    answers = Value(body, http=http), ModelList(chunks, body, http=http), Streamed(chunks, http=http)
    before = deepcopy(answers)

    quickly = [then.recorded(answer) for answer in answers]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Redactor, "is_clean", lambda redactor, text: False)
        slowly = [then.recorded(answer) for answer in deepcopy(answers)]

    assert slowly == quickly
    assert before == answers


_CUSTOMERS = ("7314123", "9021987")
_NUMBERS = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.builds(
        lambda before, value, after: json.loads(f"{before}{value}{after}"),
        st.sampled_from(["", "-", "5", "-12"]),
        st.sampled_from(_CUSTOMERS),
        st.sampled_from(["", "0", ".0", ".25", "e3", "e-7", "4567890123456789012345"]),
    ),
)
_WITH_NUMBERS = st.recursive(
    st.one_of(_NUMBERS, st.sampled_from(_CUSTOMERS).map("customer {}".format), st.booleans(), st.none()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["metadata", "who", "role", _CUSTOMERS[0]]), inner, max_size=3)
        | inner.map(json.dumps)
    ),
    max_leaves=6,
)


@given(_WITH_NUMBERS)
@example({"who": [7314123e3, -7314123, 73141234567890123456789012345]})
@example(json.dumps({"who": json.dumps([7314123, "7314123"])}))
def test_numbers_come_back_as_numbers(value: Any) -> None:
    """At every depth of JSON in JSON, in requests and answers, among numbers that hold no secret."""
    body = {"model": "m", "metadata": value}
    request = Request("POST", CHAT, f"http://localhost{CHAT}", body, canonical_text(body))
    one = Run(request, RequestRules(_CUSTOMERS))

    content = one.recorded(Value({"metadata": one.request.frozen_body()["metadata"]}))

    assert one.key == request_key(recorded_request(json.loads(content)["request"]), "t")
    assert canonical_text({"metadata": value}) == canonical_text(one.replayed(content))
    assert [] == [secret for secret in _CUSTOMERS if secret.encode() in content]


def test_the_input_of_a_tool_call_is_the_callers_own_json() -> None:
    """In Anthropic's form it is an object with any names and values, `status` and `index` among them."""
    given = {"status": "paid by bert_brown", "type": "bert_brown", "bert_brown": {"index": 731412345678}}
    call = {"type": "tool_use", "id": "toolu_1", "name": "find", "input": given}
    answer = {"role": "assistant", "content": [call], "stop_reason": "tool_use"}
    body = {"model": "m", "messages": [{"role": "user", "content": "?"}, answer]}
    request = Request("POST", "/v1/messages", "http://localhost/v1/messages", body, canonical_text(body))
    one = Run(request, RequestRules(["bert_brown", "731412345678", "tool_use"]))

    content = one.recorded(Value(answer))

    assert b"bert_brown" not in content
    assert b"731412345678" not in content
    assert answer == one.replayed(content)
    assert one.key == request_key(recorded_request(json.loads(content)["request"]), "t")


def test_a_key_that_is_split_between_the_events_of_a_message_is_replaced() -> None:
    """A stream cuts it anywhere: in a text, in thinking, in the input of a call."""
    one = run({"model": "m", "messages": []}, "/v1/messages")
    secret = SECRETS[3].one
    members = (("text_delta", "text"), ("thinking_delta", "thinking"), ("input_json_delta", "partial_json"))
    chunks = [
        {"type": "content_block_delta", "index": index, "delta": {"type": kind, name: part}}
        for cut in range(0, len(secret), 7)
        for index, (kind, name) in enumerate(members)
        for part in [secret[cut : cut + 7]]
    ]

    content = one.recorded(Streamed([*chunks]))

    assert not [cut for cut in range(0, len(secret) - 7, 7) if secret[cut : cut + 7].encode() in content]
