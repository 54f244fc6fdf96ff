"""A made-up run of a travel agency's tests, for the picture in the README and for tests of the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from inference_recorder.errors import MissingRecording
from inference_recorder.explanation import Difference, Explanation, Nearest
from inference_recorder.recording.answer import Answer, Failed, Streamed, Value
from inference_recorder.recording.body import typed
from inference_recorder.recording.codec import encode
from inference_recorder.recording.failures import failure_from_json
from inference_recorder.request.jsonable import canonical_text
from inference_recorder.request.keys import request_key
from inference_recorder.request.request import Request

START = 1_790_000_000.0
AGENT = "tests/agents/test_trains.py::test_an_agent_finds_the_cheaper_train[Lisbon-Porto]"
HAIKU = "tests/chat/test_streaming.py::test_a_poem_arrives_word_by_word"
PHOTO = "tests/chat/test_vision.py::test_a_landmark_is_named"
PLAN = "tests/agents/test_trips.py::test_a_plan_is_reasoned_about"
SEARCH = "tests/search/test_embeddings.py::test_near_cities_are_near[64 cities]"
LIMIT = "tests/chat/test_limits.py::test_a_full_context_is_reported_to_the_user"
GREETING = "tests/chat/test_greeting.py::test_a_guest_is_greeted_by_name"

_SYSTEM = (
    "You find trains for a small travel agency. Compare prices before you advise, never name a price that you "
    "did not find, and answer the guest in one sentence."
)
_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {argument: {"type": "string"} for argument in arguments},
                "required": arguments,
            },
        },
    }
    for name, description, arguments in (
        ("find_trains", "Trains between two stations on a day, with their prices.", ["origin", "destination", "day"]),
        ("book_seat", "Books one seat; the price must be the one that was found.", ["train", "price"]),
    )
]
_FOUND = "IC 521 leaves at 09:39, 31.90 euros\nAP 131 leaves at 10:00, 42.40 euros"
_ADVICE = "Take the IC 521 for 31.90 euros, a quarter less than the AP 131; it leaves Lisbon at 09:39"
_POEM = "Asked once, it answers;\nrecorded, it speaks again\nwhile the network sleeps."
_MISS = MissingRecording(
    key="4b1f0c6a52d7…",
    summary="POST /v1/chat/completions (model gpt-4o)",
    test_id=GREETING,
    node_id=GREETING,
    looked_in=[Path("recordings")],
    explanation=Explanation(
        Nearest(
            Path("recordings/c2a86e91d04f….json"),
            "other request",
            GREETING,
            (
                Difference(
                    "$.messages[0].content",
                    None,
                    None,
                    lines=(
                        "  You are the concierge of a small hotel.",
                        "- Greet the guest by first name.",
                        "+ Greet the guest by first name, in the language of the guest.",
                    ),
                ),
            ),
        )
    ),
)
_CONCIERGE = "You are the concierge of a small hotel.\nGreet the guest by first name, in the language of the guest."


class Example:
    """Recordings in a folder, and the calls and misses of a run that met them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.calls: list[dict[str, Any]] = []
        self.misses: list[dict[str, Any]] = []
        self.outcomes: dict[str, str] = {}
        self._now = START
        directory.mkdir(parents=True, exist_ok=True)

    def call(
        self,
        test_id: str | None,
        endpoint: str,
        body: dict[str, Any],
        answer: Answer,
        *,
        seconds: float = 0.0004,
        tokens: tuple[int, int] = (0, 0),
        outcome: str = "replayed",
        chunk_seconds: list[float] | None = None,
    ) -> Path:
        """Record a call, and note that the run made it."""
        url = f"https://api.openai.com/v1{endpoint}"
        key = request_key(Request("POST", endpoint, url, body, canonical_text(body)), test_id)
        path = self.directory / f"{key}.json"
        model = body.get("model", "")
        request = {
            "method": "POST", "url": url, "headers": {}, "body": body, "endpoint": endpoint, "model": model,
        }  # fmt: skip
        path.write_bytes(encode(test_id, request, answer))
        entry = self._entry(test_id, endpoint, model, key, outcome, seconds)
        entry |= {"path": str(path), "tokens_in": tokens[0], "tokens_out": tokens[1]}
        if chunk_seconds is not None:
            entry["chunk_seconds"] = chunk_seconds
        self.calls.append(entry)
        return path

    def miss(self, test_id: str | None, endpoint: str, model: str, explanation: str, **arguments: Any) -> None:
        """Note that the run asked for what is not recorded."""
        entry = self._entry(test_id, endpoint, model, "0f" * 32, "missed", 0) | {"path": None}
        if arguments:
            entry["request"] = {"endpoint": endpoint, "body": {"model": model, **arguments}}
        self.calls.append(entry)
        self.misses.append({**entry, "explanation": explanation})

    def _entry(
        self, test_id: str | None, endpoint: str, model: str, key: str, outcome: str, seconds: float
    ) -> dict[str, Any]:
        started, self._now = self._now, self._now + seconds * 1.15 + 0.02
        return {
            "outcome": outcome,
            "test_id": test_id,
            "endpoint": endpoint,
            "model": model,
            "key": key,
            "started": started,
            "seconds": seconds,
        }


