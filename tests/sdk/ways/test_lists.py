"""Lists: the first page, the pages after it, and all items of all pages."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from inference_recorder import inference_recording

from ...conftest import Colour
from ...support.differences import differences
from ...support.openai_server import OpenAIServer, Reply
from .watching import Way, check, used

LISTS: dict[str, tuple[tuple[Any, ...], int, int]] = {
    "models.list": ((), 2, 1),
    "files.list": ((), 5, 3),
    "fine_tuning.jobs.list": ((), 3, 2),
    "vector_stores.list": ((), 3, 2),
    "vector_stores.search": (("vs_1",), 1, 1),
    "batches.list": ((), 4, 2),
    "chat.completions.list": ((), 3, 2),
    "responses.input_items.list": (("resp_00000007",), 3, 2),
    "conversations.items.list": (("conv_1",), 3, 2),
}
"""(arguments, how many items there are, on how many pages)"""


def iterated(sdk: Colour, listed: Callable[[], Any]) -> Any:
    return sdk.items(listed())


def page_by_page(sdk: Colour, listed: Callable[[], Any]) -> Any:
    pages = [sdk.wait(listed())]
    while pages[-1].has_next_page():
        pages.append(sdk.wait(pages[-1].get_next_page()))
    return pages


def iterated_by_pages(sdk: Colour, listed: Callable[[], Any]) -> Any:
    return sdk.items(sdk.wait(listed()).iter_pages())


def first_page_awaited_and_then_iterated(sdk: Colour, listed: Callable[[], Any]) -> Any:
    page = sdk.wait(listed())
    return [page.data, sdk.items(page)]


WALKS = [iterated, page_by_page, iterated_by_pages, first_page_awaited_and_then_iterated]


@pytest.mark.parametrize(
    ("name", "walk"),
    [(name, walk) for name in LISTS for walk in (WALKS if name in ("models.list", "files.list") else WALKS[:2])],
)
def test_all_pages_of_a_list_replay_however_they_are_walked(
    name: str, walk: Callable[..., Any], sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The second page is asked for by the page itself, not by the method that its caller used."""
    args, _, pages = LISTS[name]
    kwargs = {"query": "x"} if name == "vector_stores.search" else {}

    def use(sdk: Colour) -> Any:
        return walk(sdk, lambda: attrgetter(name)(sdk.client)(*args, **kwargs))

    way = Way(use, name, pages)
    check(way, sdk, server, recordings)


@pytest.mark.parametrize("name", ["models.list", "files.list"])
def test_pages_recorded_by_iterating_replay_one_by_one(
    name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """How the items are walked is the caller's affair and no part of the request."""
    _, items, _ = LISTS[name]
    with inference_recording("record", recordings):
        used(lambda sdk: sdk.items(attrgetter(name)(sdk.client)()), sdk, server)
    server.received.clear()
    with inference_recording("replay", recordings):
        pages = page_by_page(sdk, attrgetter(name)(sdk.client))

    assert 0 == server.count
    assert items == sum(len(page.data) for page in pages)


def test_what_a_server_says_beside_its_models_replays(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Gateways page their models or name them twice; the raw response shows it too."""
    model = {"id": "m", "object": "model", "created": 1, "owned_by": "us"}
    server.answers("/v1/models", Reply({"object": "list", "data": [model], "first_id": "m", "ours": 1}))
    check(Way(lambda sdk: sdk.call("models.list").model_extra), sdk, server, recordings)


def test_lists_asked_for_with_other_parameters_are_other_recordings(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A page differs from the next one by its query alone."""
    with inference_recording("record", recordings) as session:
        first = sdk.call("files.list")
        later = sdk.call("files.list", after="file-2")
        extra = sdk.call("files.list", extra_query={"after": "file-3"})
    with inference_recording("replay", recordings):
        replayed = [sdk.call("files.list", extra_query={"after": "file-3"}), sdk.call("files.list", after="file-2")]

    assert 3 == len({call.key for call in session.recorded})
    assert ["file-0", "file-1"] == [file.id for file in first.data]
    assert [] == differences([later, extra], replayed[::-1])
