"""The file: what goes in comes out, in any layout, whatever JSON it is."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inference_recorder import CorruptRecording
from inference_recorder.recording import codec
from inference_recorder.recording.answer import (
    Answer,
    Failed,
    Failure,
    Http,
    ModelList,
    Recording,
    Streamed,
    Value,
    items_of,
)
from inference_recorder.recording.body import chunk_value, typed, untyped
from inference_recorder.recording.codec import decode, encode
from inference_recorder.recording.lines import Lines

from ...support.answers import contents_of, values_of

REQUEST = {
    "method": "POST",
    "url": "u",
    "headers": {},
    "body": {"response": {"body": []}},
    "endpoint": "e",
    "model": "",
}

# Any JSON that Python's own json writes and reads back, NaN apart (it equals nothing).
_NAMES = st.one_of(st.text(max_size=8), st.sampled_from(["__type__", "__data__", "response"]))
_JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(min_value=-(10**30), max_value=10**30),
        st.floats(allow_nan=False),
        st.text(st.characters(), max_size=20),  # lone surrogates too
        st.sampled_from(["\n    ],\n", '"__data__":', '{"__type__":', '\n  "response": {\n', ",\n      "]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_NAMES, inner, max_size=4)),
    max_leaves=12,
)
_BODIES = st.dictionaries(st.text(max_size=8), _JSON, max_size=3)
_LAYOUTS = st.sampled_from([None, 0, 2, 4])
_HTTP = st.builds(
    Http,
    st.integers(100, 599),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
    st.just(()) | st.lists(st.floats(0, 600), min_size=1, max_size=3),
)
_FAILURES = st.builds(
    Failure,
    type=st.text(max_size=5),
    message=st.text(st.characters(), max_size=9),
    status_code=st.none() | st.integers(100, 599),
    body=_JSON,
    text=st.none() | st.text(max_size=9),
)
_BESIDE = {"http": st.none() | _HTTP, "is_redacted": st.booleans()}
_ANY_ITEMS = st.lists(_JSON | _JSON.map(lambda value: typed("a.B", value)), max_size=4)
_CHUNKS = st.lists(_JSON.map(lambda value: typed("a.B", value)), max_size=4)
_ANSWERS = st.one_of(
    st.builds(Value, _JSON.filter(lambda value: not isinstance(value, list)), **_BESIDE, is_complete=st.booleans()),
    st.builds(Value, _JSON.map(lambda value: typed("a.B", value)), **_BESIDE),
    st.builds(ModelList, _ANY_ITEMS, st.none() | _BODIES, **_BESIDE, is_complete=st.booleans()),
    st.builds(
        Streamed,
        _CHUNKS,
        st.none() | _FAILURES,
        st.none() | st.booleans(),
        **_BESIDE,
        is_complete=st.booleans(),
    ),
    st.builds(Failed, _FAILURES, **_BESIDE),
)


def reread(answer: Answer, request: Any = REQUEST) -> Recording:
    return decode(encode("t", request, answer), "file.json")


@given(body=_JSON, request=_BODIES)
def test_any_plain_body_comes_back(body: Any, request: Any) -> None:
    """Integers beyond 64 bits, lone surrogates, infinities: what Python's json keeps, we keep."""
    recording = reread(Value(typed("a.B", body)), REQUEST | {"body": request})

    assert body == untyped(recording.answer.body)
    assert isinstance(recording.answer, Value)


@given(chunks=st.lists(_JSON, max_size=5), is_complete=st.booleans())
def test_any_chunks_come_back(chunks: list[Any], is_complete: bool) -> None:
    """Chunks are found by line; nothing inside one may look like the end of one."""
    items = [typed("a.B", chunk) for chunk in chunks]
    recording = reread(Streamed(items, is_complete=is_complete))

    assert isinstance(recording.answer, Streamed)
    assert chunks == [untyped(chunk) for chunk in values_of(recording.answer)]
    assert is_complete == recording.answer.is_complete


@given(chunks=st.lists(_JSON, min_size=1, max_size=5), indent=_LAYOUTS)
def test_every_layout_of_the_same_json_says_the_same(chunks: list[Any], indent: int | None) -> None:
    """The specification's example is a single line; editors and pre-commit hooks reformat files."""
    content = encode("t", REQUEST, Streamed([typed("a.B", chunk) for chunk in chunks]))
    document = json.loads(content)
    other = json.dumps(document, indent=indent).encode()
    expected, actual = decode(content, "f"), decode(other, "f")

    assert values_of(expected.answer) == values_of(actual.answer)


