"""The tokens of recorded answers."""

from __future__ import annotations

import json

import pytest

from inference_recorder.json_tree import JsonObject, JsonValue
from inference_recorder.recording.answer import Answer, Failed, Failure, Recording, Streamed, Value
from inference_recorder.recording.body import typed
from inference_recorder.recording.usage import Usage, usage_of

CHAT = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
RESPONSE = {"input_tokens": 5, "output_tokens": 6, "total_tokens": 11}
OF_THEM: JsonObject = {
    "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 1},
}


def whole(data: JsonValue) -> Answer:
    return Value(typed("openai.types.X", data))


def stream(*chunks: JsonValue) -> Answer:
    return Streamed([json.dumps(typed("openai.types.X", one)).encode() for one in chunks])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (whole({"usage": CHAT}), Usage(3, 4)),
        (whole({"usage": RESPONSE}), Usage(5, 6)),
        (whole({"usage": {"prompt_tokens": 8, "total_tokens": 8}}), Usage(8, 0)),
        (whole({"usage": CHAT | OF_THEM}), Usage(3, 4, cached=2, reasoning=1)),
        (whole({"usage": RESPONSE | {"output_tokens_details": {"reasoning_tokens": 6}}}), Usage(5, 6, reasoning=6)),
        (stream({"usage": None}, {"choices": [], "usage": CHAT}), Usage(3, 4)),
        (stream({"usage": RESPONSE}, {"usage": CHAT}, {"usage": None}), Usage(3, 4)),
        (
            stream(
                {"type": "response.created", "response": {"usage": None}},
                {"type": "response.completed", "response": {"usage": RESPONSE}},
            ),
            Usage(5, 6),
        ),
        (Streamed([typed("X", {"usage": CHAT})]), Usage(3, 4)),
        (stream({"choices": [{"delta": {"content": 'the "usage" of words'}}]}), None),
        (whole({"choices": []}), None),
        (whole({"usage": "none"}), None),
        (whole({"usage": {"prompt_tokens": "3"}}), None),
        (whole({"usage": {"prompt_tokens": True, "completion_tokens": -1, "total_tokens": 2**53}}), None),
        (whole({"usage": {"type": "duration", "seconds": 3}}), None),
        (whole({"response": {"response": {"usage": CHAT}}}), None),
        (Value("text"), None),
        (Failed(Failure("RateLimitError", "slow down", 429)), None),
    ],
    ids=[
        "chat",
        "responses",
        "embeddings: none out",
        "chat: cached and reasoning",
        "responses: reasoning",
        "a stream's last chunk",
        "of several the last one",
        "the event that ends a response",
        "another layout",
        "the word in a text",
        "no usage",
        "no object",
        "no numbers",
        "no counts",
        "seconds of sound",
        "deeper",
        "text",
        "a failure",
    ],
)
def test_tokens_are_those_that_the_answer_reports(answer: Answer, expected: Usage | None) -> None:
    """Each endpoint names them in its own way, and a wrong sum is worse than none."""
    assert expected == usage_of(Recording("a.json", answer))
