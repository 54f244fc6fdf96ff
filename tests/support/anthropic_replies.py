"""What a server with Anthropic's Messages API answers: the same to the same request each time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .openai_server import ReceivedRequest, Reply

ODD_TEXT = 'Grüße, 日本 🙂 \u2028 "quoted" \\ and\r\nlines'
_BIG = " ".join(f"{number}é{'w' * 700}" for number in range(150))
"""More than 64 KiB, in few chunks: each takes time."""
_CITIES = ("Paris", "Rome")


def anthropic_reply(request: ReceivedRequest, number: int) -> Reply:
    """Answer any request of the API; the name of the model says which answer to a message is wanted."""
    reply = _reply(request, number)
    reply.headers = {
        "request-id": f"req_ant_{number}",
        "anthropic-organization-id": "org-of-ours",
        "anthropic-ratelimit-requests-remaining": "4999",
    } | reply.headers
    return reply


def anthropic_error(status: int, kind: str = "invalid_request_error", message: str = "That went wrong.") -> Reply:
    """Return a failure as Anthropic sends it."""
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_body_1"}
    return Reply(body, status=status)


def message(text: str = "Hello!", **changes: Any) -> dict[str, Any]:
    """Return an answer of the Messages API."""
    return {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "model": "claude-of-tests",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 12,
            "output_tokens": 6,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 2,
            "service_tier": "standard",
        },
    } | changes


def message_events(whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the events of a streamed message, with a ping among them."""
    usage = whole["usage"]
    start = whole | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(whole["content"]):
        empty = {name: "" for name in ("text", "thinking", "signature") if name in block}
        if "input" in block:
            empty = {"input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": block | empty}
        if not index:
            yield {"type": "ping"}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": usage["output_tokens"]}}
    yield {"type": "message_stop"}


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "tool_use":
        text = json.dumps(block["input"])
        for part in ("", text[:7], text[7:]):
            yield {"type": "input_json_delta", "partial_json": part}
        return
    kind = "thinking" if "thinking" in block else "text"
    words = block[kind].split(" ")
    for position, word in enumerate(words):
        yield {"type": f"{kind}_delta", kind: word if position == len(words) - 1 else f"{word} "}
    if "signature" in block:
        yield {"type": "signature_delta", "signature": block["signature"]}


def _reply(request: ReceivedRequest, number: int) -> Reply:
    path = request.path.removeprefix("/v1")
    if path == "/messages":
        return _message_reply(request.json)
    if path == "/messages/count_tokens":
        return Reply({"input_tokens": len(json.dumps(request.json["messages"]))})
    if path.startswith("/messages/batches"):
        return _batches_reply(request, path.removeprefix("/messages/batches"))
    if path == "/models":
        return Reply(_page([_model(name) for name in ("claude-a", "claude-b", "claude-c")], request.query))
    if path.startswith("/models/"):
        return Reply(_model(path.rpartition("/")[2]))
    return anthropic_error(404, "not_found_error", f"no such path: {request.path}")


def _message_reply(body: dict[str, Any]) -> Reply:
    model = body["model"]
    if model.startswith("failing-"):
        status = int(model.rpartition("-")[2])
        kinds = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}
        reply = anthropic_error(status, kinds.get(status, "invalid_request_error" if status < 500 else "api_error"))
        reply.headers = {"retry-after": "1"} if status == 429 else {}
        return reply
    whole = _whole(body)
    if not body.get("stream"):
        return Reply(whole)
    events = list(message_events(whole))
    if model == "erring":
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        return Reply(events=[*events[:4], error], is_done_sent=False)
    return Reply(events=events[:4] if model == "breaking" else events, breaks=model == "breaking", is_done_sent=False)


def _whole(body: dict[str, Any]) -> dict[str, Any]:
    model, messages = body["model"], body["messages"]
    if body.get("tools") or body.get("thread"):
        return _tool_turn(body)
    if body.get("output_config") or body.get("output_format"):
        return message('{"name": "Paris"}')
    if body.get("thinking"):
        thought = {"type": "thinking", "thinking": "They want a greeting.", "signature": "RXVCa0lZ"}
        return message(content=[thought, {"type": "text", "text": "Hello there!"}])
    if model == "big":
        return message(_BIG)
    if model == "odd":
        odd = {"type": "text", "text": ODD_TEXT, "citations": None, "unknown": {"nested": [1, None, 2.50, "x"]}}
        usage = {"input_tokens": 0, "output_tokens": 0, "server_tool_use": None}
        return message(content=[odd], container=None, created_at=1_764_000_000, usage=usage)
    return message(f"You said: {messages[-1]['content']}")


def _tool_turn(body: dict[str, Any]) -> dict[str, Any]:
    """Return a tool call for each city in turn, then the answer; a conversation may be kept by the server."""
    blocks = [block for one in body["messages"] if isinstance(one["content"], list) for block in one["content"]]
    turn = sum(block.get("type") == "tool_result" for block in blocks)
    if previous := (body.get("thread") or {}).get("previous_message_id"):
        turn = int(previous.removeprefix("msg_turn_")) + 1
    if turn >= len(_CITIES):
        return message("It rains in both.", id=f"msg_turn_{turn}")
    call = {"type": "tool_use", "id": f"toolu_{turn}", "name": "weather", "input": {"city": _CITIES[turn]}}
    text = {"type": "text", "text": "I look that up."}
    return message(content=[text, call], id=f"msg_turn_{turn}", stop_reason="tool_use")


def _batches_reply(request: ReceivedRequest, rest: str) -> Reply:
    root = f"http://{request.headers['host']}/v1/messages/batches"
    if rest.endswith("/results"):
        lines = [
            {"custom_id": f"question {number}", "result": {"type": "succeeded", "message": message(f"{number} é")}}
            for number in range(3)
        ]
        content = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines).encode()
        return Reply(content=content, media_type="application/x-jsonl")
    if rest.endswith("/cancel"):
        return Reply(_batch(rest.split("/")[1], root) | {"processing_status": "canceling"})
    if rest:
        batch = {"id": rest[1:], "type": "message_batch_deleted"}
        return Reply(batch if request.method == "DELETE" else _batch(rest[1:], root))
    if request.method == "POST":
        return Reply(_batch("msgbatch_0", root) | {"processing_status": "in_progress", "results_url": None})
    return Reply(_page([_batch(f"msgbatch_{number}", root) for number in range(3)], request.query))


def _batch(batch_id: str, root: str) -> dict[str, Any]:
    return {
        "id": batch_id,
        "type": "message_batch",
        "processing_status": "ended",
        "request_counts": {"processing": 0, "succeeded": 3, "errored": 0, "canceled": 0, "expired": 0},
        "created_at": "2026-11-01T10:00:00Z",
        "ended_at": "2026-11-01T11:00:00Z",
        "expires_at": "2026-11-02T10:00:00Z",
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": f"{root}/{batch_id}/results",
    }


def _model(name: str) -> dict[str, Any]:
    return {"type": "model", "id": name, "display_name": name.title(), "created_at": "2026-02-01T00:00:00Z"}


def _page(items: list[dict[str, Any]], query: str, size: int = 2) -> dict[str, Any]:
    """Return the page of `items` that begins after the one which the query names."""
    after = dict(part.split("=", 1) for part in query.split("&") if part).get("after_id")
    start = 0 if after is None else [item["id"] for item in items].index(after) + 1
    part = items[start : start + size]
    return {
        "data": part,
        "has_more": start + size < len(items),
        "first_id": part[0]["id"],
        "last_id": part[-1]["id"],
    }
