"""What the server answers at the endpoints that only the ways need, the same for the same question each time."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from ...support.openai_server import (
    OpenAIServer,
    ReceivedRequest,
    Reply,
    Script,
    chunks,
    completion,
    error,
    response,
    response_events,
)

SMALL = b"\x00\xffsmall\r\n"
LARGE = bytes(range(256)) * 2400
"""600 KiB of bytes that are no text."""
HEADERS = {
    "openai-model": "gpt-4o-2024-08-06",
    "openai-processing-ms": "7",
    "openai-organization": "our-company",
    "retry-after": "1",
    "x-ratelimit-limit-requests": "5000",
    "x-ratelimit-remaining-tokens": "29999",
    "cf-ray": "not ours to keep",
}
"""Sent with each answer of `with_headers`; the server adds x-request-id, openai-version and set-cookie itself."""


def install(server: OpenAIServer) -> None:
    """Teach the server all endpoints of this table."""
    server.scripts.update(_SCRIPTS)


def with_headers(reply: Reply) -> Script:
    """Return a script that always gives this answer, with the headers that OpenAI sends."""
    return lambda asked, number: Reply(**{**vars(reply), "headers": HEADERS})


def _always(reply: Any) -> Script:
    return lambda asked, number: reply if isinstance(reply, Reply) else Reply(reply)


def _by_method(**scripts: Script) -> Script:
    return lambda asked, number: scripts[asked.method](asked, number)


def _in_turn(*answers: Any) -> Script:
    return lambda asked, number: Reply(answers[min(number, len(answers) - 1)])


def _pages(items: list[dict[str, Any]], size: int = 2) -> Script:
    """Return a script that gives `items` a few at a time, from the one after the query's `after`."""

    def page(asked: ReceivedRequest, number: int) -> Reply:
        query = dict(part.split("=", 1) for part in asked.query.split("&") if part)
        ids = [item["id"] for item in items]
        start = ids.index(query["after"]) + 1 if "after" in query else 0
        part = items[start : start + size]
        return Reply(
            {
                "object": "list",
                "data": part,
                "first_id": part[0]["id"],
                "last_id": part[-1]["id"],
                "has_more": start + size < len(items),
            }
        )

    return page


def _file(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"file-{number}",
        "object": "file",
        "bytes": 120,
        "created_at": 1_764_000_000,
        "filename": "notes.txt",
        "purpose": "assistants",
        "status": "processed",
    } | changes


def _length_of_file(asked: ReceivedRequest) -> int:
    """Return how long the uploaded file is: what a form holds between its part's head and the next boundary."""
    boundary = b"\r\n--" + asked.headers["content-type"].partition("boundary=")[2].encode()
    return len(asked.content.partition(b'filename="')[2].partition(b"\r\n\r\n")[2].partition(boundary)[0])


def _uploaded(asked: ReceivedRequest, number: int) -> Reply:
    return Reply(_file(bytes=_length_of_file(asked)))


def _vector_store(number: int = 1, status: str = "completed") -> dict[str, Any]:
    counts = {"in_progress": 0, "completed": 1, "failed": 0, "cancelled": 0, "total": 1}
    return {
        "id": f"vs_{number}",
        "object": "vector_store",
        "created_at": 1_764_000_000,
        "name": "notes",
        "usage_bytes": 5,
        "file_counts": counts,
        "status": status,
        "last_active_at": 1_764_000_001,
        "metadata": {},
    }


def _file_batch(status: str) -> dict[str, Any]:
    is_done = status == "completed"
    counts = {"in_progress": int(not is_done), "completed": int(is_done), "failed": 0, "cancelled": 0, "total": 1}
    return {
        "id": "vsfb_1",
        "object": "vector_store.files_batch",
        "created_at": 1_764_000_000,
        "vector_store_id": "vs_1",
        "status": status,
        "file_counts": counts,
    }


