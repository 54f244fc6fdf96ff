"""openai-agents: agents on models of both APIs, run sync, async and streamed."""

from __future__ import annotations

from typing import Any

from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool
from openai import AsyncOpenAI

from .questions import API_KEY, MODEL, QUESTION, City, weather


def plain(base_url: str) -> Any:
    return _outcome(Runner.run_sync(_agent(base_url), QUESTION))


async def plain_async(base_url: str) -> Any:
    return _outcome(await Runner.run(_agent(base_url), QUESTION))


async def plain_responses(base_url: str) -> Any:
    return _outcome(await Runner.run(_agent(base_url, OpenAIResponsesModel), QUESTION))


async def plain_responses_chained(base_url: str) -> Any:
    agent = _agent(base_url, OpenAIResponsesModel)
    first = await Runner.run(agent, QUESTION)
    second = await Runner.run(agent, "And tomorrow?", previous_response_id=first.last_response_id)
    return [_outcome(first), _outcome(second)]


async def streamed(base_url: str) -> Any:
    return await _streamed(_agent(base_url))


async def streamed_responses(base_url: str) -> Any:
    return await _streamed(_agent(base_url, OpenAIResponsesModel))


def tools(base_url: str) -> Any:
    return _outcome(Runner.run_sync(_agent(base_url, tools=[function_tool(weather)]), QUESTION))


async def tools_async(base_url: str) -> Any:
    return _outcome(await Runner.run(_agent(base_url, tools=[function_tool(weather)]), QUESTION))


async def tools_streamed(base_url: str) -> Any:
    return await _streamed(_agent(base_url, tools=[function_tool(weather)]))


async def tools_responses(base_url: str) -> Any:
    agent = _agent(base_url, OpenAIResponsesModel, tools=[function_tool(weather)])
    return _outcome(await Runner.run(agent, QUESTION))


async def tools_responses_streamed(base_url: str) -> Any:
    return await _streamed(_agent(base_url, OpenAIResponsesModel, tools=[function_tool(weather)]))


async def tools_handed_off(base_url: str) -> Any:
    first = _agent(base_url, handoffs=[_agent(base_url)], model_settings=ModelSettings(tool_choice="required"))
    return _outcome(await Runner.run(first, QUESTION))


async def structured(base_url: str) -> Any:
    return _outcome(await Runner.run(_agent(base_url, output_type=City), QUESTION))


async def structured_responses(base_url: str) -> Any:
    return _outcome(await Runner.run(_agent(base_url, OpenAIResponsesModel, output_type=City), QUESTION))


def _agent(base_url: str, kind: type[Any] = OpenAIChatCompletionsModel, **options: Any) -> Any:
    model = kind(MODEL, AsyncOpenAI(base_url=base_url, api_key=API_KEY))
    return Agent(name="forecaster", instructions="Be brief.", model=model, **options)


async def _streamed(agent: Any) -> Any:
    run = Runner.run_streamed(agent, QUESTION)
    deltas = [event.data.delta async for event in run.stream_events() if _is_delta(event)]
    return [deltas, _outcome(run)]


def _is_delta(event: Any) -> bool:
    return event.type == "raw_response_event" and hasattr(event.data, "delta")


def _outcome(run: Any) -> Any:
    output = run.final_output
    calls = [getattr(item.raw_item, "arguments", None) for item in run.new_items]
    usage = [response.usage.total_tokens for response in run.raw_responses]
    return [output.model_dump() if isinstance(output, City) else output, calls, usage]
