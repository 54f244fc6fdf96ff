"""All ways in which a consumer reads a stream, once with `await` and once without, and what it sees of it."""

from __future__ import annotations

import gc
import gzip
import json
from collections.abc import Awaitable, Callable, Iterable
from operator import attrgetter
from typing import Any, NamedTuple

from .cases import Case

_ENDS = ("response.completed",)


class Seen(NamedTuple):
    """What a consumer saw of a stream."""

    items: list[Any]
    is_complete: bool | None
    """Whether it saw the end; None where its blocks of bytes decide that."""


def chunk(item: Any) -> Any:
    """Return all of a chunk, or of a helper's event, without what the format normalizes."""
    item = getattr(item, "chunk", item)
    data = item.model_dump(exclude_unset=True, warnings=False)
    if data.get("object") == "chat.completion.chunk":
        data |= {"id": "-", "created": 0}
    return type(item).__qualname__, data


def lines(texts: Iterable[str]) -> list[Any]:
    """Return the lines of server-sent text as values, without what the format normalizes."""
    found: list[Any] = []
    for line in filter(None, texts):
        name, _, text = line.partition(": ")
        data = json.loads(text) if text.startswith("{") else text
        if isinstance(data, dict) and data.get("object") == "chat.completion.chunk":
            data |= {"id": "-", "created": 0}
        found.append((name, data))
    return found


def lines_of(content: bytes) -> list[Any]:
    """Return the lines of server-sent bytes as `lines` does; they may be as they travelled."""
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    return lines(content.decode().split("\n"))


def some(items: list[Any], has_ended: bool) -> Seen:
    """Return what is seen of these chunks by who left after them, or at the end."""
    seen = [chunk(item) for item in items]
    return Seen(seen, has_ended or any(data.get("type") in _ENDS for _, data in seen))


def create(client: Any, case: Case, wrapper: str = "") -> Any:
    """Return what the SDK's method gives for the request of a case."""
    owner = client.responses if case.api == "responses" else client.chat.completions
    return attrgetter(f"{wrapper}.create" if wrapper else "create")(owner)(**case.request, stream=True)


def helper(client: Any, case: Case) -> Any:
    """Return the manager that the SDK's stream helper gives, None where this SDK has none."""
    names = ("responses",) if case.api == "responses" else ("chat.completions", "beta.chat.completions")
    owner = next((attrgetter(name)(client) for name in names if _has(client, f"{name}.stream")), None)
    return None if owner is None else owner.stream(**case.request)


def _has(client: Any, name: str) -> bool:
    try:
        attrgetter(name)(client)
    except AttributeError:
        return False
    return True


def looped(client: Any, case: Case) -> Seen:
    return some([item for item in create(client, case)], True)  # noqa: C416 - a loop is what is read by


def listed(client: Any, case: Case) -> Seen:
    return some(list(create(client, case)), True)


def by_hand(client: Any, case: Case) -> Seen:
    stream, items = create(client, case), []
    while True:
        try:
            items.append(next(stream))
        except StopIteration:
            return some(items, True)


def dropped(client: Any, case: Case) -> Seen:
    seen = _left_behind(client, case)
    # The SDK's stream is part of a cycle: collected while httpcore 1 holds its pool's lock, it waits for that forever.
    gc.collect()
    return seen


def _left_behind(client: Any, case: Case) -> Seen:
    items = []
    for item in create(client, case):
        items.append(item)
        if len(items) >= case.taken:
            return some(items, False)
    return some(items, True)


def closed(client: Any, case: Case) -> Seen:
    stream = create(client, case)
    items = [next(stream) for _ in range(min(case.taken, case.chunks))]
    stream.close()
    return some(items, False)


def in_block(client: Any, case: Case) -> Seen:
    with create(client, case) as stream:
        return some(list(stream), True)


def left_block(client: Any, case: Case) -> Seen:
    with create(client, case) as stream:
        return some([next(stream) for _ in range(min(case.taken, case.chunks))], False)


def helped(client: Any, case: Case) -> Seen:
    if (manager := helper(client, case)) is None:
        return looped(client, case)
    with manager as stream:
        return some([event for event in stream if event.type in ("chunk", *_ENDS)], True)


def raw(client: Any, case: Case) -> Seen:
    return some(list(create(client, case, "with_raw_response").parse()), True)


def raw_left(client: Any, case: Case) -> Seen:
    items = []
    with create(client, case, "with_raw_response").parse() as stream:
        for item in stream:
            items.append(item)
            if len(items) >= case.taken:
                return some(items, False)._replace(is_complete=None)
    return some(items, True)


def streamed_lines(client: Any, case: Case) -> Seen:
    with create(client, case, "with_streaming_response") as response:
        return Seen(lines(response.iter_lines()), True)


