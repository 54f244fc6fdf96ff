"""One request has one key, however it is made: that of the body that goes over the wire."""

from __future__ import annotations

import enum
import importlib.util
import json
from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import openai
import pydantic
import pytest
from openai._utils import maybe_transform
from openai.types.chat import ChatCompletion, ChatCompletionMessage, CompletionCreateParams, ParsedChatCompletionMessage
from openai.types.responses import ParsedResponseOutputMessage, ParsedResponseOutputText, Response

from inference_recorder import inference_recording
from inference_recorder.redaction.requests import recorded_request
from inference_recorder.request.exact_body import exact_body
from inference_recorder.request.keys import request_key
from inference_recorder.sdk.internals import constructed
from inference_recorder.sdk.methods import Method

from ...conftest import HELLO, AsyncColour, Colour, files_of
from ...support.example_calls import ROWS, case, is_installed, plain_calls
from ...support.openai_server import OpenAIServer, Reply, completion, response
from .watching import entered

TEST = "tests/test_a.py::test_b"
OMIT = openai._types.Omit()
_SENT: Any = maybe_transform({"messages": [{"role": "user", "name": openai.NOT_GIVEN}]}, CompletionCreateParams)
NESTED = {"strict": openai.NOT_GIVEN} if _SENT == {"messages": [{"role": "user"}]} else {}
"""A mark of "not given" within an argument, which the oldest SDKs refuse to send."""


class City(pydantic.BaseModel):
    """What a model was asked to answer with."""

    name: str
    country_code: str = pydantic.Field(default="", alias="countryCode")


CITY: Any = City(name="Lisbon", countryCode="PT")
if importlib.util.find_spec("openai._utils._json") is None:  # the oldest SDKs send no model there
    CITY = CITY.model_dump(by_alias=True)


class Model(str, enum.Enum):
    """How some applications spell their models."""

    BIG = "gpt-4o"


def _answered() -> ChatCompletionMessage:
    return ChatCompletion.model_validate(completion("Lisbon")).choices[0].message


def _parsed() -> Any:
    parsed: Any = ParsedChatCompletionMessage
    return parsed[City](role="assistant", content='{"name": "Lisbon"}', parsed=City(name="Lisbon", countryCode="PT"))


def _parsed_output() -> Any:
    message: Any = ParsedResponseOutputMessage
    text: Any = ParsedResponseOutputText
    parsed_text = text[City](type="output_text", text="{}", annotations=[], parsed=City(name="Lisbon"))
    return message[City](type="message", id="msg_1", role="assistant", status="completed", content=[parsed_text])


def _messages(*messages: Any) -> Iterator[Any]:
    yield {"role": "user", "content": "Where?"}
    yield from messages


def _chat(**more: Any) -> dict[str, Any]:
    return HELLO | more


CALLS: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    name: (method, partial(dict, arguments)) for name, (method, arguments) in plain_calls().items()
} | {  # odd ones take the place of some plain ones
    "chat, streamed": ("chat.completions.create", lambda: _chat(stream=True, stream_options={"include_usage": True})),
    "chat, everything odd": (
        "chat.completions.create",
        lambda: {
            "model": Model.BIG,
            "messages": _messages(_answered(), {"role": "user", "content": ({"type": "text", "text": "score: 1"},)}),
            "logit_bias": {9: 1, 10: -1, 100: 2},
            "temperature": 0.1234567890123456789,
            "top_p": 1e-17,
            "stop": None,
            "seed": openai.NOT_GIVEN,
            "metadata": {"a": "é\u2028"},
            "tools": (
                tool
                for tool in [
                    {
                        "type": "function",
                        "function": {"name": "f", **NESTED, "parameters": {"1": True}},
                    }
                ]
            ),
            "timeout": 30,
            "extra_headers": {"x-trace": "1"},
            "extra_body": {"top_k": 4, "temperature": 0.5, "seed": OMIT, "city": CITY},
            "extra_query": {"beta": "yes", "gone": OMIT},
        },
    ),
    "chat, an argument taken back": ("chat.completions.create", lambda: _chat(seed=1, extra_body={"seed": OMIT})),
    "chat, nothing extra": ("chat.completions.create", lambda: _chat(extra_body={}, extra_query={})),
    "chat, None as extra": ("chat.completions.create", lambda: _chat(extra_body=None, extra_query=None)),
    "chat, misleading names": (
        "chat.completions.create",
        lambda: _chat(extra_body={"extra_query": {"a": 1}, "extra_body": {"b": 1}, "json": 1}),
    ),
    "chat, a parsed message": ("chat.completions.create", lambda: _chat(messages=[_parsed()])),
    "completions": ("completions.create", lambda: {"model": "m", "prompt": (x for x in "ab"), "logit_bias": {5: 1}}),
    "completions, streamed": ("completions.create", lambda: {"model": "m", "prompt": "a", "stream": True}),
    "embeddings": ("embeddings.create", lambda: {"model": "m", "input": (x for x in ["a", "b"])}),
    "embeddings, tokens": ("embeddings.create", lambda: {"model": "m", "input": (range(n) for n in (2, 3))}),
    "embeddings as floats": ("embeddings.create", lambda: {"model": "m", "input": "a", "encoding_format": "float"}),
    "embeddings in base64": ("embeddings.create", lambda: {"model": "m", "input": "a", "encoding_format": "base64"}),
    "responses": (
        "responses.create",
        lambda: {"model": "m", "input": [*constructed(Response, response()).output, _parsed_output()]},
    ),
    "responses, streamed": ("responses.create", lambda: {"model": "m", "input": "Hi", "stream": True}),
    "moderations": ("moderations.create", lambda: {"input": [{"type": "text", "text": "a"}], "model": "m"}),
    "images": ("images.generate", lambda: {"prompt": "a", "n": 1, "extra_body": {"seed": 2**70}}),
    "models": ("models.list", lambda: {"extra_query": {"limit": 2}}),
}
EACH_CALL = [case(method, name) for name, (method, _) in CALLS.items()]


