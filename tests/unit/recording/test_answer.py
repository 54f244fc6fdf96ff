"""The four kinds of answer: what each has, and that none shows a secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inference_recorder.errors import assert_never
from inference_recorder.recording.answer import (
    Answer,
    Failed,
    Failure,
    Http,
    ModelList,
    Recording,
    Streamed,
    Value,
    failure_of,
    is_complete,
    items_of,
)
from inference_recorder.recording.codec import decode

SECRET = "the-secret-of-this-test"
FAILURE = Failure("APIError", SECRET, body={"key": SECRET}, text=SECRET)
HTTP = Http(200, {"content-type": "text/plain"})


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Value(), "<Value: no body>"),
        (Value({"text": SECRET}, SECRET.encode(), http=HTTP), "<Value: a body>"),
        (Streamed([SECRET.encode()], http=HTTP), "<Streamed: 1 chunks>"),
        (Streamed([SECRET], FAILURE, http=HTTP), "<Streamed: 1 chunks, <Failure APIError>>"),
        (ModelList([{"id": SECRET}], {"next": SECRET}, http=HTTP), "<ModelList: 1 models>"),
        (Failed(FAILURE, http=HTTP), "<Failed: <Failure APIError>>"),
    ],
    ids=["nothing", "value", "stream", "broken stream", "models", "failure"],
)
def test_a_repr_shows_no_secret(answer: Answer, expected: str) -> None:
    """A traceback shows the reprs of locals, and CI keeps tracebacks."""
    assert expected == repr(answer)
    assert SECRET not in repr(Recording("a.json", answer))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Value("text"), (None, (), True)),
        (Value("text", is_complete=False), (None, (), False)),
        (Streamed([1, 2]), (None, [1, 2], True)),
        (Streamed([1], FAILURE), (FAILURE, [1], True)),
        (Streamed([1], is_complete=False), (None, [1], False)),
        (ModelList([3]), (None, [3], True)),
        (ModelList([3], is_complete=False), (None, [3], False)),
        (Failed(FAILURE), (FAILURE, (), True)),
    ],
)
def test_every_kind_says_how_it_ended_and_what_it_is_made_of(answer: Answer, expected: Any) -> None:
    """Rooms that treat all kinds alike ask these questions."""
    assert expected == (failure_of(answer), items_of(answer), is_complete(answer))


_EXCEPTION = {"is_exception": True, "exception_data": {"type": "APIError", "message": "m"}}


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"body": None}, Value()),
        ({"body": {"a": 1}, "is_complete": False}, Value({"a": 1}, is_complete=False)),
        ({"body": [1], "page": {"a": 1}}, ModelList([1], {"a": 1})),
        ({"body": [1], "is_streaming": True, "ends_with_done": False}, Streamed([1], ends_with_done=False)),
        ({"body": [1], "is_streaming": True, **_EXCEPTION}, Streamed([1], Failure("APIError", "m"))),
        ({"body": None, "is_streaming": True, **_EXCEPTION}, Streamed((), Failure("APIError", "m"))),
        ({"body": None, **_EXCEPTION}, Failed(Failure("APIError", "m"))),
        ({"body": [1], **_EXCEPTION}, Failed(Failure("APIError", "m"))),
        ({"body": {"a": 1}, **_EXCEPTION}, Failed(Failure("APIError", "m"))),
    ],
)
def test_what_a_file_holds_decides_its_kind(response: dict[str, Any], expected: Answer) -> None:
    """A file may hold any of the members; a stream that fails before its first chunk fails when it is read."""
    content = json.dumps({"request": {}, "response": response}).encode()

    assert Recording("a.json", expected) == decode(content, "a.json")


def test_a_kind_that_no_case_meets_is_an_error() -> None:
    """Mypy finds it first; a value of another type, from code that mypy does not see, must not pass silently."""
    with pytest.raises(AssertionError, match="unexpected 'text'"):
        assert_never("text")  # type: ignore[arg-type]
