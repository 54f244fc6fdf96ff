"""Ways to read what a call gives: a stream's chunks, all or some, and the parts of a raw response."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from ...conftest import Colour
from .watching import entered, parsed, parsed_line

Read = Callable[[Colour, Any], Any]


def all_of(sdk: Colour, stream: Any) -> list[Any]:
    return sdk.items(stream)


def one_by_one(sdk: Colour, stream: Any, most: int = 10_000) -> list[Any]:
    taken: list[Any] = []
    while len(taken) < most:
        try:
            taken += sdk.take(stream, 1)
        except (StopIteration, StopAsyncIteration):
            break
    return taken


def at_most_two(sdk: Colour, stream: Any) -> list[Any]:
    return one_by_one(sdk, stream, 2)


def two_and_leave(sdk: Colour, stream: Any) -> list[Any]:
    taken = at_most_two(sdk, stream)
    sdk.wait(stream.close())
    return taken


def managed(sdk: Colour, stream: Any) -> list[Any]:
    with entered(sdk, stream) as inside:
        return sdk.items(inside)


def two_managed(sdk: Colour, stream: Any) -> list[Any]:
    with entered(sdk, stream) as inside:
        return at_most_two(sdk, inside)


STREAMED: dict[str, Read] = {
    "all": all_of,
    "one by one": one_by_one,
    "left": two_and_leave,
    "managed": managed,
    "left, managed": two_managed,
}


def unwrapped(sdk: Colour, result: Any) -> Any:
    """Return what a parsed answer holds: a stream's chunks, the bytes of a file, else itself."""
    if hasattr(result, "__next__") or hasattr(result, "__anext__"):
        return sdk.items(result)
    if "BinaryResponseContent" in type(result).__name__ or "BinaryAPIResponse" in type(result).__name__:
        return sdk.wait(result.read())
    return result


def head_of(raw: Any) -> tuple[Any, ...]:
    """Return what a raw response says before its body; most SDKs have no request ids."""
    return raw.status_code, getattr(raw, "request_id", None), raw.headers["content-type"]


def raw_name(method: str) -> str:
    owner, _, attribute = method.rpartition(".")
    return f"{owner}.with_raw_response.{attribute}"


def managed_response(sdk: Colour, method: str) -> Callable[..., Any]:
    owner, _, attribute = method.rpartition(".")
    return attrgetter(f"{owner}.with_streaming_response.{attribute}")(sdk.client)  # type: ignore[no-any-return]


SEEN_OF_A_RESPONSE: dict[str, Callable[[Colour, Any], Any]] = {
    "parse": lambda sdk, raw: unwrapped(sdk, sdk.wait(raw.parse())),
    "json": lambda sdk, raw: sdk.wait(raw.json()),
    "text": lambda sdk, raw: parsed(sdk.wait(raw.text())),
    "read": lambda sdk, raw: parsed(sdk.wait(raw.read())),
    "read and then parse": lambda sdk, raw: (
        parsed(sdk.wait(raw.read())),
        unwrapped(sdk, sdk.wait(raw.parse())),
    ),
    "iter_lines": lambda sdk, raw: [parsed_line(line) for line in sdk.items(raw.iter_lines())],
    "iter_bytes": lambda sdk, raw: parsed(b"".join(sdk.items(raw.iter_bytes()))),
    "iter_bytes of seven": lambda sdk, raw: parsed(b"".join(sdk.items(raw.iter_bytes(7)))),
    "iter_text": lambda sdk, raw: parsed("".join(sdk.items(raw.iter_text()))),
    "nothing but the head": lambda _, raw: head_of(raw),
}