def _store_file(status: str) -> dict[str, Any]:
    return {
        "id": "file-1",
        "object": "vector_store.file",
        "created_at": 1_764_000_000,
        "usage_bytes": 5,
        "vector_store_id": "vs_1",
        "status": status,
        "last_error": None,
    }


def _job(number: int) -> dict[str, Any]:
    return {
        "id": f"ftjob-{number}",
        "object": "fine_tuning.job",
        "created_at": 1_764_000_000 + number,
        "error": None,
        "fine_tuned_model": None,
        "finished_at": None,
        "hyperparameters": {"n_epochs": "auto"},
        "model": "gpt-4o-mini",
        "organization_id": "org-1",
        "result_files": [],
        "seed": 1,
        "status": "running",
        "trained_tokens": None,
        "training_file": "file-1",
        "validation_file": None,
    }


def _batch(number: int) -> dict[str, Any]:
    return {
        "id": f"batch_{number}",
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "input_file_id": "file-1",
        "completion_window": "24h",
        "status": "completed",
        "created_at": 1_764_000_000 + number,
        "request_counts": {"total": 1, "completed": 1, "failed": 0},
    }


def run(status: str) -> dict[str, Any]:
    """Return a run of the Assistants API."""
    return {
        "id": "run_1",
        "object": "thread.run",
        "created_at": 1_764_000_000,
        "assistant_id": "asst_1",
        "thread_id": "thread_1",
        "status": status,
        "started_at": None,
        "expires_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "last_error": None,
        "model": "gpt-4o",
        "instructions": "Be kind.",
        "tools": [],
        "metadata": {},
        "incomplete_details": None,
        "required_action": None,
        "usage": None,
        "parallel_tool_calls": True,
        "response_format": "auto",
        "tool_choice": "auto",
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
    }


def run_events() -> list[tuple[str, Any]]:
    """Return the events of a streamed run, by name, as the Assistants API sends them: their data names no event."""
    step = {
        "id": "step_1",
        "object": "thread.run.step",
        "created_at": 1_764_000_000,
        "run_id": "run_1",
        "assistant_id": "asst_1",
        "thread_id": "thread_1",
        "type": "message_creation",
        "status": "in_progress",
        "step_details": {"type": "message_creation", "message_creation": {"message_id": "msg_1"}},
        "usage": None,
    }
    message = {
        "id": "msg_1",
        "object": "thread.message",
        "created_at": 1_764_000_000,
        "thread_id": "thread_1",
        "assistant_id": "asst_1",
        "run_id": "run_1",
        "role": "assistant",
        "status": "in_progress",
        "content": [],
        "attachments": [],
        "metadata": {},
    }
    parts = [{"type": "text", "text": {"value": "Hello there", "annotations": []}}]
    words = [{"index": 0, "type": "text", "text": {"value": word}} for word in ("Hello", " there")]
    words[0]["text"] = {"value": "Hello", "annotations": []}
    return [
        ("thread.run.created", run("queued")),
        ("thread.run.in_progress", run("in_progress")),
        ("thread.run.step.created", step),
        ("thread.message.created", message),
        *(
            ("thread.message.delta", {"id": "msg_1", "object": "thread.message.delta", "delta": {"content": [word]}})
            for word in words
        ),
        ("thread.message.completed", message | {"status": "completed", "content": parts}),
        ("thread.run.step.completed", step | {"status": "completed"}),
        ("thread.run.completed", run("completed")),
    ]


def _threads_runs(asked: ReceivedRequest, number: int) -> Reply:
    return Reply(events=run_events()) if asked.json.get("stream") else Reply(run("queued"))


def _responses(asked: ReceivedRequest, number: int) -> Reply:
    body = asked.json
    if body.get("stream"):
        return Reply(events=response_events("Hello there !"), is_done_sent=False)
    if body.get("background"):
        return Reply(response("Slow", number=9, status="queued"))
    previous = body.get("previous_response_id")
    position = 0 if previous is None else int(previous.removeprefix("resp_")) + 1
    return Reply(response(f"Answer {position}", number=position, previous_response_id=previous))


