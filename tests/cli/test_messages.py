"""Recordings of Anthropic's Messages in the commands: shown, compared, counted and explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inference_recorder.recording.answer import Answer, Streamed, Value
from inference_recorder.recording.body import typed

from .recorded import record, run

ENDPOINT, BASE_URL = "/v1/messages", "https://api.anthropic.com"
USAGE = {"input_tokens": 9, "cache_read_input_tokens": 100, "output_tokens": 4}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_sequence": None}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"city": "Oslo"}}
QUESTION = {
    "max_tokens": 9,
    "messages": [
        {"role": "user", "content": "Trains?"},
        {"role": "assistant", "content": [CALL]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "9:04"}]},
    ],
}


def plain(text: str = "At 9:04.") -> Answer:
    content = [{"type": "text", "text": text}]
    data = {**MESSAGE, "content": content, "stop_reason": "end_turn", "usage": USAGE}
    return Value(typed("anthropic.types.message.Message", data))


def streamed(*parts: str) -> Answer:
    begun = {**MESSAGE, "content": [], "stop_reason": None, "usage": USAGE | {"output_tokens": 1}}
    events: list[Any] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": one}} for one in parts),
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    ]
    return Streamed([typed("anthropic.types.raw_message_stream_event.RawMessageStreamEvent", one) for one in events])


def put(directory: Path, answer: Answer, **body: Any) -> Path:
    return record(directory, endpoint=ENDPOINT, base_url=BASE_URL, model="claude", answer=answer, **QUESTION | body)


def test_a_streamed_message_is_shown_as_a_conversation(tmp_path: Path) -> None:
    """As it would be of OpenAI's API: who said what, which tool was called, and what it cost."""
    shown = run("show", put(tmp_path, streamed("At 9", ":04."), stream=True)).output

    assert (
        """\
assistant
  find({
    "city": "Oslo"
  })  [toolu_1]

tool
  [toolu_1]
  9:04
"""
        in shown
    )
    assert shown.endswith(
        "assistant (end_turn)\n  At 9:04.\n\n109 tokens in (100 cached), 4 out  streamed in 5 chunks\n"
    )


@pytest.mark.parametrize(("text", "differing"), [("At 9:04.", []), ("At 9:05.", ["$.body.content[0].text"])])
def test_a_plain_and_a_streamed_message_are_compared_by_what_they_say(
    tmp_path: Path, text: str, differing: list[str]
) -> None:
    """A plain message equals a streamed one with the same text, however that was split into chunks."""
    result = run("diff", put(tmp_path, plain(text)), put(tmp_path, streamed("A", "t 9:04."), stream=True), "--json")

    assert differing == [difference["path"] for difference in json.loads(result.output)["response"]]


def test_a_miss_names_the_block_that_differs(tmp_path: Path) -> None:
    """Forty messages with thirty blocks each: nobody finds it by eye."""
    put(tmp_path, plain())
    changed = json.loads(json.dumps(QUESTION).replace("Oslo", "Bergen")) | {"model": "claude"}
    request = tmp_path / "request.json"
    request.write_text(json.dumps(changed))

    where = ("--endpoint", ENDPOINT, "--base-url", BASE_URL, "--test", "tests/test_a.py::test_b", "--dir", tmp_path)
    shown = run("explain", "--request", request, *where).output

    assert "$.messages[1].content[0].input.city" in shown
