"""Values where the SDK has an object: what a mock returned comes back, what somebody left in a file is corrupt."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from inference_recorder import CorruptRecording, inference_recording
from inference_recorder.recording.body import typed

from ...cli.recorded import run
from ...conftest import HELLO, Colour
from ...support.differences import differences
from ...support.example_calls import ROWS, case, plain_calls
from ...support.openai_server import OpenAIServer, Reply, chunk, completion

METHODS = plain_calls()
_NOT_LISTS = [name for name, (method, _) in METHODS.items() if not ROWS[method].is_list]
LEFT_BY_SOMEBODY: dict[str, Any] = {
    "null": None,
    "a number": 7,
    "a float": 1.5,
    "a boolean": True,
    "a string": "text",
    "a foreign object": {"id": "x", "choices": []},
    "an object with a type alone": {"__type__": "openai.types.chat.chat_completion.ChatCompletion"},
}
WITHOUT_AN_OBJECT: dict[str, Any] = {f"typed {name}": typed("a.B", LEFT_BY_SOMEBODY[name]) for name in [
    "null", "a number", "a float", "a boolean", "a string",
]} | {"a list": [1, 2], "an empty list": [], "a typed list": typed("a.B", [1])}  # fmt: skip
RETURNED_BY_A_MOCK: dict[str, Any] = {
    "null": None,
    "a number": 7,
    "a float": 0.1,
    "a boolean": False,
    "a string": "text",
    "an empty string": "",
    "an object": {"id": "x", "choices": []},
    "an empty object": {},
    "a recorded object": typed("a.B", {"id": "x"}),
    "a list of objects": [{"id": "x"}, {"id": "y"}],
    "an empty list": [],
    "a list of lists": [[1], [None]],
}
ANSWERS_OF_A_MOCK: dict[str, Any] = {
    "an answer": ChatCompletion.model_validate(completion()),
    "a list of answers": [ChatCompletion.model_validate(completion())],
}


def recorded(sdk: Colour, name: str, recordings: Path) -> Path:
    method, kwargs = METHODS[name]
    with inference_recording("record", recordings):
        sdk.call(method, **kwargs)
    [path] = recordings.glob("*.json")
    return path


def put(path: Path, body: Any, *, indent: int | None = 2, **members: Any) -> None:
    """Put a body into a recording, in our layout (2) or in another."""
    document = json.loads(path.read_text())
    document["response"] |= {"body": body} | members
    path.write_text(json.dumps(document, indent=indent) + "\n")


@pytest.mark.parametrize(
    ("body", "name"),
    [case(METHODS[name][0], body, name) for name in METHODS for body in LEFT_BY_SOMEBODY]
    + [case(METHODS[name][0], body, name) for name in _NOT_LISTS for body in WITHOUT_AN_OBJECT],
)
def test_a_body_that_is_not_an_object_of_the_method_is_corrupt(
    body: str, name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """`None` in an answer's place fails far from where it came from, or passes where a test asks for nothing."""
    path, (method, kwargs) = recorded(sdk, name, recordings), METHODS[name]
    owner, _, attribute = method.rpartition(".")
    asked = server.count
    for indent in (2, None):
        put(path, (LEFT_BY_SOMEBODY | WITHOUT_AN_OBJECT)[body], indent=indent)
        for mode in ("replay", "record-if-missing"):
            with inference_recording(mode, recordings):
                with pytest.raises(CorruptRecording, match=r"\$.response.body"):
                    sdk.call(method, **kwargs)
                with pytest.raises(CorruptRecording, match=r"\$.response.body"):
                    sdk.call(f"{owner}.with_raw_response.{attribute}", **kwargs)
        checked = run("check", recordings)
        assert 1 == checked.exit_code, checked.stdout

    assert asked == server.count


@pytest.mark.parametrize("body", ["null", "a number", "a string", "typed null", "a typed list"])
@pytest.mark.parametrize("is_raw", [False, True], ids=["plain", "raw"])
def test_a_chunk_that_is_not_an_object_is_corrupt(is_raw: bool, body: str, sdk: Colour, recordings: Path) -> None:
    """The chunks before it are the recorded ones; it is not."""
    method = "chat.completions.with_raw_response.create" if is_raw else "chat.completions.create"
    with inference_recording("record", recordings):
        sdk.items(sdk.call("chat.completions.create", **HELLO, stream=True))
    [path] = recordings.glob("*.json")
    put(path, [typed("a.B", chunk({"content": "a"})), (LEFT_BY_SOMEBODY | WITHOUT_AN_OBJECT)[body]])
    with inference_recording("replay", recordings), pytest.raises(CorruptRecording, match="must be an object"):
        answer = sdk.call(method, **HELLO, stream=True)
        sdk.items(answer.parse() if is_raw else answer)
    assert 1 == run("check", recordings).exit_code


