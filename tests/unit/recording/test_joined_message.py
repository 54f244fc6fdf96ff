"""The events of Anthropic's Messages, joined to the message that they are parts of."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from inference_recorder.recording.joined import joined_answer
from inference_recorder.recording.joined_message import joined_message

from ...support.loopback import serve

MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_sequence": None}
BEGUN = {"input_tokens": 9, "cache_read_input_tokens": 3, "output_tokens": 1}
ENDED = {"output_tokens": 40, "cache_read_input_tokens": None}
STARTS: dict[str, dict[str, Any]] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
    "tool_use": {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {}},
    "server_tool_use": {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
    "redacted_thinking": {"type": "redacted_thinking", "data": "EncR"},
}


def start(index: int, block: dict[str, Any]) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, **members: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": members}


def events_of(content: list[dict[str, Any]], cuts: random.Random) -> list[Any]:
    """Return a stream that says this content, each text cut at any positions."""

    def parts(text: str) -> list[str]:
        positions = sorted(cuts.choices(range(len(text) + 1), k=cuts.randrange(6)))
        return [text[a:b] for a, b in zip([0, *positions], [*positions, len(text)], strict=True)]

    events: list[Any] = [
        {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None, "usage": BEGUN}},
        {"type": "ping"},
    ]
    for index, block in enumerate(content):
        begun = STARTS[block["type"]]
        events.append(start(index, begun))
        if "text" in block:
            events += [delta(index, type="text_delta", text=part) for part in parts(block["text"])]
            cited = block.get("citations", [])
            events += [delta(index, type="citations_delta", citation=citation) for citation in cited]
        if "thinking" in block:
            events += [delta(index, type="thinking_delta", thinking=part) for part in parts(block["thinking"])]
            events.append(delta(index, type="signature_delta", signature=block["signature"]))
        if "input" in block:
            text = json.dumps(block["input"]) if block["input"] else ""
            events += [delta(index, type="input_json_delta", partial_json=part) for part in parts(text)]
        events.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": "tool_use", "stop_sequence": None}
    return [*events, {"type": "message_delta", "delta": end, "usage": ENDED}, {"type": "message_stop"}]


_WORDS = st.text(max_size=30)
_INPUT = st.dictionaries(st.text(max_size=4), _WORDS | st.integers() | st.lists(_WORDS, max_size=2), max_size=3)
_BLOCK = st.one_of(
    _WORDS.map(lambda text: {**STARTS["text"], "text": text}),
    _WORDS.map(lambda text: {**STARTS["text"], "text": text, "citations": [{"cited_text": text}, {"title": "T"}]}),
    st.builds(lambda text, mark: {**STARTS["thinking"], "thinking": text, "signature": mark}, _WORDS, _WORDS),
    st.builds(lambda name, given: {**STARTS[name], "input": given}, st.sampled_from(["tool_use", "server_tool_use"]),
              _INPUT),
    st.just(STARTS["redacted_thinking"]),
)  # fmt: skip
LONG = [
    {**STARTS["tool_use"], "input": {"text": "é日\U0001f469‍\U0001f467" * 20_000}},
    {**STARTS["text"], "text": "x" * 90_000},
]


@settings(max_examples=60)
@given(content=st.lists(_BLOCK, max_size=6), cuts=st.randoms(use_true_random=False))
@example(content=[], cuts=random.Random(1))
@example(content=LONG, cuts=random.Random(2))
@example(content=[{**STARTS["text"], "text": str(number)} for number in range(300)], cuts=random.Random(3))
def test_a_stream_says_what_its_message_says_however_it_is_cut(content: list[Any], cuts: random.Random) -> None:
    """A plain and a streamed call of one prompt are compared, and a cut may be within an escape or an emoji."""
    events = events_of(content, cuts)
    usage = {"input_tokens": 9, "cache_read_input_tokens": 3, "output_tokens": 40}
    before = json.dumps(events)

    assert {**MESSAGE, "content": content, "stop_reason": "tool_use", "usage": usage} == joined_answer(events)
    assert before == json.dumps(events), "the events themselves are unchanged"


@given(content=st.lists(_BLOCK, max_size=4), cuts=st.randoms(use_true_random=False))
def test_events_of_several_blocks_may_come_in_turns(content: list[Any], cuts: random.Random) -> None:
    """Blocks are distinguished by their index, not by what was said last."""
    events = events_of(content, cuts)
    of_blocks = [[event for event in events if event.get("index") == index] for index in range(len(content))]
    in_turns = [event for event in events if "index" not in event]
    while any(of_blocks):
        in_turns.append(cuts.choice([block for block in of_blocks if block]).pop(0))

    assert joined_message(events) == joined_message(in_turns)
    assert json.dumps(joined_message(events)) != "{}"


def test_what_came_of_a_call_that_was_cut_off_is_its_text() -> None:
    """Half an object cannot be read as one."""
    events = [start(0, STARTS["tool_use"]), delta(0, type="input_json_delta", partial_json='{"city": "Os')]

    assert {"content": [{**STARTS["tool_use"], "input": '{"city": "Os'}]} == joined_message(events)


def test_texts_whose_blocks_have_no_start_are_blocks_too() -> None:
    """A stream is joined from whatever chunks a file still has."""
    events = [delta(1, type="text_delta", text="4"), delta(0, type="thinking_delta", thinking="2+2")]

    content = [{"type": "thinking", "thinking": "2+2"}, {"type": "text", "text": "4"}]
    assert {"content": content} == joined_message(events)


def test_an_error_in_the_stream_is_part_of_the_message() -> None:
    """It is why there is nothing more."""
    error = {"type": "overloaded_error", "message": "Overloaded"}

    assert {"error": error} == joined_message([{"type": "error", "error": error}])


@pytest.mark.slow
def test_a_stream_is_joined_as_the_sdk_joins_it() -> None:
    """Its helpers are where the rules come from."""
    anthropic = pytest.importorskip("anthropic")
    content = [
        {**STARTS["thinking"], "thinking": "Hm.", "signature": "c2ln"},
        {**STARTS["text"], "text": "Let me see: \U0001f469‍\U0001f467"},
        {**STARTS["tool_use"], "input": {"city": "Oslo", "days": [1, 2.5]}},
        {**STARTS["server_tool_use"], "input": {}},
    ]
    events = events_of(content, random.Random(4))
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)

    async def answer(request: Request) -> Response:
        return Response(text, media_type="text/event-stream")

    with serve(Starlette(routes=[Route("/v1/messages", answer, methods=["POST"])])) as url:
        with anthropic.Anthropic(api_key="made up", base_url=url) as client:
            asked = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "?"}]}
            with client.messages.stream(**asked) as stream:
                message = stream.get_final_message()

    joined = {name: value for name, value in joined_message(events).items() if value is not None}
    assert message.to_dict(exclude_none=True) == joined
