"""litellm: its functions with an OpenAI-compatible server.

Not `litellm.responses`, which sends with an HTTP client of litellm's own and never reaches the SDK.
"""

from __future__ import annotations

import json
from typing import Any

import litellm

from .questions import API_KEY, MODEL, QUESTION, TEXTS, City, weather

MESSAGES = [{"role": "user", "content": QUESTION}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": weather.__doc__,
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def plain(base_url: str) -> Any:
    return _comparable(litellm.completion(messages=MESSAGES, **_at(base_url)))


async def plain_async(base_url: str) -> Any:
    return _comparable(await litellm.acompletion(messages=MESSAGES, **_at(base_url)))


async def plain_router(base_url: str) -> Any:
    router = litellm.Router([{"model_name": "ours", "litellm_params": _at(base_url)}])
    return _comparable(await router.acompletion("ours", messages=MESSAGES))


def plain_text_completion(base_url: str) -> Any:
    model = {"model": "text-completion-openai/gpt-3.5-turbo-instruct"}
    return litellm.text_completion(prompt=QUESTION, **(_at(base_url) | model)).choices[0].text


def streamed(base_url: str) -> Any:
    chunks = litellm.completion(messages=MESSAGES, stream=True, **_at(base_url))
    return [chunk.choices[0].delta.content for chunk in chunks]


async def streamed_async(base_url: str) -> Any:
    chunks = await litellm.acompletion(messages=MESSAGES, stream=True, **_at(base_url))
    return [chunk.choices[0].delta.content async for chunk in chunks]


def streamed_with_usage(base_url: str) -> Any:
    usage = {"stream_options": {"include_usage": True}}
    chunks = list(litellm.completion(messages=MESSAGES, stream=True, **usage, **_at(base_url)))
    return _comparable(litellm.stream_chunk_builder(chunks, messages=MESSAGES))


def tools(base_url: str) -> Any:
    first_answer = litellm.completion(messages=MESSAGES, tools=[WEATHER], **_at(base_url))
    return [
        _comparable(first_answer),
        _comparable(litellm.completion(messages=_continued(first_answer), tools=[WEATHER], **_at(base_url))),
    ]


async def tools_async(base_url: str) -> Any:
    first_answer = await litellm.acompletion(messages=MESSAGES, tools=[WEATHER], **_at(base_url))
    answer = await litellm.acompletion(messages=_continued(first_answer), tools=[WEATHER], **_at(base_url))
    return [_comparable(first_answer), _comparable(answer)]


def tools_streamed(base_url: str) -> Any:
    chunks = list(litellm.completion(messages=MESSAGES, tools=[WEATHER], stream=True, **_at(base_url)))
    return _comparable(litellm.stream_chunk_builder(chunks, messages=MESSAGES))


def structured(base_url: str) -> Any:
    return _comparable(litellm.completion(messages=MESSAGES, response_format=City, **_at(base_url)))


async def structured_async(base_url: str) -> Any:
    return _comparable(await litellm.acompletion(messages=MESSAGES, response_format=City, **_at(base_url)))


def embeddings(base_url: str) -> Any:
    return _vectors(litellm.embedding(input=TEXTS, **_embedding_model(base_url)))


async def embeddings_async(base_url: str) -> Any:
    return _vectors(await litellm.aembedding(input=TEXTS, **_embedding_model(base_url)))


def missed(base_url: str) -> Any:
    return litellm.completion(messages=MESSAGES, **_at(base_url))


def missed_without_retries(base_url: str) -> Any:
    return litellm.completion(messages=MESSAGES, num_retries=0, **_at(base_url))


def missed_streamed(base_url: str) -> Any:
    return list(litellm.completion(messages=MESSAGES, stream=True, **_at(base_url)))


async def missed_async(base_url: str) -> Any:
    return await litellm.acompletion(messages=MESSAGES, **_at(base_url))


def missed_embeddings(base_url: str) -> Any:
    return litellm.embedding(input=TEXTS, **_embedding_model(base_url))


def missed_router(base_url: str, **options: Any) -> Any:
    return _router(base_url, **options).completion("first", MESSAGES)


def missed_router_without_retries(base_url: str) -> Any:
    return missed_router(base_url, num_retries=0)


async def missed_router_async(base_url: str) -> Any:
    return await _router(base_url).acompletion("first", MESSAGES)


def _router(base_url: str, **options: Any) -> litellm.Router:
    """Return a router that asks for another model after an error, of whatever kind."""
    models = [
        {"model_name": name, "litellm_params": _at(base_url) | {"model": f"openai/{name}"}}
        for name in ("first", "second")
    ]
    return litellm.Router(models, fallbacks=[{"first": ["second"]}], **options)


def _at(base_url: str) -> dict[str, Any]:
    return {"model": f"openai/{MODEL}", "api_base": base_url, "api_key": API_KEY}


def _embedding_model(base_url: str) -> dict[str, Any]:
    return _at(base_url) | {"model": "openai/text-embedding-3-small"}


def _continued(first_answer: Any) -> list[Any]:
    message = first_answer.choices[0].message
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": weather(**json.loads(call.function.arguments))}
        for call in message.tool_calls
    ]
    return [*MESSAGES, message, *results]


def _comparable(answer: Any) -> Any:
    message = answer.choices[0].message
    calls = [call.model_dump() for call in message.tool_calls or ()]
    return [message.content, calls, answer.usage.total_tokens]


def _vectors(answer: Any) -> Any:
    return [item["embedding"] for item in answer.data]
