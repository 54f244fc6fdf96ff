"""Big recordings are read in other ways than small ones, which are the reference."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inference_recorder.recording.answer import Streamed, Value, items_of
from inference_recorder.recording.body import chunk_value, typed
from inference_recorder.recording.codec import decode, decode_thoroughly, encode
from inference_recorder.recording.lines import Lines

REQUEST = {"method": "POST", "body": {"model": "m"}, "endpoint": "e"}


def test_a_big_stream_is_found_line_by_line() -> None:
    """And says the same as when all of it is parsed."""
    chunks = [typed("a.B", {"number": number, "text": "é" * 50}) for number in range(9_000)]
    content = encode("t", REQUEST, Streamed(chunks, is_complete=False))
    answer = decode(content, "f").answer

    assert isinstance(answer, Streamed)
    assert isinstance(answer.chunks, Lines)
    assert len(chunks) == len(answer.chunks)
    assert chunks == [chunk_value(chunk, "f") for chunk in answer.chunks]
    assert not answer.is_complete
    assert len(chunks) == len(items_of(decode_thoroughly(content, "f").answer))


@pytest.mark.parametrize(
    "value",
    [
        {"text": 'é \U0001f600 \\ " \n', "floats": [0.1, 1e-9, -0.0, 1e308], "none": None, "yes": True},
        {"large": 2**63, "larger": 10**30},
        {"infinite": float("inf")},
        {"surrogate": "\ud800"},
        {"deep": json.loads("[" * 300 + "]" * 300)},
    ],
    ids=["usual", "large integers", "infinite", "lone surrogate", "deep"],
)
def test_a_big_answer_says_what_a_small_one_does(value: Any) -> None:
    """It is read by another parser, for the sake of memory."""
    big, small = (
        decode(encode("t", REQUEST, Value(typed("a.B", [value, filler]))), "f").answer.body
        for filler in ("x" * (1 << 24), "")
    )

    assert repr(small["__data__"][0]) == repr(big["__data__"][0])
    assert 1 << 24 == len(big["__data__"][1])
