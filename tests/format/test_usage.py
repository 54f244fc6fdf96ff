"""The tokens of recorded answers."""

from __future__ import annotations

import json

import pytest

from inference_recorder.format.codec import typed
from inference_recorder.format.recording import Answer, Failure, Recording
from inference_recorder.format.usage import Usage, usage_of
from inference_recorder.identity.jsonable import JsonValue

CHAT = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
RESPONSE = {"input_tokens": 5, "output_tokens": 6, "total_tokens": 11}


def whole(data: JsonValue) -> Answer:
    return Answer(body=typed("openai.types.X", data))


def stream(*chunks: JsonValue) -> Answer:
    return Answer(chunks=[json.dumps(typed("openai.types.X", one)).encode() for one in chunks], is_streaming=True)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (whole({"usage": CHAT}), Usage(3, 4)),
        (whole({"usage": RESPONSE}), Usage(5, 6)),
        (whole({"usage": {"prompt_tokens": 8, "total_tokens": 8}}), Usage(8, 0)),
        (stream({"usage": None}, {"choices": [], "usage": CHAT}), Usage(3, 4)),
        (stream({"usage": RESPONSE}, {"usage": CHAT}, {"usage": None}), Usage(3, 4)),
        (
            stream(
                {"type": "response.created", "response": {"usage": None}},
                {"type": "response.completed", "response": {"usage": RESPONSE}},
            ),
            Usage(5, 6),
        ),
        (Answer(chunks=[typed("X", {"usage": CHAT})], is_streaming=True), Usage(3, 4)),
        (stream({"choices": [{"delta": {"content": 'the "usage" of words'}}]}), None),
        (whole({"choices": []}), None),
        (whole({"usage": "none"}), None),
        (whole({"usage": {"prompt_tokens": "3"}}), None),
        (Answer(body="text"), None),
        (Answer(failure=Failure("RateLimitError", "slow down", 429)), None),
    ],
    ids=[
        "chat",
        "responses",
        "embeddings: none out",
        "a stream's last chunk",
        "of several the last one",
        "the event that ends a response",
        "another layout",
        "the word in a text",
        "no usage",
        "no object",
        "no numbers",
        "text",
        "a failure",
    ],
)
def test_tokens_are_those_that_the_answer_reports(answer: Answer, expected: Usage | None) -> None:
    """Each endpoint names them in its own way, and a wrong sum is worse than none."""
    assert expected == usage_of(Recording("a.json", answer))
