"""What a recording that is made again may differ in without becoming another one, and what is constant in it."""

from __future__ import annotations

from typing import Any

import pytest

from inference_recorder.json_tree import JsonObject
from inference_recorder.recording.answer import Http, Streamed, Value
from inference_recorder.recording.body import typed
from inference_recorder.recording.codec import encode
from inference_recorder.recording.stability import recorded_id, renamed_ids, without_volatile

KEY = "0123456789abcdef" * 4
REQUEST: JsonObject = {"method": "POST", "endpoint": "/v1/messages", "body": {"model": "m", "messages": []}}


def renamed(old: Any, new: Any) -> dict[str, str] | None:
    """Return the renamed ids of two recordings of these answers, as they are stored."""
    return renamed_ids(*(encode("t", REQUEST, Value(typed("a.B", without_volatile(data, KEY)))) for data in (old, new)))


def message(id_: str, *content: Any, **members: Any) -> dict[str, Any]:
    return {"id": id_, "type": "message", "role": "assistant", "content": [*content], **members}


def call(id_: str, **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": "find", "input": given}


OLD_ID, NEW_ID = "msg_01AAAAAAAA", "msg_01BBBBBBBB"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (message(OLD_ID), message(NEW_ID), {NEW_ID: OLD_ID}),
        (message(OLD_ID, call("toolu_01AAAA", a=1)), message(OLD_ID, call("toolu_01BBBB", a=1)),
         {"toolu_01BBBB": "toolu_01AAAA"}),
        (message(OLD_ID, container={"id": "container_01AAAA", "expires_at": "2026-01-01T00:00:00Z"}),
         message(OLD_ID, container={"id": "container_01AAAA", "expires_at": "2026-01-02T10:00:00.5+01:00"}), {}),
        ({"id": "msgbatch_01AAAA", "created_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T01:00:00Z"},
         {"id": "msgbatch_01AAAA", "created_at": "2026-02-01T00:00:00Z", "ended_at": "2026-02-01T01:00:00Z"}, {}),
        ({"object": "chat.completion", "id": "chatcmpl-1", "created": 1_700_000_000, "usage": {"total_time": 0.1},
          "x_groq": {"id": "req_01aaaaaa", "seed": 7}},
         {"object": "chat.completion", "id": "chatcmpl-2", "created": 1_800_000_000, "usage": {"total_time": 0.25},
          "x_groq": {"id": "req_01bbbbbb", "seed": 8}}, {"req_01bbbbbb": "req_01aaaaaa"}),
        ({"time_info": {"queue_time": 0.1, "created": 1_700_000_000.25}},
         {"time_info": {"queue_time": 2e-05, "created": 1_800_000_000.5}}, {}),
        ({"object": "chat.completion", "id": "nz7d-4YNCb4-9a0e1f", "choices": [{"text": "4", "seed": 1}]},
         {"object": "chat.completion", "id": "ab9c-4YNCb4-9a0e2e", "choices": [{"text": "4", "seed": 2}]}, {}),
        ({"object": "text.completion", "id": "nz7d-4YNCb4"}, {"object": "text.completion", "id": "ab9c-4YNCb4"}, {}),
    ],
    ids=["a message's id", "a call's id", "a container", "a batch's times", "groq's chance", "cerebras' times",
         "together's seed", "together's completion"],
)  # fmt: skip
def test_what_a_server_makes_up_for_each_answer_is_no_difference(old: Any, new: Any, expected: Any) -> None:
    """Recording a suite again must leave the files of equal answers alone."""
    assert expected == renamed(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (message(OLD_ID, call("toolu_01AAAA", order_id="order-111111")),
         message(OLD_ID, call("toolu_01AAAA", order_id="order-222222"))),
        (message(OLD_ID, call("toolu_01AAAA", a=1)), message(OLD_ID, call("toolu_01AAAA", a=1.0))),
        (message(OLD_ID, {**call("srvtoolu_01AAAA", usage={"run_time": 1}), "type": "server_tool_use"}),
         message(OLD_ID, {**call("srvtoolu_01AAAA", usage={"run_time": 2}), "type": "server_tool_use"})),
        (message(OLD_ID, usage={"output_tokens": 7}), message(OLD_ID, usage={"output_tokens": 8})),
        (message(OLD_ID, {"signature": "a"}), message(OLD_ID, {"signature": "b"})),
        ({"type": "model", "id": "claude-opus-4"}, {"type": "model", "id": "claude-haiku-4"}),
        ({"expires_at": "2026-01-01T00:00:00Z"}, {"expires_at": "never"}),
        ({"usage": {"total_time": 0.1}}, {"usage": {"total_time": None}}),
        ({"seed": 1}, {"seed": 2}),
        ({"queue_time": 0.1}, {"queue_time": 0.2}),
    ],
    ids=["an id that the model has written", "a number of the input", "times in an input", "tokens", "a signature",
         "a model's name", "no time", "no number", "a seed elsewhere", "a time elsewhere"],
)  # fmt: skip
def test_what_an_answer_says_is_a_difference(old: Any, new: Any) -> None:
    """The old file would answer what the model no longer says."""
    assert renamed(old, new) is None


def test_a_stream_that_differs_in_ids_alone_is_the_same() -> None:
    """Its message has an id in the first event, its call one in another, groq's chunks all have some."""

    def stream(message_id: str, call_id: str, request_id: str) -> bytes:
        chunks: list[Any] = [
            {"type": "message_start", "message": message(message_id)},
            {"type": "content_block_start", "index": 0, "content_block": call(call_id)},
            {"object": "chat.completion.chunk", "id": request_id, "x_groq": {"id": request_id}},
        ]  # fmt: skip
        answer = Streamed([typed("a.B", without_volatile(one, KEY)) for one in chunks], http=Http(200, {}))
        return encode("t", REQUEST, answer)

    expected = {NEW_ID: OLD_ID, "toolu_01BBBB": "toolu_01AAAA", "req_01bbbbbb": "req_01aaaaaa"}
    olds, news = (OLD_ID, "toolu_01AAAA", "req_01aaaaaa"), (NEW_ID, "toolu_01BBBB", "req_01bbbbbb")
    assert expected == renamed_ids(stream(*olds), stream(*news))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (message(OLD_ID), message(OLD_ID)),
        ({"type": "message_start", "message": message(OLD_ID)}, {"type": "message_start", "message": message(OLD_ID)}),
        ({"id": "msgbatch_1", "created_at": "2026-01-01T00:00:00Z"},
         {"id": "msgbatch_1", "created_at": "1970-01-01T00:00:00.000000Z"}),
        ({"type": "model", "id": "claude", "created_at": "2026-01-01T00:00:00Z"},
         {"type": "model", "id": "claude", "created_at": "2026-01-01T00:00:00Z"}),
        ({"object": "completion.chunk", "id": "x", "created": 5},
         {"object": "completion.chunk", "id": recorded_id(KEY), "created": 0}),
        ({"time_info": {"created": 1.5}, "usage": {"total_time": 1.5}},
         {"time_info": {"created": 1.5}, "usage": {"total_time": 1.5}}),
    ],
    ids=["a message", "its first event", "a batch", "a model", "together's chunk", "measured times"],
)  # fmt: skip
def test_only_what_nobody_names_and_times_are_constant(data: JsonObject, expected: JsonObject) -> None:
    """A later request names a message as `previous_message_id`; what a model's time says is true in each run."""
    assert expected == without_volatile(data, KEY)
