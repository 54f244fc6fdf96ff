"""Answers nested deeper than pydantic and orjson go, up to where the SDK itself gives up."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from inference_recorder import UnrecordableValue, inference_recording

from ...conftest import HELLO, Colour
from ...support.openai_server import OpenAIServer, Reply, chunk, completion
from .watching import Use, entered, stable

# Ours ends at 100, pydantic's at 255, orjson's at 254; a test's own stack leaves the SDK some 900.
DEPTHS = [1, 10, 97, 98, 99, 100, 101, 199, 200, 201, 240, 250, 253, 254, 255, 256, 257, 300, 500, 700, 850]
if sys.version_info >= (3, 13):  # before, reading JSON takes from the same stack as Python code
    DEPTHS.append(3000)

ONE_OF_EACH_KIND = {1, 100, 256, 850}
TOO_DEEP = 100_000
SAME_ID = {"x-request-id": "req"}


def opening(depth: int) -> str:
    return "".join('{"x":' if level % 2 else "[" for level in range(depth))


def nested_text(depth: int) -> str:
    return opening(depth) + "1" + "".join("]" if level % 2 == 0 else "}" for level in reversed(range(depth)))


def with_deep_member(value: dict[str, Any], depth: int) -> bytes:
    return f'{json.dumps(value)[:-1]},"deep":{nested_text(depth)}}}'.encode()


def unrolled(value: Any) -> str:
    """Return how a nested value begins, found without recursion, which would end before it does."""
    parts = []
    while isinstance(value, (list, dict)):
        parts.append("[" if isinstance(value, list) else '{"x":')
        value = value[0] if isinstance(value, list) else value["x"]
    return "".join([*parts, str(value)])


def seen_of(item: Any) -> list[Any]:
    shallow = item.model_copy()
    deep = shallow.__pydantic_extra__.pop("deep")
    return [type(item), stable(shallow).model_dump(), item.model_fields_set, unrolled(deep)]


def seen_of_bytes(content: bytes) -> list[bytes]:
    return [
        part.partition(b"}\n")[0].rstrip(b"}\n")
        for part in content.replace(b'"deep": ', b'"deep":').split(b'"deep":')[1:]
    ]


def by_method(sdk: Colour, **kwargs: Any) -> Any:
    result = sdk.call("chat.completions.create", **HELLO, **kwargs)
    return [seen_of(item) for item in (sdk.items(result) if kwargs else [result])]


def by_raw_response(sdk: Colour, **kwargs: Any) -> Any:
    result = sdk.call("chat.completions.with_raw_response.create", **HELLO, **kwargs).parse()
    return [seen_of(item) for item in (sdk.items(result) if kwargs else [result])]


def by_streaming_response(sdk: Colour, **kwargs: Any) -> Any:
    with entered(sdk, sdk.client.chat.completions.with_streaming_response.create(**HELLO, **kwargs)) as response:
        return seen_of_bytes(sdk.wait(response.read()))


def by_post(sdk: Colour, **kwargs: Any) -> Any:
    result = sdk.call(
        "post", "/chat/completions", body={**HELLO, **kwargs}, cast_to=ChatCompletion, **_streamed(sdk, kwargs)
    )
    return [seen_of(item) for item in (sdk.items(result) if kwargs else [result])]


def _streamed(sdk: Colour, kwargs: dict[str, Any]) -> dict[str, Any]:
    kind = (openai.AsyncStream if sdk.is_async else openai.Stream)[ChatCompletion]
    return {"stream": True, "stream_cls": kind} if kwargs else {}


LIBRARIES: dict[str, Callable[..., Any]] = {
    "method": by_method,
    "raw": by_raw_response,
    "streaming": by_streaming_response,
    "post": by_post,
}


def outcome(use: Use, sdk: Colour) -> Any:
    try:
        return use(sdk)
    except openai.APIStatusError as error:
        return type(error), error.message, unrolled(error.body["deep"]), seen_of_bytes(error.response.content)
    except (RecursionError, ValueError) as error:
        return type(error)


def assert_replays(one: Use, other: Use, sdk: Colour, recordings: Path) -> Any:
    one_live, other_live = outcome(one, sdk), outcome(other, sdk)
    with inference_recording("record", recordings):
        recorded = outcome(one, sdk)
    with inference_recording("replay", recordings):
        replayed = outcome(other, sdk)

    assert one_live == recorded
    assert other_live == replayed
    return other_live


@pytest.mark.quick_cases(5)
@pytest.mark.parametrize("streamed", [{}, {"stream": True}], ids=["plain", "streamed"])
@pytest.mark.parametrize("recorded_by", LIBRARIES)
def test_an_answer_of_any_depth_that_the_sdk_reads_replays(
    recorded_by: str, streamed: dict[str, Any], sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A JSON schema or a tree in an answer's extra fields must not end a recording run that works live."""
    for depth in DEPTHS:
        content = with_deep_member(chunk({"content": "x"}) if streamed else completion(), depth)
        events = b"data: " + content + b"\n\n" + b"data: " + content + b"\n\ndata: [DONE]\n\n"
        reply = Reply(content=events, media_type="text/event-stream") if streamed else Reply(content=content)
        reply.headers |= SAME_ID
        server.answers("/v1/chat/completions", reply)
        for replayed_by in LIBRARIES if depth in ONE_OF_EACH_KIND else [recorded_by]:
            one, other = (lambda sdk, way=way: LIBRARIES[way](sdk, **streamed) for way in (recorded_by, replayed_by))
            live = assert_replays(one, other, sdk, recordings / f"{depth}-{replayed_by}")
            assert isinstance(live, list)


