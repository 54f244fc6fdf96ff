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
from inference_recorder.recording.body import chunk_value, typed, untyped
from inference_recorder.recording.codec import decode, encode
from inference_recorder.recording.lines import Lines
from inference_recorder.recording.recording import Answer, Failure, Http, Recording

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
_HTTP = st.builds(Http, st.integers(100, 599), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2))
_FAILURES = st.builds(
    Failure,
    type=st.text(max_size=5),
    message=st.text(st.characters(), max_size=9),
    status_code=st.none() | st.integers(100, 599),
    body=_JSON,
    text=st.none() | st.text(max_size=9),
)
_BESIDE = st.fixed_dictionaries(
    {}, optional={"failure": _FAILURES, "http": _HTTP, "page": _BODIES, "is_redacted": st.just(True)}
)
_ANSWERED = st.one_of(
    st.builds(dict, body=_JSON.filter(lambda value: not isinstance(value, list))),
    st.builds(dict, body=_JSON.map(lambda value: typed("a.B", value))),
    st.builds(dict, chunks=st.lists(_JSON | _JSON.map(lambda value: typed("a.B", value)), max_size=4)),
    st.builds(
        dict,
        chunks=st.lists(_JSON.map(lambda value: typed("a.B", value)), max_size=4),
        is_streaming=st.just(True),
        is_complete=st.booleans(),
    ),
)


def reread(answer: Answer, request: Any = REQUEST) -> Recording:
    return decode(encode("t", request, answer), "file.json")


@given(body=_JSON, request=_BODIES)
def test_any_plain_body_comes_back(body: Any, request: Any) -> None:
    """Integers beyond 64 bits, lone surrogates, infinities: what Python's json keeps, we keep."""
    recording = reread(Answer(body=typed("a.B", body)), REQUEST | {"body": request})

    assert body == untyped(recording.answer.body)
    assert recording.answer.chunks is None


@given(chunks=st.lists(_JSON, max_size=5), is_complete=st.booleans())
def test_any_chunks_come_back(chunks: list[Any], is_complete: bool) -> None:
    """Chunks are found by line; nothing inside one may look like the end of one."""
    items = [typed("a.B", chunk) for chunk in chunks]
    recording = reread(Answer(chunks=items, is_streaming=True, is_complete=is_complete))

    assert chunks == [untyped(chunk_value(chunk, "f")) for chunk in recording.answer.chunks or ()]
    assert (True, is_complete) == (recording.answer.is_streaming, recording.answer.is_complete)


@given(chunks=st.lists(_JSON, min_size=1, max_size=5), indent=_LAYOUTS)
def test_every_layout_of_the_same_json_says_the_same(chunks: list[Any], indent: int | None) -> None:
    """The specification's example is a single line; editors and pre-commit hooks reformat files."""
    content = encode("t", REQUEST, Answer(chunks=[typed("a.B", chunk) for chunk in chunks], is_streaming=True))
    document = json.loads(content)
    other = json.dumps(document, indent=indent).encode()
    expected, actual = decode(content, "f"), decode(other, "f")

    assert [chunk_value(c, "f") for c in expected.answer.chunks or ()] == [
        chunk_value(c, "f") for c in actual.answer.chunks or ()
    ]


@given(beside=_BESIDE, answered=_ANSWERED, request=_BODIES, big_list=st.sampled_from([0, 20, 1 << 14]))
@example({"failure": Failure("APIError", "m", body={"n": 10**30})}, {"chunks": [], "is_streaming": True}, {}, 0)
@example({"page": {"n": 10**30}}, {"chunks": [typed("a.B", {})]}, {}, 0)
@example({}, {"chunks": [-(2**63) - 1]}, {}, 0)
@example({}, {"chunks": [{}, typed("a.B", {"n": 10**30})], "is_streaming": True}, {}, 0)
def test_an_answer_comes_back_as_from_the_whole_document(
    beside: Any, answered: Any, request: Any, big_list: int
) -> None:
    """Of our layout only the response is parsed, a list is not even that; parsing all of it is the reference."""
    answer = Answer(**answered, **beside)
    content = encode("t", REQUEST | {"body": request}, answer)
    reference = codec._decode_parsed(codec._whole_document(content, "f"), "f")

    with patch.object(codec, "_BIG_LIST", big_list):
        actual = decode(content, "f")

    assert summary(answer) == summary(reference.answer) == summary(actual.answer)


def test_of_a_file_in_our_layout_only_the_response_is_parsed() -> None:
    """Else every replay would pay for the whole of its file, and all would come back all the same."""
    http, failure = Http(200, {"a": "b"}), Failure("APIError", "m", body=[1])
    answer = Answer(failure=failure, http=http, page={"a": [1]}, chunks=[typed("a.B", [])] * 3, is_streaming=True)
    with patch.object(codec, "_whole_document", side_effect=AssertionError("parsed as a whole")):
        assert summary(answer) == summary(reread(answer).answer)
        assert summary(Answer(body=typed("a", [1]))) == summary(reread(Answer(body=typed("a", [1]))).answer)
        with patch.object(codec, "_BIG_LIST", 0):
            assert isinstance(reread(answer).answer.chunks, Lines)


def summary(answer: Answer) -> str:
    """Return all that an answer says, however its chunks are kept; -0.0 is not 0, nor 1 True."""
    chunks = None if answer.chunks is None else [chunk_value(chunk, "f") for chunk in answer.chunks]
    http = None if answer.http is None else (answer.http.status_code, dict(answer.http.headers))
    return repr(answer._replace(chunks=chunks, http=http))  # type: ignore[arg-type]


@given(content=st.binary(max_size=200), cut=st.integers(min_value=0, max_value=400))
def test_any_bytes_give_an_answer_or_say_that_they_are_corrupt(content: bytes, cut: int) -> None:
    """Never a KeyError out of our depths."""
    whole = encode("t", REQUEST, Answer(chunks=[typed("a.B", 1)], is_streaming=True))
    for damaged in (content, whole[:cut], whole[:cut] + content + whole[cut + len(content) :]):
        try:
            recording = decode(damaged, "f")
            for chunk in recording.answer.chunks or ():
                try:
                    chunk_value(chunk, "f")
                except ValueError:
                    pass
        except CorruptRecording as error:
            assert "f is not a readable recording" in str(error)


def test_a_file_looks_as_the_format_describes() -> None:
    """People read and diff recordings; a change of layout is a change of thousands of files."""
    answer = Answer(chunks=[typed("a.B", {"é": 1}), typed("a.B", {})], is_streaming=True, is_complete=False)
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
    recording = reread(Answer(failure=failure, http=http))

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
        ({"is_exception": True, "exception_data": {"status_code": "429"}}, "status_code '429' is none of HTTP's"),
        ({"body": 1, "is_streaming": True}, "list of chunks"),
    ],
)
def test_a_malformed_member_is_named(response: Any, reason: str) -> None:
    """A slip in a recording edited by hand has to be found."""
    with pytest.raises(CorruptRecording, match=reason):
        decode(json.dumps({"response": response}).encode(), "f")