@given(answer=_ANSWERS, request=_BODIES, big_list=st.sampled_from([0, 20, 1 << 14]))
@example(Streamed([], Failure("APIError", "m", body={"n": 10**30})), {}, 0)
@example(ModelList([typed("a.B", {})], {"n": 10**30}), {}, 0)
@example(ModelList([-(2**63) - 1]), {}, 0)
@example(Streamed([{}, typed("a.B", {"n": 10**30})]), {}, 0)
def test_an_answer_comes_back_as_from_the_whole_document(answer: Answer, request: Any, big_list: int) -> None:
    """Of our layout only the response is parsed, a list is not even that; parsing all of it is the reference."""
    content = encode("t", REQUEST | {"body": request}, answer)
    reference = codec._decode_parsed(codec._whole_document(content, "f"), "f")

    with patch.object(codec, "_BIG_LIST", big_list):
        actual = decode(content, "f")

    assert summary(answer) == summary(reference.answer) == summary(actual.answer)


def test_of_a_file_in_our_layout_only_the_response_is_parsed() -> None:
    """Else every replay would pay for the whole of its file, and all would come back all the same."""
    http, failure = Http(200, {"a": "b"}), Failure("APIError", "m", body=[1])
    stream = Streamed([typed("a.B", [])] * 3, failure, http=http)
    models = ModelList([typed("a.B", [])] * 3, {"a": [1]}, http=http)
    with patch.object(codec, "_whole_document", side_effect=AssertionError("parsed as a whole")):
        for answer in (stream, models, Failed(failure, http=http), Value(typed("a", [1]))):
            assert summary(answer) == summary(reread(answer).answer)
        with patch.object(codec, "_BIG_LIST", 0):
            assert isinstance(reread(stream).answer.chunks, Lines)


def summary(answer: Answer) -> str:
    """Return all that an answer says, however its chunks are kept; -0.0 is not 0, nor 1 True."""
    return repr(contents_of(answer))


@given(content=st.binary(max_size=200), cut=st.integers(min_value=0, max_value=400))
def test_any_bytes_give_an_answer_or_say_that_they_are_corrupt(content: bytes, cut: int) -> None:
    """Never a KeyError out of our depths."""
    whole = encode("t", REQUEST, Streamed([typed("a.B", 1)]))
    for damaged in (content, whole[:cut], whole[:cut] + content + whole[cut + len(content) :]):
        try:
            recording = decode(damaged, "f")
            for chunk in items_of(recording.answer):
                try:
                    chunk_value(chunk, "f")
                except ValueError:
                    pass
        except CorruptRecording as error:
            assert "f is not a readable recording" in str(error)


def test_a_file_looks_as_the_format_describes() -> None:
    """People read and diff recordings; a change of layout is a change of thousands of files."""
    answer = Streamed([typed("a.B", {"é": 1}), typed("a.B", {})], is_complete=False)
    request = {"method": "POST", "body": {"model": "m"}}
    assert """{
  "test_id": "t",
  "request": {
    "method": "POST",
    "body": {
      "model": "m"
    }
  },
  "response": {
    "body": [
      {"__type__":"a.B","__data__":{"é":1}},
      {"__type__":"a.B","__data__":{}}
    ],
    "is_streaming": true,
    "is_complete": false
  },
  "id_normalization_mapping": {}
}
""" == encode("t", request, answer).decode()


def test_a_failure_and_what_is_known_of_http_come_back() -> None:
    """The class, the code and the request id are what error handling looks at."""
    failure = Failure("RateLimitError", "slow down", 429, {"code": "rate"}, "raw text")
    http = Http(429, {"retry-after": "7"})
    recording = reread(Failed(failure, http=http))

    assert (failure, http) == (recording.answer.failure, recording.answer.http)


def test_an_id_mapping_is_applied_to_the_whole_text() -> None:
    """{normalised: original}: each original is replaced, wherever it stands."""
    document = {
        "request": {"body": {"previous": "resp_real"}},
        "response": {"body": {"__type__": "a", "__data__": {"id": "resp_real"}}, "is_streaming": False},
        "id_normalization_mapping": {"resp_1": "resp_real"},
    }
    for indent in (None, 2):
        recording = decode(json.dumps(document, indent=indent).encode(), "f")
        assert {"id": "resp_1"} == untyped(recording.answer.body)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ({"body": None, "http": {"status_code": 42, "headers": {}}}, "status_code of 100 to 599"),
        ({"body": None, "http": {"status_code": 200, "headers": {"a": 1}}}, "names to strings"),
        ({"body": None, "http": []}, "must hold a status_code"),
        ({"body": None, "http": {"status_code": 200, "headers": {}, "pauses": [-1]}}, "pauses must be a list"),
        ({"is_exception": True, "exception_data": {"status_code": "429"}}, "status_code '429' is none of HTTP's"),
        ({"body": 1, "is_streaming": True}, "list of chunks"),
    ],
)
def test_a_malformed_member_is_named(response: Any, reason: str) -> None:
    """A slip in a recording edited by hand has to be found."""
    with pytest.raises(CorruptRecording, match=reason):
        decode(json.dumps({"response": response}).encode(), "f")


@pytest.mark.parametrize("value", [{"__data__": 1}, {"__type__": "a.B"}], ids=["no type", "no data"])
def test_an_object_with_only_one_of_our_two_names_is_a_value_itself(value: Any) -> None:
    """A server may use such a name for something of its own."""
    assert value == untyped(value)