@pytest.mark.parametrize("way", LIBRARIES)
def test_an_answer_that_the_sdk_cannot_read_for_its_depth_replays_as_that(
    way: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Where live ends is where replay ends, with the same error."""
    server.answers("/v1/chat/completions", Reply(content=with_deep_member(completion(), TOO_DEEP)))

    live = assert_replays(LIBRARIES[way], LIBRARIES[way], sdk, recordings)

    assert way == "streaming" or live is RecursionError


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("way", LIBRARIES)
def test_an_error_of_any_depth_that_the_sdk_reads_replays(
    way: str, depth: int, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Validation errors of some servers repeat the request they refuse."""
    content = b'{"error":' + with_deep_member({"message": "no", "type": "t", "code": None, "param": None}, depth) + b"}"
    server.answers("/v1/chat/completions", Reply(content=content, status=400))

    live = assert_replays(LIBRARIES[way], LIBRARIES[way], sdk, recordings)

    assert live[0] is openai.BadRequestError


@pytest.mark.parametrize("wrapper", ["", "with_raw_response."])
def test_a_list_of_models_of_any_depth_replays(
    wrapper: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Gateways describe their models in trees of their own, and what they say beside them too."""

    def use(sdk: Colour) -> Any:
        page = sdk.call(f"models.{wrapper}list")
        page = page.parse() if wrapper else page
        return [unrolled(page.model_extra["deep"]), *(seen_of(model) for model in page.data)]

    for depth in DEPTHS:
        model = with_deep_member({"id": "m", "object": "model", "created": 1, "owned_by": "us"}, depth).decode()
        content = f'{{"object":"list","data":[{model}],"deep":{nested_text(depth)}}}'
        server.answers("/v1/models", Reply(content=content.encode(), headers=SAME_ID))
        assert isinstance(assert_replays(use, use, sdk, recordings / str(depth)), list)


def test_a_secret_in_a_deep_answer_is_hidden_and_given_back(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """How an answer is kept changes nothing of what a file may hold."""
    secret = "sk-proj-" + "aB3" * 16
    content = with_deep_member(completion(f"you wrote {secret}"), 300)
    server.answers("/v1/chat/completions", Reply(content=content))
    messages = [{"role": "user", "content": f"my key is {secret}"}]

    def use() -> Any:
        return sdk.call("chat.completions.create", model="m", messages=messages).choices[0].message.content

    with inference_recording("record", recordings):
        use()
    with inference_recording("replay", recordings):
        replayed = use()

    assert f"you wrote {secret}" == replayed
    assert secret not in next(recordings.glob("*.json")).read_text()


@pytest.mark.usefixtures("sessions_are_runs")
def test_a_deep_answer_recorded_twice_gives_no_diff(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """As any other answer: its id and its time are made constant."""
    files = []
    for number in (1, 2):
        content = with_deep_member(completion(number=number), 300)
        server.answers("/v1/chat/completions", Reply(content=content, headers=SAME_ID))
        with inference_recording("record", recordings):
            sdk.call("chat.completions.create", **HELLO)
        [path] = recordings.glob("*.json")
        files.append((path.name, path.read_bytes(), path.stat().st_mtime_ns))

    assert files[0] == files[1]


@pytest.mark.parametrize("nested", ["in itself", "too deep"])
def test_what_a_mock_answers_that_has_no_json_form_is_refused_with_its_place(
    nested: str, recordings: Path, client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bare error from the depths of a JSON library says nothing of the mock that is to be mended."""
    answer: Any = [] if nested == "in itself" else json.loads(nested_text(300))
    if nested == "in itself":
        answer.append(answer)
    mocked = ChatCompletion.construct(id="x", choices=[], extra=answer) if nested == "in itself" else answer
    place = r"the answer\.extra\[0\] \(nested in itself\)" if nested == "in itself" else "the answer"
    monkeypatch.setattr(openai.resources.chat.completions.Completions, "create", lambda self, **kwargs: mocked)

    with inference_recording("record", recordings), pytest.raises(UnrecordableValue, match=place):
        client.chat.completions.create(**HELLO)


def test_an_event_that_is_nested_too_deep_is_passed_on_as_its_bytes(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """Who reads the bytes of a stream parses none of them."""
    deep = opening(TOO_DEEP)
    content = f"data: {json.dumps(chunk({'content': 'a'}))}\n\ndata: {deep}\n\ndata: [DONE]\n\n".encode()
    server.answers("/v1/chat/completions", Reply(content=content, media_type="text/event-stream"))

    def read() -> bytes:
        with client.chat.completions.with_streaming_response.create(**HELLO, stream=True) as response:
            return b"".join(response.iter_bytes())

    with inference_recording("record", recordings):
        live = read()
    with inference_recording("replay", recordings):
        replayed = read()

    assert content == live
    assert f"data: {deep}".encode() in replayed.split(b"\n")
