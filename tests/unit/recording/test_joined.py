"""The chunks of a stream, joined to the answer that they are parts of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inference_recorder.recording.joined import joined_answer, joined_choices, joined_response


def calls(*deltas: dict[str, Any]) -> list[Any]:
    """Return the tool calls of a stream with one chunk for each delta of a call."""
    chunks = [{"choices": [{"index": 0, "delta": {"tool_calls": [delta]}}]} for delta in deltas]
    before = json.dumps(chunks)
    message = joined_choices(chunks)["choices"][0]["message"]

    assert before == json.dumps(chunks), "the chunks themselves are unchanged"
    tool_calls: list[Any] = message["tool_calls"]
    return tool_calls


def test_two_calls_of_one_index_are_distinguished_by_their_ids() -> None:
    """Ollama gives every tool call the index 0."""
    function = {"name": "add", "arguments": "{}"}
    first, second = (
        {"index": 0, "id": "call_1", "function": function},
        {"index": 0, "id": "call_2", "function": function},
    )

    assert [first, second] == calls(first, second)


@pytest.mark.parametrize("names", [("add", "add"), ("ad", "d"), ("add", "")], ids=["repeated", "split", "empty"])
def test_a_function_has_one_name_however_it_arrives(names: tuple[str, str]) -> None:
    """Some servers repeat it in each chunk, and some split it."""
    deltas = [{"index": 0, "function": {"name": name, "arguments": "{"}} for name in names]

    assert [{"index": 0, "function": {"name": "add", "arguments": "{{"}}] == calls(*deltas)


def test_a_tool_call_without_an_index_continues_the_one_before() -> None:
    """Half-compatible servers leave the index out."""
    deltas = [{"id": "call_1", "function": {"arguments": "{"}}, {"function": {"arguments": "}"}}]

    assert [{"id": "call_1", "function": {"arguments": "{}"}}] == calls(*deltas)


def test_an_item_that_did_not_end_holds_the_texts_that_its_events_added() -> None:
    """A stream that its consumer left early has no last event with the whole response."""
    added = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
    events = [
        {"type": "response.output_item.added", "output_index": 0, "item": added},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "Hel"},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "lo"},
    ]
    item = added | {"content": [{"type": "output_text", "text": "Hello"}]}

    assert {"output": [item]} == joined_response(events)


def test_a_stream_of_an_unknown_form_stays_as_it_is() -> None:
    """Nothing is guessed about the events of another API."""
    events = [{"type": "image_generation.partial_image", "b64_json": "AA=="}, "a text"]

    assert events == joined_answer(events)


def test_choices_without_an_index_are_one() -> None:
    """Half-compatible servers leave the index out of choices too."""
    chunks = [{"choices": [{"delta": {"content": text}}]} for text in ("Hel", "lo")]

    assert {"choices": [{"message": {"content": "Hello"}}]} == joined_choices(chunks)


def test_an_error_in_the_stream_is_part_of_the_response() -> None:
    """It is why there is nothing more."""
    event = {"type": "error", "code": "server_error", "message": "down"}

    assert {"error": event} == joined_response([event])


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@pytest.mark.parametrize(
    ("before", "delta", "after", "expected"),
    [
        ({"x_groq": {"id": "req_1"}}, {"reasoning": "Hm."}, {"x_groq": {"id": "req_1", "usage": USAGE}},
         {"x_groq": {"id": "req_1", "usage": USAGE}}),
        ({}, {"tokens": [17]}, {"usage": USAGE, "time_info": {"total_time": 0.1, "created": 1.5}},
         {"usage": USAGE, "time_info": {"total_time": 0.1, "created": 1.5}}),
        ({"usage": None}, {"token_id": 17}, {"usage": USAGE}, {"usage": USAGE}),
    ],
    ids=["groq", "cerebras", "together"],
)  # fmt: skip
def test_chats_of_other_sdks_are_joined_with_what_they_add(before: Any, delta: Any, after: Any, expected: Any) -> None:
    """Their chunks have OpenAI's form, and members of their own."""
    chunks = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}], **before},
        {"choices": [{"index": 0, "delta": {"content": "Hel"}}]},
        {"choices": [{"index": 0, "delta": {"content": "lo", **delta}, "finish_reason": "stop"}], **after},
    ]

    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello", **delta}}
    assert {"choices": [choice], **expected} == joined_answer(chunks)
