"""What the loopback server answers to frameworks: tool calls and JSON where they ask for them, else text.

Ids, times and texts differ with every answer, as those of a real server do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ...support.anthropic_replies import message, message_events
from ...support.openai_server import (
    OpenAIServer,
    ReceivedRequest,
    Reply,
    chunk,
    chunks,
    completion,
    response,
    response_events,
)

JSON_OBJECT = {"city": "Oslo", "population": 700_000}
"""What a request for any JSON object gets: the fields of `questions.City`."""


def script(server: OpenAIServer) -> None:
    """Have the server answer these APIs from now on as this module says."""
    server.scripts["/v1/chat/completions"] = chat_reply
    server.scripts["/v1/responses"] = responses_reply
    server.scripts["/v1/messages"] = messages_reply


def chat_reply(request: ReceivedRequest, number: int) -> Reply:
    """Return an answer of the chat API."""
    body = request.json
    tools = [tool["function"] for tool in body.get("tools") or ()]
    call = _call(tools, body, any(message["role"] == "tool" for message in body["messages"]), number)
    if call is not None:
        return _chat_call(call, number, is_streaming=body.get("stream"))
    text = _text(body.get("response_format") or {}, number)
    if body.get("stream"):
        return Reply(events=chunks(*_with_spaces(text), number=number))
    return Reply(completion(text, number=number))


def responses_reply(request: ReceivedRequest, number: int) -> Reply:
    """Return an answer of the Responses API."""
    body = request.json
    items = body["input"] if isinstance(body["input"], list) else []
    tools = [tool for tool in body.get("tools") or () if tool["type"] == "function"]
    call = _call(tools, body, any(item.get("type") == "function_call_output" for item in items), number)
    if call is not None:
        return _responses_call(call, number, is_streaming=body.get("stream"))
    wanted = (body.get("text") or {}).get("format") or {"type": "text"}
    text = _text(wanted, number)
    if not body.get("stream"):
        return Reply(response(text, number=number) | {"text": {"format": wanted}})
    events = response_events(text, number=number)
    for event in events:
        if "response" in event:
            event["response"]["text"] = {"format": wanted}
    return Reply(events=events, is_done_sent=False)


def messages_reply(request: ReceivedRequest, number: int) -> Reply:
    """Return an answer of Anthropic's Messages API."""
    body = request.json
    tools = [{"name": tool["name"], "parameters": tool["input_schema"]} for tool in body.get("tools") or ()]
    is_answered = '"tool_result"' in json.dumps(body["messages"])
    choice = body.get("tool_choice") or {"type": "auto"}
    call = _call(tools, {"tool_choice": choice if "name" in choice else None}, is_answered, number)
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    changes: dict[str, Any] = {"id": f"msg_{number:08d}"}
    if call is not None:
        used = {"type": "tool_use", "id": call["id"], "name": call["name"], "input": json.loads(call["arguments"])}
        changes |= {"content": [used], "stop_reason": "tool_use"}
    whole = message(_text(wanted, number), **changes)
    return Reply(events=message_events(whole), is_done_sent=False) if body.get("stream") else Reply(whole)


def example(schema: dict[str, Any], number: int, definitions: dict[str, Any] | None = None) -> Any:
    """Return a value that this JSON schema allows; its texts hold `number`."""
    definitions = schema.get("$defs") or definitions or {}
    if "$ref" in schema:
        return example(definitions[schema["$ref"].rpartition("/")[2]], number, definitions)
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            return example(schema[name][0], number, definitions)
    if "enum" in schema or "const" in schema:
        return schema.get("const", next(iter(schema.get("enum", ())), None))
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: example(field, number, definitions) for name, field in schema.get("properties", {}).items()}
    if kind == "array":
        return [example(schema.get("items", {}), number, definitions)]
    return {"string": f"Oslo {number}", "integer": 700_000 + number, "number": 0.5, "boolean": True}.get(kind)


def _call(tools: list[Any], body: dict[str, Any], is_answered: bool, number: int) -> dict[str, Any] | None:
    """Return the tool call to make (id, name, arguments), None where it is time for text."""
    choice = body.get("tool_choice")
    if not tools or choice == "none" or (is_answered and choice in (None, "auto")):
        return None
    named = choice.get("function", choice).get("name") if isinstance(choice, dict) else None
    tool = next((tool for tool in tools if tool["name"] == named), tools[0])
    arguments = json.dumps(example(tool.get("parameters") or {}, number))
    return {"id": f"call_{number:08d}", "name": tool["name"], "arguments": arguments}


def _text(wanted: dict[str, Any], number: int) -> str:
    if wanted.get("type") == "json_schema":
        schema = wanted.get("json_schema", wanted)["schema"]
        return json.dumps(example(schema, number))
    if wanted.get("type") == "json_object":
        return json.dumps(JSON_OBJECT | {"city": f"Oslo {number}"})
    return f"Answer number {number} says hello ."


def _with_spaces(text: str) -> Iterator[str]:
    return (f"{word} " for word in text.split(" "))


def _chat_call(call: dict[str, Any], number: int, *, is_streaming: bool | None) -> Reply:
    function = {"name": call["name"], "arguments": call["arguments"]}
    if not is_streaming:
        message = {"role": "assistant", "content": None, "tool_calls": [_tool_call(call["id"], function)]}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls"}
        return Reply(completion(number=number, choices=[choice]))
    half = len(call["arguments"]) // 2
    halves = call["arguments"][:half], call["arguments"][half:]
    start = _tool_call(call["id"], function | {"arguments": ""}) | {"index": 0}
    usage = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
    events = [
        chunk({"role": "assistant", "content": None, "tool_calls": [start]}, number=number),
        *(chunk({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}, number=number) for part in halves),
        chunk({}, finish="tool_calls", number=number),
        chunk(None, usage=usage, number=number),
    ]
    return Reply(events=events)


def _responses_call(call: dict[str, Any], number: int, *, is_streaming: bool | None) -> Reply:
    item = {
        "type": "function_call",
        "id": f"fc_{number:08d}",
        "call_id": call["id"],
        "name": call["name"],
        "arguments": call["arguments"],
        "status": "completed",
    }
    done = response(number=number, output=[item])
    if not is_streaming:
        return Reply(done)
    begun = done | {"status": "in_progress", "output": [], "usage": None}
    position = {"item_id": item["id"], "output_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": item | {"arguments": "", "status": "in_progress"},
        },
        {"type": "response.function_call_arguments.delta", **position, "delta": call["arguments"]},
        {
            "type": "response.function_call_arguments.done",
            **position,
            "name": call["name"],
            "arguments": call["arguments"],
        },
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": done},
    ]
    return Reply(
        events=[event | {"sequence_number": sequence} for sequence, event in enumerate(events)], is_done_sent=False
    )


def _tool_call(call_id: str, function: dict[str, Any]) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": function}
