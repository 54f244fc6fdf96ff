"""langchain-anthropic: chat models, tools bound to them, structured output."""

from __future__ import annotations

from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool

from .questions import API_KEY, CLAUDE, QUESTION, City, weather


def plain(base_url: str) -> Any:
    return _comparable(_chat(base_url).invoke(QUESTION))


async def plain_async(base_url: str) -> Any:
    return _comparable(await _chat(base_url).ainvoke(QUESTION))


def streamed(base_url: str) -> Any:
    return [_comparable(chunk) for chunk in _chat(base_url).stream(QUESTION)]


async def streamed_async(base_url: str) -> Any:
    return [_comparable(chunk) async for chunk in _chat(base_url).astream(QUESTION)]


def tools(base_url: str) -> Any:
    chat = _chat(base_url).bind_tools([tool(weather)])
    messages: list[Any] = [("user", QUESTION)]
    messages.append(first_answer := chat.invoke(messages))
    messages += [tool(weather).invoke(call) for call in first_answer.tool_calls]
    return [_comparable(first_answer), _comparable(chat.invoke(messages))]


async def tools_async(base_url: str) -> Any:
    return _comparable(await _chat(base_url).bind_tools([tool(weather)]).ainvoke(QUESTION))


def tools_streamed(base_url: str) -> Any:
    return [_comparable(chunk) for chunk in _chat(base_url).bind_tools([tool(weather)]).stream(QUESTION)]


def structured(base_url: str) -> Any:
    return _chat(base_url).with_structured_output(City).invoke(QUESTION).model_dump()


async def structured_async(base_url: str) -> Any:
    return (await _chat(base_url).with_structured_output(City).ainvoke(QUESTION)).model_dump()


def _chat(base_url: str) -> ChatAnthropic:
    return ChatAnthropic(model=CLAUDE, base_url=base_url.removesuffix("/v1"), api_key=API_KEY, max_tokens=1_024)


def _comparable(message: Any) -> Any:
    return [message.content, getattr(message, "tool_calls", []), message.usage_metadata]
