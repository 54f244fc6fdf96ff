"""llama-index-llms-openai and its sister for embeddings: completing, chatting, agents, structured output."""

from __future__ import annotations

from typing import Any

import llama_index.core
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.llms.openai import OpenAI, OpenAIResponses

from .questions import API_KEY, MODEL, QUESTION, TEXTS, City, weather

MESSAGES = [ChatMessage(role="user", content=QUESTION)]
llama_index.core.set_global_tokenizer(str.split)  # else: tiktoken, which downloads


def plain(base_url: str) -> Any:
    return [_llm(base_url).complete(QUESTION).text, _llm(base_url).chat(MESSAGES).message.content]


async def plain_async(base_url: str) -> Any:
    answer = await _llm(base_url).achat(MESSAGES)
    return [(await _llm(base_url).acomplete(QUESTION)).text, answer.message.content]


def plain_responses(base_url: str) -> Any:
    return _llm(base_url, OpenAIResponses).chat(MESSAGES).message.content


def streamed(base_url: str) -> Any:
    return [answer.delta for answer in _llm(base_url).stream_chat(MESSAGES)]


async def streamed_async(base_url: str) -> Any:
    return [answer.delta async for answer in await _llm(base_url).astream_chat(MESSAGES)]


def streamed_responses(base_url: str) -> Any:
    return [answer.delta for answer in _llm(base_url, OpenAIResponses).stream_chat(MESSAGES)]


async def streamed_responses_async(base_url: str) -> Any:
    return [answer.delta async for answer in await _llm(base_url, OpenAIResponses).astream_chat(MESSAGES)]


def tools(base_url: str) -> Any:
    answer = _llm(base_url).predict_and_call([FunctionTool.from_defaults(weather)], QUESTION)
    return [answer.response, [source.raw_input for source in answer.sources]]


async def tools_agent(base_url: str) -> Any:
    return await _agent_run(base_url, streaming=False)


async def tools_agent_streamed(base_url: str) -> Any:
    return await _agent_run(base_url, streaming=True)


async def tools_agent_responses(base_url: str) -> Any:
    return await _agent_run(base_url, OpenAIResponses, streaming=False)


def structured(base_url: str) -> Any:
    return _llm(base_url).as_structured_llm(City).chat(MESSAGES).raw.model_dump()


async def structured_async(base_url: str) -> Any:
    return (await _llm(base_url).as_structured_llm(City).achat(MESSAGES)).raw.model_dump()


def structured_streamed(base_url: str) -> Any:
    return [answer.raw.model_dump() for answer in _llm(base_url).as_structured_llm(City).stream_chat(MESSAGES)]


def structured_responses(base_url: str) -> Any:
    return _llm(base_url, OpenAIResponses).as_structured_llm(City).chat(MESSAGES).raw.model_dump()


def embeddings(base_url: str) -> Any:
    return _embedder(base_url).get_text_embedding_batch(TEXTS)


async def embeddings_async(base_url: str) -> Any:
    return await _embedder(base_url).aget_query_embedding(TEXTS[0])


def _llm(base_url: str, kind: type[Any] = OpenAI) -> Any:
    return kind(model=MODEL, api_base=base_url, api_key=API_KEY)


def _embedder(base_url: str) -> OpenAIEmbedding:
    return OpenAIEmbedding(api_base=base_url, api_key=API_KEY)


async def _agent_run(base_url: str, kind: type[Any] = OpenAI, *, streaming: bool) -> Any:
    agent = FunctionAgent(tools=[weather], llm=_llm(base_url, kind), system_prompt="Be brief.", streaming=streaming)
    output = await agent.run(QUESTION)
    return [str(output.response.content), [call.tool_kwargs for call in output.tool_calls]]
