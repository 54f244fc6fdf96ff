"""langchain-openai: chat models on both APIs, tools bound to them, structured output by each method, embeddings."""

from __future__ import annotations

from typing import Any

import openai
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings

from .questions import API_KEY, MODEL, QUESTION, TEXTS, City, weather


def plain(base_url: str) -> Any:
    return _comparable(_chat(base_url).invoke(QUESTION))


async def plain_async(base_url: str) -> Any:
    return _comparable(await _chat(base_url).ainvoke(QUESTION))


def plain_responses(base_url: str) -> Any:
    return _comparable(_chat(base_url, use_responses_api=True).invoke(QUESTION))


def plain_batch(base_url: str) -> Any:
    return [
        _comparable(answer) for answer in _chat(base_url).batch([QUESTION, "And tomorrow?"], {"max_concurrency": 1})
    ]


def plain_completions(base_url: str) -> Any:
    return OpenAI(model="gpt-3.5-turbo-instruct", base_url=base_url, api_key=API_KEY).invoke(QUESTION)


def streamed(base_url: str) -> Any:
    return [_comparable(chunk) for chunk in _chat(base_url).stream(QUESTION)]


async def streamed_async(base_url: str) -> Any:
    return [_comparable(chunk) async for chunk in _chat(base_url).astream(QUESTION)]


def streamed_responses(base_url: str) -> Any:
    return [_comparable(chunk) for chunk in _chat(base_url, use_responses_api=True).stream(QUESTION)]


async def streamed_responses_async(base_url: str) -> Any:
    return [_comparable(chunk) async for chunk in _chat(base_url, use_responses_api=True).astream(QUESTION)]


def tools(base_url: str, **options: Any) -> Any:
    chat = _chat(base_url, **options).bind_tools([tool(weather)])
    messages: list[Any] = [("user", QUESTION)]
    messages.append(first_answer := chat.invoke(messages))
    messages += [tool(weather).invoke(call) for call in first_answer.tool_calls]
    return [_comparable(first_answer), _comparable(chat.invoke(messages))]


def tools_responses(base_url: str) -> Any:
    return tools(base_url, use_responses_api=True)


def tools_responses_chained(base_url: str) -> Any:
    return tools(base_url, use_responses_api=True, use_previous_response_id=True)


async def tools_async(base_url: str) -> Any:
    chat = _chat(base_url).bind_tools([tool(weather)])
    messages: list[Any] = [("user", QUESTION)]
    messages.append(first_answer := await chat.ainvoke(messages))
    messages += [await tool(weather).ainvoke(call) for call in first_answer.tool_calls]
    return [_comparable(first_answer), _comparable(await chat.ainvoke(messages))]


def tools_streamed(base_url: str) -> Any:
    return [_comparable(chunk) for chunk in _chat(base_url).bind_tools([tool(weather)]).stream(QUESTION)]


def structured(base_url: str, method: str = "json_schema") -> Any:
    return _chat(base_url).with_structured_output(City, method=method).invoke(QUESTION).model_dump()


async def structured_async(base_url: str) -> Any:
    return (await _chat(base_url).with_structured_output(City).ainvoke(QUESTION)).model_dump()


def structured_function_calling(base_url: str) -> Any:
    return structured(base_url, "function_calling")


def structured_json_mode(base_url: str) -> Any:
    return structured(base_url, "json_mode")


def structured_streamed(base_url: str) -> Any:
    chat = _chat(base_url).with_structured_output(City, method="json_schema")
    return [city.model_dump() for city in chat.stream(QUESTION)]


def structured_responses(base_url: str) -> Any:
    chat = _chat(base_url, use_responses_api=True).with_structured_output(City)
    return chat.invoke(QUESTION).model_dump()


def structured_responses_streamed(base_url: str) -> Any:
    chat = _chat(base_url, use_responses_api=True).with_structured_output(City)
    return [city.model_dump() for city in chat.stream(QUESTION)]


def embeddings(base_url: str) -> Any:
    return _embedder(base_url).embed_documents(TEXTS)


async def embeddings_async(base_url: str) -> Any:
    return await _embedder(base_url).aembed_query(TEXTS[0])


def missed(base_url: str) -> Any:
    return _chat(base_url).invoke(QUESTION)


async def missed_async(base_url: str) -> Any:
    return await _chat(base_url).ainvoke(QUESTION)


def missed_streamed(base_url: str) -> Any:
    return list(_chat(base_url).stream(QUESTION))


def missed_responses(base_url: str) -> Any:
    return _chat(base_url, use_responses_api=True).invoke(QUESTION)


def missed_fallbacks(base_url: str) -> Any:
    return _chat(base_url).with_fallbacks([_chat(base_url, model="another")]).invoke(QUESTION)


def missed_fallbacks_for_missing_models(base_url: str) -> Any:
    # Asked for the same model, which the table shows if the miss is taken for a model that is not there.
    chat, kinds = _chat(base_url), (openai.NotFoundError, openai.RateLimitError, openai.APIConnectionError)
    return chat.with_fallbacks([chat], exceptions_to_handle=kinds).invoke(QUESTION)


def missed_embeddings(base_url: str) -> Any:
    return _embedder(base_url).embed_documents(TEXTS)


def _chat(base_url: str, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(**{"model": MODEL, "base_url": base_url, "api_key": API_KEY} | options)


def _embedder(base_url: str) -> OpenAIEmbeddings:
    return OpenAIEmbeddings(base_url=base_url, api_key=API_KEY, check_embedding_ctx_length=False)  # else: tiktoken


def _comparable(message: Any) -> Any:
    return [message.content, getattr(message, "tool_calls", []), message.usage_metadata]
