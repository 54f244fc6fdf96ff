"""Clients of every kind, and their own `get`, `post` and the like."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Dict, List

import openai
import pytest

from inference_recorder import inference_recording
from inference_recorder.sdk.http import library_of

from ...conftest import HELLO, Colour
from ...support.differences import differences
from ...support.openai_server import OpenAIServer
from .watching import Use, Way, calling, check, parsed, stable, used


class Odd(openai.BaseModel):
    """An answer of a server that speaks more than OpenAI's API."""

    method: str
    query: str
    body: object = None


def posting(**options: Any) -> Use:
    return calling("post", "/odd", cast_to=Odd, body={"a": 1}, **({"options": options} if options else {}))


def with_http_response(sdk: Colour) -> Any:
    answer = sdk.call("get", "/odd", cast_to=library_of(sdk.client).Response)
    return [answer.status_code, parsed(sdk.wait(answer.aread()) if sdk.is_async else answer.read())]


def streamed_by_post(sdk: Colour) -> Any:
    kind: Any = openai.AsyncStream if sdk.is_async else openai.Stream
    return sdk.items(sdk.call("post", "/odd/stream", cast_to=object, body={}, stream=True, stream_cls=kind[object]))


def failing_by_post(sdk: Colour) -> Any:
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.call("post", "/odd/wrong", cast_to=object, body={})
    return [str(caught.value), caught.value.code, caught.value.body, caught.value.request_id]


def embedding_as_litellm_does(sdk: Colour) -> Any:
    raw = sdk.call("embeddings.with_raw_response.create", model="m", input=["a"], timeout=5)
    answer = sdk.call(
        "post",
        "/embeddings",
        cast_to=openai.types.CreateEmbeddingResponse,
        body={"model": "m", "input": ["b"], "encoding_format": "float"},
    )
    return [dict(raw.headers)["content-type"], raw.parse(), answer]


def with_odd_options(sdk: Colour) -> Any:
    client = sdk.client.with_options(max_retries=1, timeout=7).copy(default_headers={"X-Own": "1"})
    return sdk.wait(client.chat.completions.create(**HELLO))


def with_default_query(sdk: Colour) -> Any:
    client = sdk.client.copy(default_query={"version": "7"})
    return [sdk.wait(client.chat.completions.create(**HELLO)), sdk.wait(client.post("/odd", cast_to=Odd, body={}))]


def absolute(sdk: Colour) -> Any:
    return sdk.call("get", f"{str(sdk.client.base_url).rstrip('/')}/odd?x=1", cast_to=Odd)


DIRECT: dict[str, Way] = {
    "get": Way(calling("get", "/odd", cast_to=Odd)),
    "get with a query in the path": Way(calling("get", "/odd?x=1&y=2", cast_to=Odd)),
    "get with params": Way(calling("get", "/odd", cast_to=Odd, options={"params": {"x": 1}})),
    "get without a slash": Way(calling("get", "odd", cast_to=Odd)),
    "get of an absolute url": Way(absolute),
    "post": Way(posting()),
    "post with options": Way(posting(headers={"X-Own": "1"}, timeout=5, max_retries=1)),
    "post with an extra body": Way(posting(extra_json={"b": 2})),
    "put": Way(calling("put", "/odd", cast_to=Odd, body={"a": 1})),
    "patch": Way(calling("patch", "/odd", cast_to=Odd, body={"a": 1})),
    "delete": Way(calling("delete", "/odd", cast_to=Odd)),
    "get of an object": Way(calling("get", "/odd", cast_to=object)),
    "get of a dict": Way(calling("get", "/odd", cast_to=Dict[str, object])),
    "get of a list": Way(calling("get", "/odd/list", cast_to=List[object])),
    "get of a str": Way(calling("get", "/odd/text", cast_to=str)),
    "get of an int": Way(calling("get", "/odd/number", cast_to=int)),
    "get of nothing": Way(calling("get", "/odd/nothing", cast_to=type(None))),
    "get of null": Way(calling("get", "/odd/null", cast_to=object)),
    "get of an HTTP response": Way(with_http_response),
    "post that streams": Way(streamed_by_post),
    "post that fails": Way(failing_by_post),
    "embeddings as litellm calls them": Way(embedding_as_litellm_does, requests=2),
    "extra_body": Way(calling("chat.completions.create", **HELLO, extra_body={"top_k": 5})),
    "extra_query": Way(calling("chat.completions.create", **HELLO, extra_query={"beta": "yes"})),
    "extra_headers": Way(calling("chat.completions.create", **HELLO, extra_headers={"X-Own": "1"})),
    "with_options and copy": Way(with_odd_options),
    "default_query": Way(with_default_query, requests=2),
}


