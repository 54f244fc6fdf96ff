"""What an answer says that another did not, and whether a request repeats it."""

from __future__ import annotations

from typing import Any

import pytest

from inference_recorder.recording.answer import Answer, Streamed, Value
from inference_recorder.recording.codec import encode
from inference_recorder.recording.texts import new_texts, repeats_one


def recording(answer: Answer) -> bytes:
    return encode(
        "test", {"method": "POST", "url": "u", "headers": {}, "body": {}, "endpoint": "/v1/x", "model": ""}, answer
    )


def streamed(*words: str) -> Answer:
    chunks = [{"id": "a", "choices": [{"index": 0, "delta": {"content": word}}]} for word in words]
    return Streamed(chunks)


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (Value({"id": "resp_2", "text": "same"}), Value({"id": "resp_1", "text": "same"}), {"resp_2"}),
        (Value({"text": " padded\n"}), None, {"padded"}),
        (Value({"text": '["Paris", {"n": "x"}]'}), None, {'["Paris", {"n": "x"}]', "Paris", "x"}),
        (Value({"text": "{not json"}), None, {"{not json"}),
        (Value([1, None, True, {"a": []}]), None, set()),
        (streamed("Par", "is"), streamed("Par", "is"), set()),
        (streamed("Par", "is"), streamed("Rom", "e"), {"Paris"}),
        (streamed("Paris"), streamed("Rome"), {"Paris"}),
    ],
)  # fmt: skip
def test_the_texts_that_are_new_are_reported(new: Answer, old: Answer | None, expected: set[str]) -> None:
    """Ids and texts, of a stream the joined one: a chunk of it would be found in any prompt."""
    assert expected == new_texts(recording(new), None if old is None else recording(old))


@pytest.mark.parametrize(
    ("request_body", "expected"),
    [
        ({"input": "Paris"}, True),
        ({"messages": [{"content": [{"text": "in Paris, again"}]}]}, True),
        ({"input": "Parish, and Paris."}, True),
        ({"input": "Parish or Comparis"}, False),
        ({"input": "Rome", "n": 1}, False),
        ({"Paris": "a name is not a text"}, False),
    ],
)
def test_a_request_repeats_a_text_that_stands_alone_in_it(request_body: Any, expected: bool) -> None:
    """A part of another word is another word."""
    assert expected == repeats_one(request_body, {"Paris"})