def streamed_lines_left(client: Any, case: Case) -> Seen:
    with create(client, case, "with_streaming_response") as response:
        texts = []
        for line in response.iter_lines():
            texts.append(line)
            if not line and texts.count("") >= case.taken:  # a whole event: half of one is not recorded
                return Seen(lines(texts), None)
        return Seen(lines(texts), True)


def streamed_bytes(client: Any, case: Case) -> Seen:
    with create(client, case, "with_streaming_response") as response:
        return Seen(lines_of(b"".join(response.iter_bytes())), True)


def streamed_raw(client: Any, case: Case) -> Seen:
    with create(client, case, "with_streaming_response") as response:
        return Seen(lines_of(b"".join(response.http_response.iter_raw())), True)


def streamed_parsed(client: Any, case: Case) -> Seen:
    with create(client, case, "with_streaming_response") as response:
        return some(list(response.parse()), True)


async def looped_async(client: Any, case: Case) -> Seen:
    return some([item async for item in await create(client, case)], True)


async def named_async(client: Any, case: Case) -> Seen:
    stream = await create(client, case)
    return some([item async for item in stream], True)


async def by_hand_async(client: Any, case: Case) -> Seen:
    stream, items = await create(client, case), []
    while True:
        try:
            items.append(await anext(stream))
        except StopAsyncIteration:
            return some(items, True)


async def dropped_async(client: Any, case: Case) -> Seen:
    items = []
    async for item in await create(client, case):
        items.append(item)
        if len(items) >= case.taken:
            return some(items, False)
    return some(items, True)


async def closed_async(client: Any, case: Case) -> Seen:
    stream = await create(client, case)
    items = [await anext(stream) for _ in range(min(case.taken, case.chunks))]
    await stream.close()
    return some(items, False)


async def in_block_async(client: Any, case: Case) -> Seen:
    async with await create(client, case) as stream:
        return some([item async for item in stream], True)


async def left_block_async(client: Any, case: Case) -> Seen:
    async with await create(client, case) as stream:
        return some([await anext(stream) for _ in range(min(case.taken, case.chunks))], False)


async def helped_async(client: Any, case: Case) -> Seen:
    if (manager := helper(client, case)) is None:
        return await looped_async(client, case)
    async with manager as stream:
        return some([event async for event in stream if event.type in ("chunk", *_ENDS)], True)


async def raw_async(client: Any, case: Case) -> Seen:
    response = await create(client, case, "with_raw_response")
    return some([item async for item in response.parse()], True)


async def raw_left_async(client: Any, case: Case) -> Seen:
    items = []
    async with (await create(client, case, "with_raw_response")).parse() as stream:
        async for item in stream:
            items.append(item)
            if len(items) >= case.taken:
                return some(items, False)._replace(is_complete=None)
    return some(items, True)


async def streamed_lines_async(client: Any, case: Case) -> Seen:
    async with create(client, case, "with_streaming_response") as response:
        return Seen(lines([line async for line in response.iter_lines()]), True)


async def streamed_lines_left_async(client: Any, case: Case) -> Seen:
    async with create(client, case, "with_streaming_response") as response:
        texts = []
        async for line in response.iter_lines():
            texts.append(line)
            if not line and texts.count("") >= case.taken:  # a whole event: half of one is not recorded
                return Seen(lines(texts), None)
        return Seen(lines(texts), True)


async def streamed_bytes_async(client: Any, case: Case) -> Seen:
    async with create(client, case, "with_streaming_response") as response:
        return Seen(lines_of(b"".join([part async for part in response.iter_bytes()])), True)


async def streamed_raw_async(client: Any, case: Case) -> Seen:
    async with create(client, case, "with_streaming_response") as response:
        return Seen(lines_of(b"".join([part async for part in response.http_response.aiter_raw()])), True)


async def streamed_parsed_async(client: Any, case: Case) -> Seen:
    async with create(client, case, "with_streaming_response") as response:
        return some([item async for item in await response.parse()], True)


Use = Callable[[Any, Case], Seen]
AsyncUse = Callable[[Any, Case], Awaitable[Seen]]

WAYS: dict[str, tuple[Use, AsyncUse]] = {
    "a loop": (looped, looped_async),
    "a list": (listed, named_async),
    "next by hand": (by_hand, by_hand_async),
    "break": (dropped, dropped_async),
    "close": (closed, closed_async),
    "a block": (in_block, in_block_async),
    "a block left early": (left_block, left_block_async),
    "the stream helper": (helped, helped_async),
    "a raw response": (raw, raw_async),
    "a raw response left early": (raw_left, raw_left_async),
    "streamed lines": (streamed_lines, streamed_lines_async),
    "streamed lines left early": (streamed_lines_left, streamed_lines_left_async),
    "streamed bytes": (streamed_bytes, streamed_bytes_async),
    "streamed as sent": (streamed_raw, streamed_raw_async),
    "a streamed response": (streamed_parsed, streamed_parsed_async),
}
WHOLE = [way for way in WAYS if not any(word in way for word in ("early", "break", "close"))]
"""The ways that read to the end."""
