"""anthropic's helpers above `create`: `messages.stream`, `parse`, the tool runner."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Any

import pydantic
import pytest

from ...conftest import Colour
from ...support.openai_server import OpenAIServer
from ..ways.reading import raw_name
from ..ways.watching import Way, check, entered, skip_without
from .calls import MESSAGE, THINKING, WEATHER_TOOL

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("sdk_name", ["anthropic"])]


class City(pydantic.BaseModel):
    """A city."""

    name: str


ASKED = {
    "text": MESSAGE,
    "tool use": MESSAGE | {"tools": [WEATHER_TOOL]},
    "thinking": MESSAGE | THINKING,
    "big": MESSAGE | {"model": "big"},
    "odd": MESSAGE | {"model": "odd"},
}
READ = {
    "events": lambda sdk, stream: sdk.items(stream),
    "texts": lambda sdk, stream: sdk.items(stream.text_stream),
    "final message": lambda sdk, stream: sdk.wait(stream.get_final_message()),
    "until done": lambda sdk, stream: (sdk.wait(stream.until_done()), stream.current_message_snapshot),
    "left early": lambda sdk, stream: sdk.take(stream, 3),
    "request id": lambda sdk, stream: getattr(stream, "request_id", None),
}


@pytest.mark.parametrize("method", ["messages.stream", "beta.messages.stream"])
@pytest.mark.parametrize("asked", ASKED)
def test_a_stream_helper_replays(asked: str, method: str, sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Most people stream with it: events, texts, and the message that it puts together."""

    def use(sdk: Colour) -> Any:
        seen = {}
        for name, read in READ.items():
            with entered(sdk, attrgetter(method)(sdk.client)(**ASKED[asked])) as stream:
                seen[name] = [read(sdk, stream), stream.response.status_code]
        return seen

    check(Way(use, method, requests=len(READ)), sdk, server, recordings)


@pytest.mark.parametrize("method", ["messages.parse", "beta.messages.parse"])
@pytest.mark.parametrize("is_raw", [False, True], ids=["plain", "raw"])
def test_a_parsed_message_replays(
    is_raw: bool, method: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The answer holds an object of the caller's class."""
    skip_without(sdk, method)

    def use(sdk: Colour) -> Any:
        if not is_raw:
            answer = sdk.call(method, **MESSAGE, output_format=City)
        else:
            answer = sdk.wait(sdk.call(raw_name(method), **MESSAGE, output_format=City).parse())
        return [answer, answer.parsed_output]

    if is_raw:
        skip_without(sdk, raw_name(method))
    assert check(Way(use), sdk, server, recordings)[1] == City(name="Paris")


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_tool_runner_replays(
    streamed: bool, sdk: Colour, sdk_name: str, server: OpenAIServer, recordings: Path
) -> None:
    """It calls the model until it wants no more tools; each turn is a recording."""
    skip_without(sdk, "beta.messages.tool_runner")
    import anthropic

    def weather(city: str) -> str:
        """Return the weather in a city."""
        return f"Rain in {city}."

    async def weather_async(city: str) -> str:
        return weather(city)

    tool: Any = (
        anthropic.beta_async_tool(weather_async, name="weather") if sdk.is_async else anthropic.beta_tool(weather)
    )

    def use(sdk: Colour) -> Any:
        runner = sdk.client.beta.messages.tool_runner(**MESSAGE, tools=[tool], stream=streamed)
        turns = sdk.items(runner) if not streamed else []
        if streamed and sdk.is_async:
            turns = sdk.wait(_streamed_turns(runner))
        elif streamed:
            turns = [[list(stream), stream.get_final_message()] for stream in runner]
        return turns

    assert 3 == len(check(Way(use, requests=3), sdk, server, recordings))


async def _streamed_turns(runner: Any) -> list[Any]:
    turns = []
    async for stream in runner:
        turns.append([[event async for event in stream], await stream.get_final_message()])
    return turns
