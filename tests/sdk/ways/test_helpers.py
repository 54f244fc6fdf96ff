"""The SDK's helpers above `create`: parse, stream, the assistants' event stream, and polling."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Any

import openai
import pydantic
import pytest

from inference_recorder import inference_recording

from ...conftest import HELLO, Colour
from ...support.openai_server import OpenAIServer, Reply, chunk, completion, response
from .server_scripts import run
from .watching import Use, Way, check, entered, skip_without

pytestmark = [
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The Sora API is:DeprecationWarning"),
]


class City(pydantic.BaseModel):
    """Return a city."""

    name: str


def streaming(name: str, *finals: str, **kwargs: Any) -> Use:
    """Return the way that reads all events of a stream helper and then asks it for its final objects."""

    def use(sdk: Colour) -> list[Any]:
        with entered(sdk, attrgetter(name)(sdk.client)(**kwargs)) as stream:
            return [sdk.items(stream), *(sdk.wait(getattr(stream, final)()) for final in finals)]

    return use


def parsing(name: str, *args: Any, **kwargs: Any) -> Use:
    return lambda sdk: sdk.call(name, *args, **kwargs)


def raw_parsing(sdk: Colour) -> Any:
    return sdk.call("chat.completions.with_raw_response.parse", **HELLO, response_format=City).parse()


def events_of_handler(sdk: Colour) -> list[str]:
    """Use an event handler of the caller's own, whose `on_...` methods are called."""
    events: list[str] = []

    class Handler(openai.AssistantEventHandler):
        def on_text_delta(self, delta: Any, snapshot: Any) -> None:
            events.append(snapshot.value)

        def on_message_done(self, message: Any) -> None:
            events.append(message.content[0].text.value)

    class AsyncHandler(openai.AsyncAssistantEventHandler):
        async def on_text_delta(self, delta: Any, snapshot: Any) -> None:
            events.append(snapshot.value)

        async def on_message_done(self, message: Any) -> None:
            events.append(message.content[0].text.value)

    handler = AsyncHandler() if sdk.is_async else Handler()
    manager = sdk.client.beta.threads.runs.stream(
        thread_id="thread_1", assistant_id="asst_1", event_handler=handler
    )  # fmt: skip
    with entered(sdk, manager) as stream:
        sdk.wait(stream.until_done())
    return events


ASK = {"model": "gpt-4o", "input": "Say hello."}
RUN = {"thread_id": "thread_1", "assistant_id": "asst_1"}
FINAL_CHAT = ("get_final_completion",)
FINAL_RUN = ("get_final_run", "get_final_messages", "get_final_run_steps")
TOOLS = [openai.pydantic_function_tool(City)]
HELPERS: dict[str, Way] = {
    "chat.completions.parse": Way(
        parsing("chat.completions.parse", **HELLO, response_format=City), "chat.completions.parse"
    ),
    "chat.completions.parse, raw": Way(raw_parsing, "chat.completions.with_raw_response.parse"),
    "beta.chat.completions.parse": Way(
        parsing("beta.chat.completions.parse", **HELLO, response_format=City), "beta.chat.completions.parse"
    ),
    "chat.completions.stream": Way(
        streaming("chat.completions.stream", *FINAL_CHAT, **HELLO), "chat.completions.stream"
    ),
    "chat.completions.stream, parsed": Way(
        streaming("chat.completions.stream", *FINAL_CHAT, **HELLO | {"model": "json"}, response_format=City),
        "chat.completions.stream",
    ),
    "beta.chat.completions.stream": Way(
        streaming("beta.chat.completions.stream", *FINAL_CHAT, **HELLO), "beta.chat.completions.stream"
    ),
    "responses.stream": Way(streaming("responses.stream", "get_final_response", **ASK), "responses.stream"),
    "responses.stream of a kept response": Way(
        streaming("responses.stream", "get_final_response", response_id="resp_00000007"), "responses.stream"
    ),
    "beta.threads.runs.stream": Way(streaming("beta.threads.runs.stream", *FINAL_RUN, **RUN)),
    "beta.threads.create_and_run_stream": Way(
        streaming("beta.threads.create_and_run_stream", *FINAL_RUN, assistant_id="asst_1")
    ),
    "beta.threads.runs.submit_tool_outputs_stream": Way(
        streaming(
            "beta.threads.runs.submit_tool_outputs_stream",
            *FINAL_RUN,
            thread_id="thread_1",
            run_id="run_1",
            tool_outputs=[{"tool_call_id": "call_1", "output": "22"}],
        )
    ),
    "beta.threads.runs.create, streamed": Way(
        lambda sdk: sdk.items(sdk.call("beta.threads.runs.create", **RUN, stream=True))
    ),
    "an assistants' event handler": Way(events_of_handler),
}
QUICKLY: dict[str, Any] = {"poll_interval_ms": 1}
POLLS: dict[str, Way] = {
    "beta.threads.runs.create_and_poll": Way(
        parsing("beta.threads.runs.create_and_poll", **RUN, **QUICKLY), requests=4
    ),
    "beta.threads.create_and_run_poll": Way(
        parsing("beta.threads.create_and_run_poll", assistant_id="asst_1", **QUICKLY), requests=4
    ),
    "beta.threads.runs.poll": Way(
        parsing("beta.threads.runs.poll", thread_id="thread_1", run_id="run_1", **QUICKLY), requests=3
    ),
    "vector_stores.files.create_and_poll": Way(
        parsing("vector_stores.files.create_and_poll", "file-1", vector_store_id="vs_1", **QUICKLY),
        "vector_stores",
        requests=4,
    ),
    "vector_stores.files.upload_and_poll": Way(
        parsing("vector_stores.files.upload_and_poll", vector_store_id="vs_1", file=("a.txt", b"abc"), **QUICKLY),
        "vector_stores",
        requests=5,
    ),
    "vector_stores.file_batches.create_and_poll": Way(
        parsing("vector_stores.file_batches.create_and_poll", "vs_1", file_ids=["file-1"], **QUICKLY),
        "vector_stores",
        requests=4,
    ),
    "vector_stores.file_batches.upload_and_poll": Way(
        parsing(
            "vector_stores.file_batches.upload_and_poll",
            "vs_1",
            files=[("a.txt", b"abc"), ("b.txt", b"abcdef")],
            **QUICKLY,
        ),
        "vector_stores",
        requests=6,
    ),
    "videos.create_and_poll": Way(
        parsing("videos.create_and_poll", prompt="a cat", **QUICKLY), "videos.create_and_poll", requests=4
    ),
}