def chat_answer(content: str | None, usage: tuple[int, int], end: str = "stop", **message: Any) -> Answer:
    """Return a whole answer to a chat."""
    data = {
        "id": "rec-1",
        "object": "chat.completion",
        "choices": [
            {"index": 0, "finish_reason": end, "message": {"role": "assistant", "content": content, **message}}
        ],
        "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)},
    }
    return Value(typed("openai.types.chat.chat_completion.ChatCompletion", data))


def chat_stream(deltas: list[str], usage: tuple[int, int] | None = None, **answer: Any) -> Answer:
    """Return a streamed answer to a chat, a chunk for each delta."""
    deltas = [{"index": 0, "delta": {"content": delta}, "finish_reason": None} for delta in deltas]
    chunks: list[dict[str, Any]] = [{"object": "chat.completion.chunk", "choices": [delta]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if usage is not None:
        chunks.append({"choices": [], "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1]}})
    name = "openai.types.chat.chat_completion_chunk.ChatCompletionChunk"
    return Streamed([typed(name, chunk) for chunk in chunks], **answer)


def travel_agency(directory: Path) -> Example:
    """Return the run that the picture shows."""
    run = Example(directory)
    _find(run)
    _plan(run)
    _chat(run)
    cities = [f"city {number}" for number in range(64)]
    vectors = [{"index": position, "embedding": [0.5] * 1536} for position in range(64)]
    data = {"object": "list", "data": vectors, "usage": {"prompt_tokens": 192, "total_tokens": 192}}
    answer = Value(typed("openai.types.create_embedding_response.CreateEmbeddingResponse", data))
    body = {"model": "text-embedding-3-small", "input": cities}
    run.call(SEARCH, "/v1/embeddings", body, answer, tokens=(192, 0), seconds=0.0021)
    messages = [{"role": "system", "content": _CONCIERGE}, {"role": "user", "content": "Anna from Lyon is here."}]
    run.miss(GREETING, "/v1/chat/completions", "gpt-4o", str(_MISS), messages=messages, temperature=0)
    run.outcomes = dict.fromkeys((AGENT, HAIKU, PLAN, SEARCH, LIMIT), "passed") | {GREETING: "failed", PHOTO: "xfailed"}
    return run


def _find(run: Example) -> None:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": _SYSTEM},
        {"role": "user", "content": "I need to be in Porto for lunch on Friday. I leave from Lisbon. Cheap, please."},
    ]
    arguments = '{"origin":"Lisbon","destination":"Porto","day":"Friday"}'
    call = {"id": "call_1", "type": "function", "function": {"name": "find_trains", "arguments": arguments}}
    body = {"model": "gpt-4o", "messages": [*messages], "tools": _TOOLS, "temperature": 0}
    answer = chat_answer(None, (214, 31), "tool_calls", tool_calls=[call])
    chat = "/v1/chat/completions"
    run.call(AGENT, chat, body, answer, seconds=0.61, tokens=(214, 31), outcome="recorded")

    messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
    messages.append({"role": "tool", "tool_call_id": "call_1", "content": _FOUND})
    deltas = [*re.findall(r"^\S+| \S+", _ADVICE), " and reaches Porto before lunch", "."]
    offsets = [0.38 + 0.021 * position + (0.16 if position > 9 else 0) for position in range(len(deltas) + 2)]
    body = {**body, "messages": messages, "stream": True}
    answer = chat_stream(deltas, (338, 27))
    run.call(
        AGENT, chat, body, answer, seconds=1.02, tokens=(338, 27), outcome="recorded", chunk_seconds=offsets
    )  # fmt: skip


def _plan(run: Example) -> None:
    data = {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "output": [
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "Two cities, three days: one night each way is wasted."}],
            },
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Stay in Porto, visit Braga on the second day."}],
            },
        ],
        "usage": {"input_tokens": 61, "output_tokens": 212, "output_tokens_details": {"reasoning_tokens": 176}},
    }
    body = {
        "model": "gpt-5-mini",
        "instructions": "Plan short trips.",
        "input": "Three days, Porto and Braga: where do I sleep?",
        "reasoning": {"effort": "low", "summary": "auto"},
    }
    answer = Value(typed("openai.types.responses.response.Response", data))
    run.call(PLAN, "/v1/responses", body, answer, tokens=(61, 212), seconds=0.0005)


def _chat(run: Example) -> None:
    chat = "/v1/chat/completions"
    body: dict[str, Any] = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "Write a haiku about recorded answers."}],
        "stream": True,
    }
    deltas = [_POEM[position : position + 5] for position in range(0, len(_POEM), 5)]
    run.call(HAIKU, chat, body, chat_stream(deltas, (15, 19)), tokens=(15, 19), seconds=0.0006)
    photo = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + "A" * 48_000}}
    question = [{"type": "text", "text": "Which tower is this?"}, photo]
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": question}]}
    run.call(PHOTO, chat, body, chat_answer("The Clérigos Tower, in Porto.", (779, 9)), tokens=(779, 9))
    refused = {
        "exception_data": {
            "type": "BadRequestError",
            "status_code": 400,
            "message": "This model's maximum context length is 128000 tokens; your messages have 131204.",
        }
    }
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Lorem ipsum dolor sit amet. " * 400}]}
    run.call(LIMIT, chat, body, Failed(failure_from_json(refused)))
