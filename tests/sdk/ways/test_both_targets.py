"""What one way of calling records, another replays: or it says that it cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inference_recorder import IncompleteRecording, inference_recording

from ...conftest import HELLO, Colour
from ...support.differences import differences
from ...support.openai_server import OpenAIServer, Reply, completion
from .watching import Way, check, entered


def nothing(sdk: Colour, response: Any) -> None:
    """Read the head and leave the body."""


def a_part(sdk: Colour, response: Any) -> None:
    sdk.take(response.iter_bytes(100), 1)


@pytest.mark.parametrize(
    ("name", "kwargs", "read"),
    [
        ("chat.completions", HELLO, nothing),
        ("chat.completions", HELLO, a_part),
        ("embeddings", {"model": "m", "input": "a"}, nothing),
        ("models", {}, nothing),
    ],
    ids=["chat", "chat, a part read", "embeddings", "models"],
)
def test_a_plain_call_is_not_answered_with_what_a_streaming_response_left_unread(
    name: str,
    kwargs: dict[str, Any],
    read: Callable[..., None],
    sdk: Colour,
    server: OpenAIServer,
    recordings: Path,
) -> None:
    """`None` in an answer's place is found far from where it came from."""
    server.answers("/v1/chat/completions", Reply(completion("long " * 60_000)))
    method = "list" if name == "models" else "create"
    owner = sdk.client
    for part in name.split("."):
        owner = getattr(owner, part)
    with inference_recording("record", recordings):
        with entered(sdk, getattr(owner.with_streaming_response, method)(**kwargs)) as response:
            read(sdk, response)
    with inference_recording("replay", recordings), pytest.raises(IncompleteRecording):
        sdk.call(f"{name}.{method}", **kwargs)


NO_OBJECTS = {
    "text": Reply(content=b"<html>a proxy</html>", media_type="text/html"),
    "bytes": Reply(content=b"oops", media_type="application/octet-stream"),
    "JSON string": Reply("a JSON string"),
    "JSON list": Reply([{"id": "a JSON list"}]),
    "null": Reply(content=b"null"),
}


@pytest.mark.parametrize(
    ("recorded_by", "reply"),
    [
        pytest.param(recorded_by, reply, id=f"{name}, recorded {recorded_by}")
        for recorded_by in ("plain", "raw")
        for name, reply in NO_OBJECTS.items()
    ],
)
def test_an_answer_that_is_not_an_object_replays_plain_as_it_is_live(
    recorded_by: str, reply: Reply, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Proxies and half-compatible servers answer so, and the SDK lets it through."""
    server.answers("/v1/chat/completions", reply)
    live = sdk.call("chat.completions.create", **HELLO)
    with inference_recording("record", recordings):
        if recorded_by == "raw":
            sdk.call("chat.completions.with_raw_response.create", **HELLO)
        else:
            sdk.call("chat.completions.create", **HELLO)
    with inference_recording("replay", recordings):
        replayed = sdk.call("chat.completions.create", **HELLO)

    assert [] == differences(live, replayed)


def test_a_compressed_answer_replays(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """The answer is recorded, not its encoding."""
    import gzip

    packed = {"content-encoding": "gzip"}
    content = bytes(range(256)) * 99
    server.answers("/v1/chat/completions", Reply(content=gzip.compress(b'{"id": "packed"}'), headers=packed))
    server.answers(
        "/v1/files/packed/content",
        Reply(content=gzip.compress(content), headers=packed, media_type="application/octet-stream"),
    )

    def use(sdk: Colour) -> list[Any]:
        manager = sdk.client.files.with_streaming_response.content("packed")
        with entered(sdk, manager) as response:
            streamed = b"".join(sdk.items(response.iter_bytes()))
        return [
            sdk.call("chat.completions.with_raw_response.create", **HELLO).parse(),
            sdk.call("files.content", "packed").content == content,
            streamed == content,
        ]

    replayed = check(Way(use, requests=3), sdk, server, recordings)
    assert [True, True] == replayed[1:]