@pytest.mark.parametrize(
    ("value", "name"),
    [case(METHODS[name][0], value, name) for name in _NOT_LISTS for value in RETURNED_BY_A_MOCK]
    + [(value, "chat") for value in ANSWERS_OF_A_MOCK],
)
def test_what_a_mock_returns_replays_as_it_is(value: str, name: str, sdk: Colour, recordings: Path) -> None:
    """Tests of error handling have a mock return what no server would."""
    method, kwargs = METHODS[name]
    returned = (RETURNED_BY_A_MOCK | ANSWERS_OF_A_MOCK)[value]
    with mocked(sdk, method, returned), inference_recording("record", recordings):
        live = sdk.call(method, **kwargs)
    with inference_recording("replay", recordings):
        replayed = sdk.call(method, **kwargs)

    assert live is returned
    assert repr(type(returned)) == repr(type(replayed))
    if value in RETURNED_BY_A_MOCK:
        assert [] == differences(returned, replayed)
    assert 0 == run("check", recordings).exit_code


@pytest.mark.parametrize("value", ["null", "a number", "a string", "an object"])
@pytest.mark.parametrize("name", ["chat", "responses"])
def test_what_a_mock_returns_for_a_stream_replays_as_it_is(
    value: str, name: str, sdk: Colour, recordings: Path
) -> None:
    """A mock that returns `None` whatever it is asked for made a stream of it in replay."""
    method, kwargs = METHODS[name]
    returned = RETURNED_BY_A_MOCK[value]
    with mocked(sdk, method, returned), inference_recording("record", recordings):
        assert returned is sdk.call(method, **kwargs, stream=True)
    with inference_recording("replay", recordings):
        replayed = sdk.call(method, **kwargs, stream=True)

    assert [] == differences(returned, replayed)


@pytest.mark.parametrize("value", ["null", "a number", "a string", "an object", "a list of objects"])
def test_what_a_mock_returned_is_the_json_of_a_raw_response(value: str, sdk: Colour, recordings: Path) -> None:
    """A framework asks raw what the mocked call was asked for plainly."""
    returned = RETURNED_BY_A_MOCK[value]
    with mocked(sdk, "chat.completions.create", returned), inference_recording("record", recordings):
        sdk.call("chat.completions.create", **HELLO)
    with inference_recording("replay", recordings):
        raw = sdk.call("chat.completions.with_raw_response.create", **HELLO)

    assert returned == json.loads(raw.content)


@pytest.mark.parametrize("value", ["null", "a number", "a string", "a list of objects"])
def test_a_mocks_chunk_that_is_not_an_object_replays_as_it_is(value: str, sdk: Colour, recordings: Path) -> None:
    """Even a mock's `None` among chunks is what the code under test met."""
    items = [ChatCompletionChunk.model_validate(chunk({"content": "a"})), RETURNED_BY_A_MOCK[value]]

    async def arriving() -> Any:
        for item in items:
            yield item

    returned = arriving() if sdk.is_async else items
    with mocked(sdk, "chat.completions.create", returned), inference_recording("record", recordings):
        live = sdk.items(sdk.call("chat.completions.create", **HELLO, stream=True))
    with inference_recording("replay", recordings):
        replayed = sdk.items(sdk.call("chat.completions.create", **HELLO, stream=True))

    assert items[1] == live[1]
    assert type(items[0]) is type(replayed[0])
    if value != "a list of objects":  # of which the SDK makes a list of chunks
        assert [] == differences(live[1], replayed[1])


@pytest.mark.parametrize("is_raw", [False, True], ids=["recorded plain", "recorded raw"])
@pytest.mark.parametrize("content", [b"null", b"7", b'"text"', b"[]", b'[{"id": "x"}]', b"true"])
def test_json_of_a_server_that_is_not_an_object_replays_as_live(
    content: bytes, is_raw: bool, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Half-compatible servers send it, and the SDK hands it out."""
    server.answers("/v1/chat/completions", Reply(content=content))
    live = sdk.call("chat.completions.create", **HELLO)
    with inference_recording("record", recordings):
        if is_raw:
            sdk.call("chat.completions.with_raw_response.create", **HELLO)
        else:
            sdk.call("chat.completions.create", **HELLO)
    with inference_recording("replay", recordings):
        replayed = sdk.call("chat.completions.create", **HELLO)
        raw = sdk.call("chat.completions.with_raw_response.create", **HELLO)

    assert [] == differences(live, replayed)
    assert json.loads(content) == json.loads(raw.content)
    assert 0 == run("check", recordings).exit_code


def test_a_request_without_a_body_in_its_answer_replays_and_a_body_without_a_type_does_not(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A deletion is answered by 204 and nothing: there, and only there, null is the answer."""
    server.answers("/v1/things", Reply(content=b"", status=204))

    def ask() -> Any:
        return sdk.call("post", "/things", cast_to=type(None), body={"a": 1})

    with inference_recording("record", recordings):
        live = ask()
    [path] = recordings.glob("*.json")
    with inference_recording("replay", recordings):
        assert live is ask() is None
    for body in (7, "text", {"id": "x"}):
        put(path, body)
        with inference_recording("replay", recordings), pytest.raises(CorruptRecording, match="with __type__"):
            ask()


class mocked:  # noqa: N801
    """Has the method below a resource's method return this value in the block."""

    def __init__(self, sdk: Colour, method: str, value: Any) -> None:
        self.resource = sdk.client
        for part in method.split(".")[:-1]:
            self.resource = getattr(self.resource, part)
        self.mock: Callable[..., Any] = AsyncMock(return_value=value) if sdk.is_async else Mock(return_value=value)

    def __enter__(self) -> None:
        self.original = self.resource._post
        self.resource._post = self.mock

    def __exit__(self, *error: object) -> None:
        self.resource._post = self.original