def _tool_loop(asked: ReceivedRequest, number: int) -> Reply:
    """Return a tool call until the conversation holds its result, then the answer."""
    results = [message for message in asked.json["messages"] if message["role"] == "tool"]
    if len(results) == 2:
        return Reply(completion(f"It is {results[0]['content']} and {results[1]['content']}."))
    call = {
        "id": f"call_{len(results)}",
        "type": "function",
        "function": {"name": "weather", "arguments": json.dumps({"city": ["Paris", "Rome"][len(results)]})},
    }
    message = {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls"}
    return Reply(completion(choices=[choice]))


def _chat(asked: ReceivedRequest, number: int) -> Reply:
    body = asked.json
    if body.get("stream"):
        return Reply(events=chunks("Hel", "lo", "!"))
    if body.get("tools"):
        return _tool_loop(asked, number)
    if body.get("response_format"):
        return Reply(completion('{"name": "Paris"}'))
    query = f" You asked with {asked.query}." if asked.query else ""
    return Reply(completion(f"You said: {body['messages'][-1]['content']}{query}"))


def _streamed_or(events: Callable[[], list[Any]], whole: Any) -> Script:
    def reply(asked: ReceivedRequest, number: int) -> Reply:
        is_streamed = b'"stream":true' in asked.content.replace(b" ", b"") or b'name="stream"' in asked.content
        return Reply(events=events(), is_done_sent=False) if is_streamed else _always(whole)(asked, number)

    return reply


def _transcribed(asked: ReceivedRequest, number: int) -> Reply:
    if b'name="stream"\r\n\r\ntrue' in asked.content:
        done = {"type": "transcript.text.done", "text": "Good day", "logprobs": []}
        deltas = [{"type": "transcript.text.delta", "delta": word} for word in ("Good", " day")]
        return Reply(events=[*deltas, done])
    if b"\r\n\r\ntext\r\n" in asked.content:
        return Reply(content="Gr\u00fc\u00df Gott\n".encode(), media_type="text/plain; charset=utf-8")
    if b"\r\n\r\nsrt\r\n" in asked.content:
        return Reply(content=b"1\n00:00:00,000 --> 00:00:01,000\nHi\n", media_type="text/plain; charset=utf-8")
    usage = {"type": "duration", "seconds": 1}
    return Reply({"text": f"{_length_of_file(asked)} words", "usage": usage})


def _conversation(asked: ReceivedRequest, number: int) -> Reply:
    return Reply({"id": "conv_1", "object": "conversation", "created_at": 1_764_000_000, "metadata": {}})


def _item(number: int) -> dict[str, Any]:
    text = {"type": "input_text", "text": f"Item {number}"}
    return {"type": "message", "id": f"msg_{number}", "status": "completed", "role": "user", "content": [text]}


_IMAGE = {"created": 1_764_000_000, "data": [{"b64_json": "iVBORw0KGgo="}], "size": "1024x1024"}
_LARGE_IMAGE = _IMAGE | {"data": [{"b64_json": base64.b64encode(LARGE).decode()}]}
_USAGE = {"total_tokens": 1, "input_tokens": 1, "output_tokens": 0, "input_tokens_details": {}}


def _image_events(kind: str) -> list[dict[str, Any]]:
    shared = {"b64_json": "iVBORw0KGgo=", "created_at": 1_764_000_000, "size": "1024x1024", "quality": "high"}
    shared |= {"background": "opaque", "output_format": "png"}
    return [
        {"type": f"{kind}.partial_image", "partial_image_index": 0, **shared},
        {"type": f"{kind}.completed", "usage": _USAGE, **shared},
    ]


_UPLOAD = {
    "id": "upload_1",
    "object": "upload",
    "bytes": 12,
    "created_at": 1_764_000_000,
    "expires_at": 1_764_003_600,
    "filename": "notes.txt",
    "purpose": "assistants",
    "status": "pending",
    "file": None,
}
_VIDEO = {
    "id": "video_1",
    "object": "video",
    "created_at": 1_764_000_000,
    "model": "sora-2",
    "progress": 0,
    "seconds": "4",
    "size": "720x1280",
    "status": "queued",
}
_FOUND = {
    "file_id": "file-1",
    "filename": "notes.txt",
    "score": 0.987654321,
    "attributes": {},
    "content": [{"type": "text", "text": "found"}],
}
_LINES = b'{"custom_id": "a",  "created": 7}\n'


_SCRIPTS: dict[str, Script] = {
    "/v1/chat/completions": _by_method(POST=_chat, GET=_pages([completion(f"Stored {n}", number=n) for n in range(3)])),
    "/v1/chat/completions/chatcmpl-00000001": _always(completion("Stored 1", number=1)),
    "/v1/responses": _responses,
    "/v1/responses/resp_00000007": _by_method(
        GET=lambda asked, number: (
            Reply(events=response_events("Kept", number=7), is_done_sent=False)
            if "stream=true" in asked.query
            else Reply(response("Kept", number=7))
        ),
        DELETE=_always(Reply(content=b"", status=204)),
    ),
    "/v1/responses/resp_00000009": _in_turn(
        *(response("Slow", number=9, status=status) for status in ("queued", "in_progress", "completed"))
    ),
    "/v1/responses/resp_00000007/cancel": _always(response("Kept", number=7, status="cancelled")),
    "/v1/responses/resp_00000007/input_items": _pages([_item(n) for n in range(3)]),
    "/v1/conversations": _conversation,
    "/v1/conversations/conv_1": _by_method(
        GET=_conversation,
        POST=_conversation,
        DELETE=_always({"id": "conv_1", "object": "conversation.deleted", "deleted": True}),
    ),
    "/v1/conversations/conv_1/items": _by_method(
        GET=_pages([_item(n) for n in range(3)]),
        POST=_always(
            {"object": "list", "data": [_item(0)], "first_id": "msg_0", "last_id": "msg_0", "has_more": False}
        ),
    ),
    "/v1/models/gpt-4o": _by_method(
        GET=_always({"id": "gpt-4o", "object": "model", "created": 1_715_367_049, "owned_by": "system"}),
        DELETE=_always({"id": "gpt-4o", "object": "model", "deleted": True}),
    ),
    "/v1/files": _by_method(GET=_pages([_file(n) for n in range(5)]), POST=_uploaded),
    "/v1/files/file-1": _by_method(
        GET=_always(_file()), DELETE=_always({"id": "file-1", "object": "file", "deleted": True})
    ),
    "/v1/files/file-small/content": _always(Reply(content=SMALL, media_type="application/octet-stream")),
    "/v1/files/file-large/content": _always(Reply(content=LARGE, media_type="application/octet-stream")),
    "/v1/files/file-empty/content": _always(Reply(content=b"", media_type="application/octet-stream")),
    "/v1/files/file-json/content": _always(
        Reply(content=b'{ "id": "x",\n  "created": 1764000000 }\n', media_type="application/json")
    ),
    "/v1/files/file-jsonl/content": _always(Reply(content=_LINES * 2, media_type="application/x-ndjson")),
    "/v1/files/file-line/content": _always(Reply(content=_LINES, media_type="application/octet-stream")),
    "/v1/files/file-ndjson/content": _always(Reply(content=_LINES, media_type="application/x-ndjson")),
    "/v1/files/file-latin/content": _always(
        Reply(content="Gr\u00fc\u00dfe".encode("latin-1"), media_type="text/plain; charset=iso-8859-1")
    ),
    "/v1/files/file-text/content": _always(Reply(content=b"a\r\nb\x00\n", media_type="text/csv")),
    "/v1/fine_tuning/jobs": _pages([_job(n) for n in range(3)]),
    "/v1/batches": _pages([_batch(n) for n in range(4)]),
    "/v1/vector_stores": _by_method(GET=_pages([_vector_store(n) for n in range(3)]), POST=_always(_vector_store())),
    "/v1/vector_stores/vs_1/search": _always(
        {"object": "vector_store.search_results.page", "search_query": ["x"], "data": [_FOUND], "has_more": False}
    ),
    "/v1/vector_stores/vs_1/files": _always(_store_file("in_progress")),
    "/v1/vector_stores/vs_1/files/file-1": _in_turn(*map(_store_file, ["in_progress", "in_progress", "completed"])),
    "/v1/vector_stores/vs_1/file_batches": _always(_file_batch("in_progress")),
    "/v1/vector_stores/vs_1/file_batches/vsfb_1": _in_turn(
        *map(_file_batch, ["in_progress", "in_progress", "completed"])
    ),
    "/v1/threads": _always({"id": "thread_1", "object": "thread", "created_at": 1_764_000_000, "metadata": {}}),
    "/v1/threads/runs": _threads_runs,
    "/v1/threads/thread_1/runs": _threads_runs,
    "/v1/threads/thread_1/runs/run_1": _in_turn(*map(run, ["queued", "in_progress", "completed"])),
    "/v1/threads/thread_1/runs/run_1/submit_tool_outputs": _threads_runs,
    "/v1/audio/speech": lambda asked, number: Reply(
        content=LARGE if asked.json["input"] == "large" else SMALL, media_type="audio/mpeg"
    ),
    "/v1/audio/transcriptions": _transcribed,
    "/v1/audio/translations": _transcribed,
    "/v1/images/generations": lambda asked, number: _streamed_or(
        lambda: _image_events("image_generation"), _LARGE_IMAGE if asked.json["prompt"] == "large" else _IMAGE
    )(asked, number),
    "/v1/images/edits": _streamed_or(lambda: _image_events("image_edit"), _IMAGE),
    "/v1/images/variations": _always(_IMAGE),
    "/v1/uploads": _always(_UPLOAD),
    "/v1/uploads/upload_1/parts": lambda asked, number: Reply(
        {"id": f"part_{number}", "object": "upload.part", "created_at": 1_764_000_000, "upload_id": "upload_1"}
    ),
    "/v1/uploads/upload_1/complete": _always(_UPLOAD | {"status": "completed", "file": _file()}),
    "/v1/videos": _always(_VIDEO),
    "/v1/videos/video_1": _in_turn(
        *({**_VIDEO, "status": status} for status in ("queued", "in_progress", "completed"))
    ),
    "/v1/videos/video_1/content": _always(Reply(content=SMALL, media_type="video/mp4")),
    "/v1/containers/cntr_1/files/cfile_1/content": _always(Reply(content=SMALL, media_type="application/octet-stream")),
    "/v1/odd": lambda asked, number: Reply(
        {
            "method": asked.method,
            "query": asked.query,
            "body": asked.json if asked.content else None,
            "created": 1_764_000_000,
        }
    ),
    "/v1/odd/list": _always([1, {"created": 7}, "three"]),
    "/v1/odd/text": _always(Reply(content=b"just text", media_type="text/plain")),
    "/v1/odd/nothing": _always(Reply(content=b"", status=204)),
    "/v1/odd/number": _always(12),
    "/v1/odd/null": _always(Reply(content=b"null")),
    "/v1/odd/broken": _always(Reply(content=b'{"not": json')),
    "/v1/odd/stream": _always(Reply(events=[("ping", {"n": 1}), {"n": 2}, {"type": "end", "n": 3}])),
    "/v1/odd/wrong": _always(error(400, "No.", code="no")),
    "/openai/deployments/gpt-4o/chat/completions": _chat,
    "/openai/deployments/named/chat/completions": _chat,
    "/openai/models": _always(
        {"object": "list", "data": [{"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "azure"}]}
    ),
    "/openai/responses": _responses,
    "/openai/files": _pages([_file(n) for n in range(3)]),
}