@pytest.fixture(autouse=True)
def _answers_in_json(server: OpenAIServer) -> None:
    usual = server.scripts["/v1/chat/completions"]

    def chat(asked: Any, number: int) -> Reply:
        if asked.json["model"] == "json":
            return Reply(
                events=[chunk({"content": '{"name": '}), chunk({"content": '"Paris"}'}), chunk({}, finish="stop")]
            )
        return usual(asked, number)

    server.scripts["/v1/chat/completions"] = chat


@pytest.mark.parametrize("way", HELPERS.values(), ids=HELPERS)
def test_a_helper_gives_the_same_events_and_final_objects(
    way: Way, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Frameworks build on the helpers, which never call `create`, or call it in ways of their own."""
    assert check(way, sdk, server, recordings)


@pytest.mark.parametrize("mode", ["record", "record-if-missing"])
@pytest.mark.parametrize("way", POLLS.values(), ids=POLLS)
def test_a_polling_helper_replays_every_answer_in_its_order(
    way: Way, mode: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Replaying the last answer at once, or the first for ever, is not polling."""
    last = check(way, sdk, server, recordings, mode=mode)

    assert "completed" == last.status


def test_a_polling_helper_without_an_interval_waits_no_longer_in_replay(
    sdk: Colour, server: OpenAIServer, recordings: Path, slept: list[float]
) -> None:
    """The server says how soon to ask again, in a header; without it each poll of a replay takes a second."""
    server.answers(
        "/v1/threads/thread_1/runs/run_1",
        *(Reply(run(status), headers={"openai-poll-after-ms": "1"}) for status in ("queued", "completed")),
    )
    with inference_recording("record", recordings):
        sdk.call("beta.threads.runs.create_and_poll", **RUN)
    slept.clear()
    with inference_recording("replay", recordings):
        sdk.call("beta.threads.runs.create_and_poll", **RUN)

    assert [0] == slept


@pytest.mark.parametrize("name", ["responses.create", "responses.stream"])
def test_a_stream_of_responses_left_at_its_last_event_is_whole(
    name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """After response.completed nothing comes, and most consumers leave there."""
    kwargs = ASK | ({"stream": True} if name == "responses.create" else {})
    with inference_recording("record", recordings):
        result = sdk.call(name, **kwargs)
        with entered(sdk, result) as stream:
            while sdk.take(stream, 1)[0].type != "response.completed":
                pass
    with inference_recording("replay", recordings):
        with entered(sdk, sdk.call(name, **kwargs)) as stream:
            events = sdk.items(stream)

    assert "response.completed" == events[-1].type


def test_an_agents_stream_goes_on_after_an_error_event(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """In the SDK's stream mode "events" an error is an event like others; what followed it is lost in replay."""
    skip_without(sdk, "beta.agents.sessions.events.stream")
    events = [("agent.one", {"n": 1}), ("error", {"error": {"message": "hm"}}), ("agent.two", {"n": 2})]
    server.answers("/v1/agents/sessions/s/events", Reply(events=events))

    def use(sdk: Colour) -> list[Any]:
        return sdk.items(sdk.call("beta.agents.sessions.events.stream", "s"))

    check(Way(use), sdk, server, recordings)


def test_responses_parse_gives_the_parsed_object(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """openai-agents' structured output is this call."""
    server.answers("/v1/responses", Reply(response('{"name": "Paris"}')))
    parsed = check(Way(parsing("responses.parse", **ASK, text_format=City)), sdk, server, recordings)

    assert parsed.output_parsed == City(name="Paris")


def test_chat_parse_gives_the_parsed_arguments_of_tools(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Parsed tool calls come of the arguments in the recording, not of the tool's schema."""
    call = {"id": "call_1", "type": "function", "function": {"name": "City", "arguments": '{"name": "Paris"}'}}
    message = {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls"}
    server.answers("/v1/chat/completions", Reply(completion(choices=[choice])))
    way = Way(parsing("chat.completions.parse", **HELLO, tools=TOOLS), "chat.completions.parse")
    parsed = check(way, sdk, server, recordings)

    assert parsed.choices[0].message.tool_calls[0].function.parsed_arguments == City(name="Paris")


def test_an_assistants_stream_that_fails_raises_again(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """The Assistants API tells of a failure in an event named error."""
    events = [("thread.run.created", run("queued")), ("error", {"error": {"message": "No quota.", "code": "quota"}})]
    server.answers("/v1/threads/thread_1/runs", Reply(events=events))

    def use(sdk: Colour) -> list[Any]:
        with entered(sdk, sdk.client.beta.threads.runs.stream(**RUN)) as stream:
            first = sdk.take(stream, 1)
            with pytest.raises(openai.APIError) as caught:
                sdk.take(stream, 1)
        return [first, type(caught.value), str(caught.value), caught.value.code, caught.value.body]

    replayed = check(Way(use), sdk, server, recordings)
    assert "No quota." == replayed[2]