def by_the_method(sdk: Colour, method: Method, kwargs: dict[str, Any], kept: Any, sent: Sent) -> None:
    _consumed(sdk, sdk.wait(attrgetter(method.name)(sdk.client)(**kwargs)))


def by_its_raw_wrapper(sdk: Colour, method: Method, kwargs: dict[str, Any], kept: Any, sent: Sent) -> None:
    owner, _, name = method.name.rpartition(".")
    raw = sdk.wait(getattr(attrgetter(owner)(sdk.client).with_raw_response, name)(**kwargs))
    _consumed(sdk, sdk.wait(raw.parse()))


def by_its_streaming_wrapper(sdk: Colour, method: Method, kwargs: dict[str, Any], kept: Any, sent: Sent) -> None:
    owner, _, name = method.name.rpartition(".")
    with entered(sdk, getattr(attrgetter(owner)(sdk.client).with_streaming_response, name)(**kwargs)) as answer:
        sdk.items(answer.iter_bytes())


def by_a_method_kept_from_before(sdk: Colour, method: Method, kwargs: dict[str, Any], kept: Any, sent: Sent) -> None:
    _consumed(sdk, sdk.wait(kept(**kwargs)))


def by_a_client_request(sdk: Colour, method: Method, kwargs: dict[str, Any], kept: Any, sent: Sent) -> None:
    path, options = method.endpoint.removeprefix("/v1"), {"params": sent.query}
    if method.is_list:
        sdk.call("get", path, cast_to=object, options=options)
        return
    stream_cls: Any = openai.AsyncStream if sdk.is_async else openai.Stream
    as_stream = {"stream": True, "stream_cls": stream_cls[method.chunk_type]} if sent.body.get("stream") else {}
    _consumed(sdk, sdk.call("post", path, cast_to=object, body=sent.body, options=options, **as_stream))


WAYS = (
    by_the_method,
    by_its_raw_wrapper,
    by_its_streaming_wrapper,
    by_a_method_kept_from_before,
    by_a_client_request,
)


class Sent:
    """What the server saw of a call, without what the SDK adds to it."""

    def __init__(self, server: OpenAIServer, method: Method, kwargs: dict[str, Any]) -> None:
        asked = server.received[-1]
        self.body: dict[str, Any] = asked.json if asked.content else {}
        self.query = dict(parse_qsl(asked.query))
        if method.name == "embeddings.create" and "encoding_format" not in kwargs:
            assert "base64" == self.body.pop("encoding_format")


def _consumed(sdk: Colour, result: Any) -> None:
    if hasattr(result, "__aiter__") or hasattr(result, "__next__"):
        sdk.items(result)


