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
MESSAGE = {"input_tokens": 5, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 300, "output_tokens": 1}
TOTALS = {"input_tokens": None, "cache_read_input_tokens": 400, "output_tokens": 60}
THOUGHT: JsonObject = {"output_tokens_details": {"thinking_tokens": 50}}


def message_delta(usage: JsonObject) -> JsonObject:
    return {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}


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
        (whole({"type": "message", "usage": MESSAGE}), Usage(325, 1, cached=300)),
        (
            stream(
                {"type": "message_start", "message": {"usage": MESSAGE}},
                {"type": "content_block_delta", "delta": {"type": "text_delta", "text": '"usage"'}},
                message_delta({"output_tokens": 30, "input_tokens": 7}),
                message_delta(TOTALS | THOUGHT),
                {"type": "message_stop"},
            ),
            Usage(427, 60, cached=400, reasoning=50),
        ),
        (
            Streamed(
                [
                    typed("object", {"type": "message_start", "message": {"usage": MESSAGE}}),
                    typed("object", {"type": "content_block_stop", "index": 0}),
                    typed("object", message_delta({"output_tokens": 30})),
                ]
            ),
            Usage(325, 30, cached=300),
        ),
        (stream({"type": "message_start", "message": {"usage": MESSAGE}}), Usage(325, 1, cached=300)),
        (stream(message_delta(TOTALS)), Usage(400, 60, cached=400)),
        (whole({"usage": CHAT | {"cache_creation_input_tokens": 1, "cache_read_input_tokens": 2}}), Usage(3, 4)),
        (stream({"usage": None, "x_groq": {"id": "req_1"}}, {"x_groq": {"id": "req_1", "usage": CHAT}}), Usage(3, 4)),
        (whole({"usage": CHAT | {"queue_time": 0.01}, "x_groq": {"usage": {"sram_cached_tokens": 2}}}), Usage(3, 4)),
        (stream({"choices": [], "usage": CHAT, "time_info": {"created": 1.5, "total_time": 0.1}}), Usage(3, 4)),
        (whole({"input_tokens": 12}), None),
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
        "messages: with the cache",
        "messages: totals replace counts",
        "messages: another layout",
        "messages: left early",
        "messages: without a start",
        "a proxy's counts with the cache",
        "groq: a stream",
        "groq: its cache",
        "cerebras: a stream",
        "a count of tokens",
        "text",
        "a failure",
    ],
)
def test_tokens_are_those_that_the_answer_reports(answer: Answer, expected: Usage | None) -> None:
    """Each endpoint names them in its own way, and a wrong sum is worse than none."""
    assert expected == usage_of(Recording("a.json", answer))
