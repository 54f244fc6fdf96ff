"""instructor: pydantic models from the chat and Responses APIs, in each of its modes for OpenAI."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import instructor
from instructor import Mode
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from .questions import API_KEY, MODEL, QUESTION, City

ASK: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}]}


class Weather(BaseModel):
    """Looks up the weather."""

    city: str


def plain(base_url: str) -> Any:
    return _client(base_url).create(response_model=None, **ASK).choices[0].message.content


async def plain_async(base_url: str) -> Any:
    answer = await _async_client(base_url).create(response_model=None, **ASK)
    return answer.choices[0].message.content


def streamed(base_url: str) -> Any:
    chunks = _client(base_url).create(response_model=None, stream=True, **ASK)
    return [choice.delta.content for chunk in chunks for choice in chunk.choices]


def streamed_partial(base_url: str) -> Any:
    return [city.model_dump() for city in _client(base_url).create_partial(response_model=City, **ASK)]


async def streamed_partial_async(base_url: str) -> Any:
    cities = _async_client(base_url).create_partial(response_model=City, **ASK)
    return [city.model_dump() async for city in cities]


def streamed_iterable(base_url: str) -> Any:
    return [city.model_dump() for city in _client(base_url).create_iterable(response_model=City, **ASK)]


def tools(base_url: str) -> Any:
    calls = _client(base_url, Mode.PARALLEL_TOOLS).create(response_model=Iterable[Weather | City], **ASK)
    return [call.model_dump() for call in calls]


def structured(base_url: str, mode: Mode = Mode.TOOLS) -> Any:
    return _client(base_url, mode).create(response_model=City, **ASK).model_dump()


async def structured_async(base_url: str, mode: Mode = Mode.TOOLS) -> Any:
    return (await _async_client(base_url, mode).create(response_model=City, **ASK)).model_dump()


def structured_strict_tools(base_url: str) -> Any:
    return structured(base_url, Mode.TOOLS_STRICT)


def structured_json_object(base_url: str) -> Any:
    return structured(base_url, Mode.JSON)


def structured_json_schema(base_url: str) -> Any:
    return structured(base_url, Mode.JSON_SCHEMA)


def structured_responses(base_url: str) -> Any:
    return structured(base_url, Mode.RESPONSES_TOOLS)


async def structured_responses_async(base_url: str) -> Any:
    return await structured_async(base_url, Mode.RESPONSES_TOOLS)


def structured_with_completion(base_url: str) -> Any:
    city, answer = _client(base_url).create_with_completion(response_model=City, **ASK)
    return [city.model_dump(), answer.usage.total_tokens]


def _client(base_url: str, mode: Mode = Mode.TOOLS) -> Any:
    return instructor.from_openai(OpenAI(base_url=base_url, api_key=API_KEY), mode=mode)


def _async_client(base_url: str, mode: Mode = Mode.TOOLS) -> Any:
    return instructor.from_openai(AsyncOpenAI(base_url=base_url, api_key=API_KEY), mode=mode)