def as_json(value: Any) -> Any:
    """Return a value as JSON has it; what the query holds is all text."""
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("name", EACH_CALL)
def test_the_exact_body_is_what_goes_over_the_wire(
    name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """What the key leaves out, two requests may differ in; what it adds, no server can tell."""
    method, make = ROWS[CALLS[name][0]], CALLS[name][1]

    with inference_recording("record", recordings, test_id=TEST):
        by_the_method(sdk, method, make(), None, Any)  # type: ignore[arg-type]
    sent = Sent(server, method, make())

    [file] = files_of(recordings)
    document = json.loads((recordings / file).read_text())
    exact = exact_body(document["request"]["body"])
    query = exact.pop("extra_query", {})
    exact = exact["json"] if name == "chat, misleading names" else exact
    assert sent.body == exact
    assert sent.query == query
    assert file.removeprefix("models-").startswith(request_key(recorded_request(document["request"]), TEST))


@pytest.mark.parametrize("name", EACH_CALL)
@pytest.mark.parametrize("recorded_by", WAYS)
def test_each_way_of_making_a_request_replays_what_any_other_recorded(
    recorded_by: Callable[..., None], name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Adding `with_raw_response` to see a header must not cost a recording."""
    method, make = ROWS[CALLS[name][0]], CALLS[name][1]
    kept = attrgetter(method.name)(sdk.client)
    by_the_method(sdk, method, make(), kept, Any)  # type: ignore[arg-type]
    sent = Sent(server, method, make())
    with inference_recording("record", recordings, test_id=TEST) as recording:
        recorded_by(sdk, method, make(), kept, sent)
    before = server.count

    outcomes = {}
    for way in WAYS:
        with inference_recording("replay", recordings, test_id=TEST) as session:
            way(sdk, method, make(), kept, sent)
        outcomes[way.__name__] = dict(session.counts)

    assert {"recorded": 1} == recording.counts
    assert {way.__name__: {"replayed": 1} for way in WAYS} == outcomes
    assert before == server.count


def test_every_series_of_the_table_is_tried() -> None:
    """A row that is added later has to show its wire too."""
    assert set(ROWS) == {name for name, _ in CALLS.values()}


CLIENTS: dict[str, tuple[dict[str, Any], str]] = {
    "a base url with a path": ({"base_url": "{root}/gateway/openai/v1"}, "/gateway/openai/v1/chat/completions"),
    "Azure": ({"azure_endpoint": "{root}"}, "/openai/deployments/gpt-4o/chat/completions"),
    "Azure with a deployment": (
        {"azure_endpoint": "{root}", "azure_deployment": "mine"},
        "/openai/deployments/mine/chat/completions",
    ),
}


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("kind", CLIENTS)
def test_other_clients_have_one_key_too(kind: str, is_async: bool, server: OpenAIServer, recordings: Path) -> None:
    """Their urls differ from the plain client's, each way of calling has the same."""
    options, path = CLIENTS[kind]
    server.answers(path, Reply(completion()))
    given = {name: value.format(root=server.base_url.removesuffix("/v1")) for name, value in options.items()}
    sdk = _caller(given, is_async=is_async)
    method, call = ROWS["chat.completions.create"], _chat(extra_body={"top_k": 1})
    kept = attrgetter(method.name)(sdk.client)
    by_the_method(sdk, method, call, kept, Any)  # type: ignore[arg-type]
    sent = Sent(server, method, call)
    sent.query.pop("api-version", None)

    outcomes = []
    for number, recorded_by in enumerate(WAYS):
        directory = recordings / str(number)
        with inference_recording("record", directory, test_id=TEST):
            recorded_by(sdk, method, call, kept, sent)
        with inference_recording("replay", directory, test_id=TEST) as session:
            for way in WAYS:
                way(sdk, method, call, kept, sent)
        outcomes.append((files_of(directory), dict(session.counts)))
    sdk.close()

    assert [(outcomes[0][0], {"replayed": len(WAYS)})] * len(WAYS) == outcomes
    assert call | {"top_k": 1} == {**sent.body, "extra_body": {"top_k": 1}}


def _caller(options: dict[str, Any], *, is_async: bool) -> Colour:
    kind = AsyncColour if is_async else Colour
    if "azure_endpoint" not in options:
        return kind(**options)
    made = kind("http://127.0.0.1")
    azure: Any = openai.AsyncAzureOpenAI if is_async else openai.AzureOpenAI
    made.wait(made.client.close())
    made.client = azure(**options, api_key="sk-test", api_version="2024-10-21", max_retries=0)
    return made


def test_base64_that_a_caller_asks_for_is_another_request(sdk: Colour, recordings: Path) -> None:
    """`embeddings.create` asks for it in silence and decodes it; `post` and the argument want the text itself."""
    method = sdk.client.embeddings.create
    asked = {"model": "m", "input": "a"}
    explicit = asked | {"encoding_format": "base64"}
    with inference_recording("record", recordings, test_id=TEST) as session:
        sdk.call("embeddings.create", **asked)
        sdk.wait(method(**asked))
        sdk.call("post", "/embeddings", cast_to=object, body=asked)
        sdk.call("embeddings.create", **explicit)
        sdk.wait(method(**explicit))
        sdk.call("post", "/embeddings", cast_to=object, body=explicit)

    keys = [call.key for call in session.recorded]
    assert [keys[0]] * 3 + [keys[3]] * 3 == keys
    assert keys[0] != keys[3]


def test_no_argument_has_another_name_on_the_wire() -> None:
    """Plain JSON is not handed to the SDK before its key is made; an alias would be sent, and not be in the key."""
    from openai._utils._transform import PropertyInfo
    from typing_extensions import get_args, get_type_hints, is_typeddict

    from inference_recorder.sdk.methods import _type_named

    seen: set[Any] = set()
    renamed: list[str] = []

    def look(kind: Any, where: str) -> None:
        for part in (*get_args(kind), *getattr(kind, "__metadata__", ())):
            if isinstance(part, PropertyInfo):
                renamed.extend([where] if part.alias or part.format else [])
            else:
                look(part, where)
        if isinstance(kind, type) and is_typeddict(kind) and kind not in seen:
            seen.add(kind)
            for name, hint in get_type_hints(kind, include_extras=True).items():
                look(hint, f"{kind.__name__}.{name}")

    for name, method in ROWS.items():
        if method.params and is_installed(name):
            look(_type_named(method.params), name)

    assert len(seen) > 50
    assert [] == renamed