@pytest.mark.parametrize("way", DIRECT.values(), ids=DIRECT)
def test_what_a_client_is_asked_directly_replays(way: Way, sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """litellm's embeddings, and every endpoint that the SDK has no method for yet, are calls of `post`."""
    check(way, sdk, server, recordings)


@pytest.mark.parametrize(
    ("first", "second", "recordings_made"),
    [
        ({"extra_body": {"top_k": 1}}, {"extra_body": {"top_k": 2}}, 2),
        ({"extra_query": {"v": "1"}}, {"extra_query": {"v": "2"}}, 2),
        ({"extra_headers": {"X-Own": "1"}}, {"extra_headers": {"X-Own": "2"}}, 1),
        ({"timeout": 1}, {"timeout": 2}, 1),
    ],
    ids=["extra_body", "extra_query", "extra_headers", "timeout"],
)
@pytest.mark.parametrize("way", ["plain", "raw", "post"])
def test_what_is_asked_tells_recordings_apart_and_how_it_is_asked_does_not(
    way: str, first: Any, second: Any, recordings_made: int, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Two targets that describe one request differently would each miss what the other recorded."""

    def ask(**extra: Any) -> None:
        if way == "plain":
            sdk.call("chat.completions.create", **HELLO, **extra)
        elif way == "raw":
            sdk.call("chat.completions.with_raw_response.create", **HELLO, **extra)
        else:
            names = {"extra_body": "extra_json", "extra_query": "params", "extra_headers": "headers"}
            options = {names.get(name, name): value for name, value in extra.items()}
            sdk.call("post", "/chat/completions", cast_to=object, body=HELLO, options=options)

    with inference_recording("record", recordings) as session:
        ask(**first)
        ask(**second)

    assert recordings_made == len({call.key for call in session.recorded})
    assert 2 == server.count
    with inference_recording("replay", recordings):
        sdk.call("chat.completions.create", **HELLO, **second)
        sdk.call("chat.completions.with_raw_response.create", **HELLO, **second)


class OurClient(openai.OpenAI):
    """A subclass that changes how it asks."""

    def request(self, *args: Any, **kwargs: Any) -> Any:
        return super().request(*args, **kwargs)

    def post(self, *args: Any, **kwargs: Any) -> Any:
        return super().post(*args, **kwargs)


class OurAsyncClient(openai.AsyncOpenAI):
    """The same, awaited."""

    async def request(self, *args: Any, **kwargs: Any) -> Any:
        return await super().request(*args, **kwargs)

    async def post(self, *args: Any, **kwargs: Any) -> Any:
        return await super().post(*args, **kwargs)


def everything(sdk: Colour) -> list[Any]:
    """Use one way of each kind."""
    return [
        sdk.call("chat.completions.create", **HELLO),
        sdk.items(sdk.call("chat.completions.create", **HELLO, stream=True)),
        sdk.call("chat.completions.with_raw_response.create", **HELLO | {"temperature": 0.5}).parse(),
        sdk.items(sdk.client.files.list()),
        sdk.call("files.create", file=("a.txt", b"abc"), purpose="assistants"),
        sdk.call("post", "/odd", cast_to=Odd, body={"a": 1}),
    ]


REQUESTS_FOR_EVERYTHING = 8


def test_a_subclass_of_a_client_replays(
    sdk: Colour, with_client: Callable[[Any], Colour], server: OpenAIServer, recordings: Path
) -> None:
    """Companies wrap the client to add their own headers and metrics."""
    kind: Any = OurAsyncClient if sdk.is_async else OurClient
    ours = with_client(kind(base_url=server.base_url, api_key="sk-test", max_retries=0))
    check(Way(everything, requests=REQUESTS_FOR_EVERYTHING), ours, server, recordings)


def test_a_custom_transport_replays_without_being_asked(
    sdk: Colour, with_client: Callable[[Any], Colour], server: OpenAIServer, recordings: Path
) -> None:
    """Proxies and tests put a transport of their own below the client."""
    asked: list[str] = []
    library = library_of(sdk.client)
    inner = library.AsyncHTTPTransport() if sdk.is_async else library.HTTPTransport()

    class Transport(library.BaseTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            asked.append(request.url.path)
            return inner.handle_request(request)

        def close(self) -> None:
            inner.close()

    class AsyncTransport(library.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            asked.append(request.url.path)
            return await inner.handle_async_request(request)

        async def aclose(self) -> None:
            await inner.aclose()

    http_client = (
        library.AsyncClient(transport=AsyncTransport()) if sdk.is_async else library.Client(transport=Transport())
    )
    ours = with_client(type(sdk.client)(base_url=server.base_url, api_key="x", max_retries=0, http_client=http_client))
    check(Way(everything, requests=REQUESTS_FOR_EVERYTHING), ours, server, recordings)

    assert len(asked) == 2 * REQUESTS_FOR_EVERYTHING


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_legacy_http_client_replays(
    sdk: Colour, with_client: Callable[[Any], Colour], server: OpenAIServer, recordings: Path
) -> None:
    """openai 3 is on httpx2 and still takes an httpx client from those who have one."""
    httpx = pytest.importorskip("httpx")
    http_client = httpx.AsyncClient() if sdk.is_async else httpx.Client()
    ours = with_client(type(sdk.client)(base_url=server.base_url, api_key="x", max_retries=0, http_client=http_client))
    check(Way(everything, requests=REQUESTS_FOR_EVERYTHING), ours, server, recordings)
    with inference_recording("replay", recordings):
        raw = ours.call("chat.completions.with_raw_response.create", **HELLO)

    assert type(raw.http_response) is httpx.Response


def test_a_key_provider_is_not_called_in_replay(
    sdk: Colour, with_client: Callable[[Any], Colour], server: OpenAIServer, recordings: Path
) -> None:
    """In CI there is no identity to get a key with."""
    called: list[int] = []

    def provide() -> str:
        called.append(1)
        return "sk-fresh"

    async def provide_async() -> str:
        return provide()

    if not hasattr(sdk.client, "_refresh_api_key"):
        pytest.skip(f"openai {openai.__version__} takes no key provider")
    provider: Any = provide_async if sdk.is_async else provide
    client = type(sdk.client)(base_url=server.base_url, api_key=provider, max_retries=0)
    ours = with_client(client)
    with inference_recording("record", recordings):
        recorded = used(everything, ours, server)
    assert {"Bearer sk-fresh"} == {asked.headers["authorization"] for asked in server.received}
    called.clear()
    server.received.clear()
    with inference_recording("replay", recordings):
        replayed = everything(ours)

    assert [] == called
    assert 0 == server.count
    assert [] == differences(stable(recorded), stable(replayed))


@pytest.fixture
def module_client(
    server: OpenAIServer, monkeypatch: pytest.MonkeyPatch, colours: dict[type[Colour], Colour]
) -> Iterator[Colour]:
    monkeypatch.setattr(openai, "base_url", f"{server.base_url}/")  # as its documentation wants it
    monkeypatch.setattr(openai, "api_key", "sk-test")
    monkeypatch.setattr(openai, "max_retries", 0)
    openai._reset_client()
    yield colours[Colour]
    client: Any = openai._client if hasattr(openai, "_client") else None
    if isinstance(client, openai.OpenAI):
        client.close()
    openai._reset_client()


def test_the_module_level_client_replays(module_client: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Scripts and older tutorials call `openai.chat.completions.create` without a client."""
    module: Any = openai

    def use(sdk: Colour) -> list[Any]:
        return [
            module.chat.completions.create(**HELLO),
            list(module.chat.completions.create(**HELLO, stream=True)),
            module.chat.completions.with_raw_response.create(**HELLO | {"temperature": 0.5}).parse(),
            list(module.files.list()),
            module.embeddings.create(model="m", input="a"),
            module.models.list().data,
        ]

    check(Way(use, requests=8), module_client, server, recordings)


Azure = Callable[..., Colour]


@pytest.fixture
def azure(sdk: Colour, with_client: Callable[[Any], Colour], server: OpenAIServer) -> Azure:
    """Makes callers of Azure clients at the server."""

    def made(**options: Any) -> Colour:
        kind: Any = openai.AsyncAzureOpenAI if sdk.is_async else openai.AzureOpenAI
        here = server.base_url.removesuffix("/v1")
        options = {"azure_endpoint": here, "api_version": "2024-10-21", "api_key": "az"} | options
        return with_client(kind(max_retries=0, **options))

    return made


def azure_calls(sdk: Colour) -> list[Any]:
    return [
        sdk.call("chat.completions.create", **HELLO),
        sdk.items(sdk.call("chat.completions.create", **HELLO, stream=True)),
        sdk.call("chat.completions.with_raw_response.create", **HELLO | {"temperature": 0.5}).parse(),
        sdk.call("models.list"),
        sdk.items(sdk.client.files.list()),
    ]


@pytest.mark.parametrize("deployment", [None, "named"], ids=["deployment by model", "named deployment"])
def test_an_azure_client_replays_at_any_other_endpoint_of_the_same_path(
    deployment: str | None, azure: Azure, server: OpenAIServer, recordings: Path
) -> None:
    """Each developer has an Azure resource of their own; the recordings are everybody's."""
    here = azure(azure_deployment=deployment)
    check(Way(azure_calls_without_models, requests=6), here, server, recordings / "checked")
    with inference_recording("record", recordings):
        recorded = used(azure_calls, here, server)
    server.received.clear()
    elsewhere = azure(azure_endpoint="https://elsewhere.openai.azure.com", azure_deployment=deployment, api_key="b")
    with inference_recording("replay", recordings):
        replayed = azure_calls(elsewhere)

    assert 0 == server.count
    assert [] == differences(stable(recorded[0]), stable(replayed[0]))
    assert [[], []] == [
        differences(stable(one), stable(other)) for one, other in zip(recorded[1:3], replayed[1:3], strict=True)
    ]
    assert [] == differences(recorded[3].data, replayed[3].data)
    assert [] == differences(recorded[4], replayed[4])


def azure_calls_without_models(sdk: Colour) -> list[Any]:
    calls = azure_calls(sdk)
    return [*calls[:3], calls[3].data, calls[4]]


def test_an_azure_token_provider_is_not_called_in_replay(
    azure: Azure, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A token costs a request to another server."""
    called: list[int] = []

    def provide() -> str:
        called.append(1)
        return "token"

    here = azure(azure_ad_token_provider=provide, api_key=None)
    with inference_recording("record", recordings):
        used(azure_calls, here, server)
    assert called
    called.clear()
    with inference_recording("replay", recordings):
        azure_calls(here)

    assert [] == called


def test_a_client_made_and_used_within_the_context_replays(
    sdk: Colour, with_client: Callable[[Any], Colour], server: OpenAIServer, recordings: Path
) -> None:
    """Most code under test makes its client itself."""

    def use(sdk: Colour) -> list[Any]:
        client = type(sdk.client)(base_url=server.base_url, api_key="sk-test", max_retries=0)
        return everything(with_client(client))

    check(Way(use, requests=REQUESTS_FOR_EVERYTHING), sdk, server, recordings)


async def test_many_async_calls_at_once_replay_each_its_own(server: OpenAIServer, recordings: Path) -> None:
    """`gather` is how apps use the async client; a context left behind by one call must not serve another."""

    async def ask(client: Any) -> list[Any]:
        return await asyncio.gather(
            *(client.chat.completions.with_raw_response.create(model="gpt-4o", messages=_saying(n)) for n in range(5)),
            *(client.chat.completions.create(model="gpt-4o", messages=_saying(n)) for n in range(5, 10)),
            *(client.post("/odd", cast_to=Odd, body={"n": n}) for n in range(5)),
        )

    contents = []
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="sk-test", max_retries=0) as client:
        for mode in ("record", "replay"):
            with inference_recording(mode, recordings) as session:
                answers = await ask(client)
            assert 15 == sum(session.counts.values())
            contents.append([_content(answer) for answer in answers])

    assert contents[0] == contents[1]
    assert [f"You said: {n}" for n in range(10)] == contents[0][:10]
    assert 15 == server.count


def _saying(number: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": str(number)}]


def _content(answer: Any) -> Any:
    answer = answer.parse() if hasattr(answer, "parse") else answer
    return answer.body if isinstance(answer, Odd) else answer.choices[0].message.content
