"""pydantic-ai: agents on models of OpenAI and Anthropic, structured output by each of its means, embeddings."""

from __future__ import annotations

from typing import Any

from pydantic_ai import Agent, Embedder, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel, OpenAIResponsesModelSettings
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from .questions import API_KEY, CLAUDE, MODEL, QUESTION, TEXTS, City, weather


def plain(base_url: str) -> Any:
    return _outcome(_agent(base_url).run_sync(QUESTION))


async def plain_async(base_url: str) -> Any:
    return _outcome(await _agent(base_url).run(QUESTION))


async def plain_responses(base_url: str) -> Any:
    return _outcome(await _agent(base_url, OpenAIResponsesModel).run(QUESTION))


async def plain_with_history(base_url: str) -> Any:
    agent = _agent(base_url)
    first = await agent.run(QUESTION)
    return _outcome(await agent.run("And tomorrow?", message_history=first.all_messages()))


async def plain_responses_with_history(base_url: str) -> Any:
    agent = _agent(base_url, OpenAIResponsesModel)
    first = await agent.run(QUESTION)
    return _outcome(await agent.run("And tomorrow?", message_history=first.all_messages()))


async def plain_responses_chained(base_url: str) -> Any:
    chained = OpenAIResponsesModelSettings(openai_previous_response_id="auto")
    agent = _agent(base_url, OpenAIResponsesModel, model_settings=chained)
    first = await agent.run(QUESTION)
    return _outcome(await agent.run("And tomorrow?", message_history=first.all_messages()))


async def plain_anthropic(base_url: str) -> Any:
    return _outcome(await _anthropic_agent(base_url).run(QUESTION))


async def streamed_anthropic(base_url: str) -> Any:
    return await _streamed(_anthropic_agent(base_url))


def tools_anthropic(base_url: str) -> Any:
    return _outcome(_anthropic_agent(base_url, tools=[weather]).run_sync(QUESTION))


async def tools_anthropic_streamed(base_url: str) -> Any:
    return await _streamed(_anthropic_agent(base_url, tools=[weather]))


async def structured_anthropic(base_url: str) -> Any:
    return _outcome(await _anthropic_agent(base_url, output_type=ToolOutput(City)).run(QUESTION))


def streamed(base_url: str) -> Any:
    return list(_agent(base_url).run_stream_sync(QUESTION).stream_text(delta=True, debounce_by=None))


async def streamed_async(base_url: str) -> Any:
    return await _streamed(_agent(base_url))


async def streamed_responses(base_url: str) -> Any:
    return await _streamed(_agent(base_url, OpenAIResponsesModel))


def tools(base_url: str) -> Any:
    return _outcome(_agent(base_url, tools=[weather]).run_sync(QUESTION))


async def tools_async(base_url: str) -> Any:
    return _outcome(await _agent(base_url, tools=[weather]).run(QUESTION))


async def tools_streamed(base_url: str) -> Any:
    return await _streamed(_agent(base_url, tools=[weather]))


async def tools_responses(base_url: str) -> Any:
    return _outcome(await _agent(base_url, OpenAIResponsesModel, tools=[weather]).run(QUESTION))


async def tools_responses_streamed(base_url: str) -> Any:
    return await _streamed(_agent(base_url, OpenAIResponsesModel, tools=[weather]))


def structured(base_url: str) -> Any:
    return _outcome(_agent(base_url, output_type=ToolOutput(City)).run_sync(QUESTION))


async def structured_async(base_url: str) -> Any:
    return _outcome(await _agent(base_url, output_type=City).run(QUESTION))


async def structured_native(base_url: str) -> Any:
    return _outcome(await _agent(base_url, output_type=NativeOutput(City)).run(QUESTION))


async def structured_prompted(base_url: str) -> Any:
    return _outcome(await _agent(base_url, output_type=PromptedOutput(City)).run(QUESTION))


async def structured_streamed(base_url: str) -> Any:
    async with _agent(base_url, output_type=City).run_stream(QUESTION) as run:
        return [city.model_dump() async for city in run.stream_output(debounce_by=None)]


async def structured_responses(base_url: str) -> Any:
    return _outcome(await _agent(base_url, OpenAIResponsesModel, output_type=NativeOutput(City)).run(QUESTION))


def embeddings(base_url: str) -> Any:
    return _embedder(base_url).embed_documents_sync(TEXTS).embeddings


async def embeddings_async(base_url: str) -> Any:
    return (await _embedder(base_url).embed_query(TEXTS[0])).embeddings


def _provider(base_url: str) -> OpenAIProvider:
    return OpenAIProvider(base_url=base_url, api_key=API_KEY)


def _agent(base_url: str, kind: type[Any] = OpenAIChatModel, **options: Any) -> Any:
    return Agent(kind(MODEL, provider=_provider(base_url)), instructions="Be brief.", **options)


def _anthropic_agent(base_url: str, **options: Any) -> Any:
    provider = AnthropicProvider(base_url=base_url.removesuffix("/v1"), api_key=API_KEY)
    return Agent(AnthropicModel(CLAUDE, provider=provider), instructions="Be brief.", **options)


def _embedder(base_url: str) -> Embedder:
    return Embedder(OpenAIEmbeddingModel("text-embedding-3-small", provider=_provider(base_url)))


async def _streamed(agent: Any) -> Any:
    async with agent.run_stream(QUESTION) as run:
        deltas = [delta async for delta in run.stream_text(delta=True, debounce_by=None)]
    return [deltas, *_history(run)]


def _outcome(run: Any) -> Any:
    return [run.output.model_dump() if isinstance(run.output, City) else run.output, *_history(run)]


def _history(run: Any) -> list[Any]:
    parts = [part for message in run.all_messages() for part in message.parts]
    return [[[part.part_kind, getattr(part, "args", None)] for part in parts], _usage(run).total_tokens]


def _usage(run: Any) -> Any:
    return run.usage() if callable(run.usage) else run.usage
