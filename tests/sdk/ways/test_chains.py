"""Conversations: calls whose arguments come of the answers before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ...conftest import Colour
from ...support.openai_server import OpenAIServer
from .watching import Way, check

ASK: dict[str, Any] = {"model": "gpt-4o"}
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def previous_responses(sdk: Colour) -> list[Any]:
    answers = [sdk.call("responses.create", **ASK, input="Go on.")]
    for _ in range(3):
        answers.append(sdk.call("responses.create", **ASK, input="Go on.", previous_response_id=answers[-1].id))
    return answers


def previous_responses_streamed(sdk: Colour) -> list[Any]:
    events = sdk.items(sdk.call("responses.create", **ASK, input="Go on.", stream=True))
    last = events[-1].response
    return [*events, sdk.call("responses.create", **ASK, input="Go on.", previous_response_id=last.id)]


def outputs_given_back(sdk: Colour) -> list[Any]:
    """Use the answer's own objects as the next question, as the guides do."""
    first = sdk.call("responses.create", **ASK, input="Go on.")
    given: list[Any] = [{"role": "user", "content": "Go on."}, *first.output, {"role": "user", "content": "And?"}]
    return [first, sdk.call("responses.create", **ASK, input=given)]


def conversation(sdk: Colour) -> list[Any]:
    begun = sdk.call("conversations.create")
    answer = sdk.call("responses.create", **ASK, input="Hello", conversation=begun.id)
    items = sdk.items(sdk.client.conversations.items.list(begun.id))
    added = sdk.call(
        "conversations.items.create", begun.id, items=[{"type": "message", "role": "user", "content": "Hi"}]
    )
    return [begun, answer, items, added, sdk.call("conversations.delete", begun.id)]


def tool_loop(sdk: Colour, *, raw: bool = False) -> list[Any]:
    messages: list[Any] = [{"role": "user", "content": "How is the weather in Paris and in Rome?"}]
    answers = []
    while True:
        if raw:
            answer = sdk.call(
                "chat.completions.with_raw_response.create", **ASK, messages=messages, tools=[WEATHER]
            ).parse()
        else:
            answer = sdk.call("chat.completions.create", **ASK, messages=messages, tools=[WEATHER])
        answers.append(answer)
        message = answer.choices[0].message
        if not message.tool_calls:
            return answers
        messages.append(message)
        for call in message.tool_calls:
            city = json.loads(call.function.arguments)["city"]
            result = {"Paris": "warm", "Rome": "hot"}[city]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def polling_by_hand(sdk: Colour) -> list[Any]:
    answers = [sdk.call("responses.create", **ASK, input="Think.", background=True)]
    while answers[-1].status != "completed":
        answers.append(sdk.call("responses.retrieve", answers[-1].id))
    return answers


def file_for_a_question(sdk: Colour) -> list[Any]:
    file = sdk.call("files.create", file=("a.txt", b"abc"), purpose="user_data")
    asked = [{"role": "user", "content": [{"type": "input_file", "file_id": file.id}]}]
    return [file, sdk.call("responses.create", **ASK, input=asked), sdk.call("files.delete", file.id)]


CHAINS: dict[str, Way] = {
    "previous_response_id": Way(previous_responses, requests=4),
    "previous_response_id after a stream": Way(previous_responses_streamed, requests=2),
    "an answer's output given back": Way(outputs_given_back, requests=2),
    "conversation": Way(conversation, "conversations", requests=6),
    "tool-call loop": Way(tool_loop, requests=3),
    "tool-call loop, raw": Way(lambda sdk: tool_loop(sdk, raw=True), requests=3),
    "polling by hand": Way(polling_by_hand, requests=4),
    "upload, question, deletion": Way(file_for_a_question, requests=3),
}


@pytest.mark.parametrize("mode", ["record", "record-if-missing"])
@pytest.mark.parametrize("way", CHAINS.values(), ids=CHAINS)
def test_a_chain_replays_to_its_end(way: Way, mode: str, sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """An id that a later call names must replay as it was recorded, or the chain breaks at its second link."""
    check(way, sdk, server, recordings, mode=mode)
