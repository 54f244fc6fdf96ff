"""The model that the pages talk to: what it answers to which prompt."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from typing import Any

from ..support.openai_server import (
    ReceivedRequest,
    Reply,
    chunk,
    completion,
    default_reply,
    embeddings,
    response,
    response_events,
)

GREETING = "Hello! Ask me once; your tests will never have to ask again."
ANSWERS = {
    "One landmark in Lisbon": "Belém",
    "color": "Blue.",
    "Greet Ada": "Hello Ada, welcome!",
    "Say hello to my tests.": "Hello, tests!",
    "Describe Lisbon": "Lisbon is a city of hills, trams and light.",
    "Describe Porto": "Porto is a city of bridges, granite and wine.",
    "Pick a number": "I pick {number}.",  # another one each time
    '"booking": ': "Your table at the window is booked.",
    "Rain in Lisbon": "Yes, take an umbrella: it rains in Lisbon.",
    "Plan a day in Lisbon": '{"city": "Lisbon", "stops": ["Belém", "Alfama"]}',
    "How do I get to Belém?": "Take tram 15 from Praça do Comércio.",
}
"""Text in the last message -> the answer to it; a greeting to all others."""

CALLS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("Book a table for two.", "find_tables", {"people": 2}),
    ('"free": ["window"', "book_table", {"table": "window"}),
    ("Do I need an umbrella in Lisbon?", "weather", {"city": "Lisbon"}),
    ("Plan a day in Lisbon", "weather", {"city": "Lisbon"}),
    ("Plan a day in Lisbon", "Trip", {"city": "Lisbon", "stops": ["Belém", "Alfama"]}),
    ("Plan a day in Lisbon", "PartialTrip", {"city": "Lisbon", "stops": ["Belém", "Alfama"]}),
    ("Rain in Lisbon", "final_result", {"city": "Lisbon", "stops": ["Gulbenkian", "Oceanário"]}),
)
"""Text in the last message, a tool, its arguments; the first row whose tool is offered counts, before an answer."""

SPEECH = bytes(range(256)) * 1600
"""Sound of 400 kB: large enough for a file of its own beside its recording."""

_DIMENSIONS = 64


def reply(request: ReceivedRequest, number: int) -> Reply:
    """Answer by the last message of a chat, or item of a response; vectors are near if their texts share words."""
    answers = {"/v1/chat/completions": _chat, "/v1/responses": _response}
    path = re.sub("^/openai/deployments/[^/]+", "/v1", request.path)  # Azure's
    if path == "/v1/audio/speech":
        return Reply(content=SPEECH, media_type="audio/mpeg")
    if path == "/v1/embeddings":
        return Reply(embeddings(request.json, _vector))
    answer = answers.get(path)
    return default_reply(request, number) if answer is None else answer(request.json, number)


def _chat(body: dict[str, Any], number: int) -> Reply:
    prompt = str(body["messages"][-1]["content"])
    call = _call(prompt, [tool["function"]["name"] for tool in body.get("tools") or ()])
    text = _text(prompt).replace("{number}", str(number))
    tokens = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(text.split())}
    tokens["total_tokens"] = sum(tokens.values())
    shared = {"number": number, "model": body["model"]}
    tool_call = {} if call is None else {"id": f"call_{number:08d}", "type": "function", "function": call}
    finish = "stop" if call is None else "tool_calls"
    if not body.get("stream"):
        whole = completion(text, usage=tokens, **shared)
        if call is not None:
            whole["choices"][0] |= {"finish_reason": finish}
            whole["choices"][0]["message"] |= {"content": None, "tool_calls": [tool_call]}
        return Reply(whole)
    deltas: list[dict[str, Any]]
    if call is None:
        deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in _words(text))]
    else:
        start: dict[str, Any] = {"index": 0, **tool_call, "function": call | {"arguments": ""}}
        parts = [{"index": 0, "function": {"arguments": part}} for part in _words(call["arguments"])]
        deltas = [{"role": "assistant", "content": None, "tool_calls": [start]}]
        deltas += [{"tool_calls": [part]} for part in parts]
    events = [*(chunk(delta, **shared) for delta in deltas), chunk({}, finish=finish, **shared)]
    if (body.get("stream_options") or {}).get("include_usage"):
        events.append(chunk(None, usage=tokens, **shared))
    return Reply(events=events)


def _response(body: dict[str, Any], number: int) -> Reply:
    last = body["input"][-1] if isinstance(body["input"], list) else {"content": body["input"]}
    prompt = str(last.get("content") or last.get("output"))
    call = _call(prompt, [tool.get("name") for tool in body.get("tools") or ()])
    if call is None:
        text = _text(prompt)
        if body.get("stream"):
            return Reply(events=response_events(text, number=number), is_done_sent=False)
        return Reply(response(text, number=number, model=body["model"]))
    ids = {"id": f"fc_{number:08d}", "call_id": f"call_{number:08d}"}
    item = {"type": "function_call", "status": "completed", **ids, **call}
    done = response(number=number, model=body["model"], output=[item])
    if not body.get("stream"):
        return Reply(done)
    position = {"item_id": ids["id"], "output_index": 0}
    return Reply(
        events=_numbered(
            {"type": "response.created", "response": done | {"status": "in_progress", "output": [], "usage": None}},
            {"type": "response.output_item.added", "output_index": 0, "item": item | {"arguments": ""}},
            {"type": "response.function_call_arguments.delta", **position, "delta": call["arguments"]},
            {"type": "response.function_call_arguments.done", **position, **call},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": done},
        ),
        is_done_sent=False,
    )


def _numbered(*events: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (event | {"sequence_number": number} for number, event in enumerate(events))


def _vector(text: str) -> list[float]:
    """Return how often each word occurs, words of equal checksum counted as one."""
    vector = [0.0] * _DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        vector[zlib.crc32(word.encode()) % _DIMENSIONS] += 1.0
    return vector


def _text(prompt: str) -> str:
    return next((answer for start, answer in ANSWERS.items() if start in prompt), GREETING)


def _call(prompt: str, tools: list[str]) -> dict[str, str] | None:
    """Return the name and the arguments of the tool call to make; None if it is time for text."""
    rows = (row for row in CALLS if row[0] in prompt and row[1] in tools)
    return next(({"name": name, "arguments": json.dumps(arguments)} for _, name, arguments in rows), None)


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+", text)
