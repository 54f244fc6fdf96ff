"""Lists of models that a mock answers with: what its consumer gets live, recorded and replayed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from openai.pagination import AsyncPage, SyncPage
from openai.resources.models import AsyncModels, Models
from openai.types import Model

from inference_recorder import inference_recording

from ...conftest import AsyncColour, Colour
from ...support.differences import differences
from ...support.openai_server import OpenAIServer


def models(count: int) -> list[Model]:
    return [Model(id=f"m{number}", object="model", created=number, owned_by="us") for number in range(count)]


def generator(count: int) -> Iterator[Model]:
    yield from models(count)


async def async_generator(count: int) -> AsyncIterator[Model]:
    for model in models(count):
        yield model


async def awaited_page(count: int) -> Any:
    return AsyncPage[Model].construct(data=models(count), object="list")


async def awaited_list(count: int) -> Any:
    return models(count)


class Iterable:
    """Can be iterated again and again, in either colour."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __iter__(self) -> Iterator[Model]:
        return generator(self._count)

    def __aiter__(self) -> AsyncIterator[Model]:
        return async_generator(self._count)


class AsyncIteratorOfOurOwn:
    """An async iterator without the methods of a generator."""

    def __init__(self, count: int) -> None:
        self._left = models(count)

    def __aiter__(self) -> AsyncIteratorOfOurOwn:
        return self

    async def __anext__(self) -> Model:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop(0)


class AwaitableAndIterable(Iterable):
    """Like the SDK's own paginator."""

    def __await__(self) -> Any:
        return awaited_list(self._count).__await__()


SYNC: dict[str, Callable[[int], Any]] = {
    "generator": generator,
    "iterator": lambda count: iter(models(count)),
    "map": lambda count: map(Model.model_copy, models(count)),
    "list": models,
    "tuple": lambda count: tuple(models(count)),
    "iterable": Iterable,
    "page": lambda count: SyncPage[Model].construct(data=models(count), object="list"),
}
ITERATED: dict[str, Callable[[int], Any]] = {
    "async generator": async_generator,
    "async iterator": AsyncIteratorOfOurOwn,
    "async iterable": Iterable,
    "awaitable and iterable": AwaitableAndIterable,
}
AWAITED: dict[str, Callable[[int], Any]] = {
    "coroutine of a page": awaited_page,
    "coroutine of a list": awaited_list,
    "awaitable and iterable": AwaitableAndIterable,
}


CASES = [
    *(pytest.param(Colour, kind, id=f"sync, {kind}") for kind in SYNC),
    *(pytest.param(AsyncColour, kind, id=f"async, {kind}") for kind in ITERATED),
    *(pytest.param(AsyncColour, f"await {kind}", id=f"async, await {kind}") for kind in AWAITED),
]


@pytest.mark.parametrize("position", ["method", "_get_api_list"])
@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize(("make_sdk", "kind"), CASES, indirect=["make_sdk"])
def test_a_list_that_a_mock_answers_with_can_be_recorded(
    kind: str, count: int, position: str, make_sdk: Callable[[], Colour], server: OpenAIServer, recordings: Path
) -> None:
    """Suites record what their fakes answer, and the code under test walks the list while they do."""
    sdk = make_sdk()
    made = (SYNC | ITERATED | AWAITED)[kind.removeprefix("await ")]

    def listed() -> list[Model]:
        result = sdk.client.models.list()
        return list(sdk.wait(result)) if kind in SYNC else awaited(result) if "await " in kind else sdk.items(result)

    def awaited(result: Awaitable[Any]) -> list[Model]:
        page = sdk.wait(result)
        return list(getattr(page, "data", page))

    owner: Any = type(sdk.client.models) if position == "method" else sdk.client.models
    name = "list" if position == "method" else position
    assert position != "method" or owner in (Models, AsyncModels)
    with mock.patch.object(owner, name, side_effect=lambda *args, **kwargs: made(count)):
        live = listed()
        with inference_recording("record", recordings) as session:
            recorded = listed()
    with inference_recording("replay", recordings):
        replayed = listed()

    assert 0 == server.count
    assert {"recorded": 1} == session.counts
    assert [f"m{number}" for number in range(count)] == [model.id for model in live]
    assert [] == differences(live, recorded)
    assert [] == differences(live, replayed)


@pytest.mark.parametrize("make_sdk", [Colour], ids=["sync"], indirect=True)
@pytest.mark.parametrize("kind", ["generator", "iterator", "map"])
def test_an_iterator_of_a_mock_is_one_while_recording(
    kind: str, make_sdk: Callable[[], Colour], recordings: Path
) -> None:
    """Code that takes the first model only calls next()."""
    sdk = make_sdk()
    with mock.patch.object(Models, "list", side_effect=lambda *args, **kwargs: SYNC[kind](2)):
        with inference_recording("record", recordings):
            result = sdk.client.models.list()
            first, rest = next(result), list(result)

    assert ["m0", "m1"] == [model.id for model in (first, *rest)]
