"""Answers of unusual servers: without a body, in another charset, broken off, with integers beyond 64 bits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types import Model
from openai.types.chat import ChatCompletion

from inference_recorder import inference_recording

from ...conftest import HELLO, Colour
from ...support.differences import differences
from ...support.openai_server import OpenAIServer, Reply, chunk, completion
from .watching import Use, entered, parsed, stable

# The SDK drops its generators where an event cannot be parsed, and asyncio may be closing one that is collected then.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def by_method(sdk: Colour, **kwargs: Any) -> Any:
    result = sdk.call("chat.completions.create", **HELLO, **kwargs)
    return sdk.items(result) if kwargs else result


def by_raw_response(sdk: Colour, **kwargs: Any) -> Any:
    raw = sdk.call("chat.completions.with_raw_response.create", **HELLO, **kwargs)
    result = raw.parse()
    return head_of(raw), sdk.items(result) if kwargs else [sorted_json(raw.content), result]


def by_streaming_response(sdk: Colour, **kwargs: Any) -> Any:
    with entered(sdk, sdk.client.chat.completions.with_streaming_response.create(**HELLO, **kwargs)) as response:
        return head_of(response), sorted_json(sdk.wait(response.read()))


def by_post(sdk: Colour, **kwargs: Any) -> Any:
    stream_type = (openai.AsyncStream if sdk.is_async else openai.Stream)[Any]
    streamed = {"stream": True, "stream_cls": stream_type} if kwargs else {}
    result = sdk.call("post", "/chat/completions", body={**HELLO, **kwargs}, cast_to=ChatCompletion, **streamed)
    return sorted_json(json.dumps(sdk.items(result)).encode()) if kwargs else result


LIBRARIES: dict[str, Callable[..., Any]] = {
    "method": by_method,
    "raw": by_raw_response,
    "streaming": by_streaming_response,
    "post": by_post,
}
PAIRS = [pytest.param(one, other, id=f"{one}, replayed by {other}") for one in LIBRARIES for other in LIBRARIES]


SAME_ID = {"x-request-id": "req"}
"""Headers of a server that names no request: each answer of it is like the other."""


def sorted_json(content: bytes) -> Any:
    """Return what a body says; a method of the table gives its names in the order of their type."""
    value = parsed(content)
    return value if isinstance(value, str) else json.loads(json.dumps(value, sort_keys=True))


def head_of(response: Any) -> list[Any]:
    return [response.status_code, response.headers.get("content-type")]


def outcome(use: Use, sdk: Colour) -> Any:
    """Return the result of a use, or all that its caller sees of the error it raised."""
    try:
        return stable(use(sdk))
    except openai.APIStatusError as error:
        return type(error), str(error), error.body, error.response.text, error.response.content, head_of(error.response)
    except Exception as error:
        return type(error), str(error)


def assert_replays(recorded_by: Use, replayed_by: Use, sdk: Colour, server: OpenAIServer, recordings: Path) -> Any:
    """Assert that a call comes to the same live, recorded and replayed; returns what it came to live."""
    recorded_live, replayed_live = outcome(recorded_by, sdk), outcome(replayed_by, sdk)
    with inference_recording("record", recordings) as session:
        recorded = outcome(recorded_by, sdk)
    server.received.clear()
    with inference_recording("replay", recordings):
        replayed = outcome(replayed_by, sdk)

    assert 0 == server.count
    assert [] == differences(recorded_live, recorded)
    assert [] == differences(replayed_live, replayed)
    assert {"recorded": 1} == session.counts
    return replayed_live


@pytest.mark.parametrize("wrapper", ["with_raw_response", "with_streaming_response"])
@pytest.mark.parametrize("headers", [{}, {"content-type": "text/plain"}], ids=["no type", "a type"])
def test_an_answer_without_a_body_gains_no_content_type(
    wrapper: str, headers: dict[str, str], sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A DELETE is answered with 204, and code that looks at the type takes an empty body for JSON."""
    server.answers("/v1/files/f", Reply(content=b"", status=204, media_type=None, headers=headers))

    def use(sdk: Colour) -> Any:
        if wrapper == "with_raw_response":
            raw = sdk.call("files.with_raw_response.delete", "f")
            return head_of(raw), raw.content
        with entered(sdk, sdk.client.files.with_streaming_response.delete("f")) as response:
            return head_of(response), sdk.wait(response.read())

    assert ([204, headers.get("content-type")], b"") == assert_replays(use, use, sdk, server, recordings)


ERROR_TEXTS = {
    "latin-1": ("text/plain; charset=iso-8859-1", "Überlastet, später".encode("latin-1")),
    "windows-1252": ("text/html; charset=windows-1252", "€ “quoted”".encode("cp1252")),
    "a byte that windows-1252 has not": ("text/html; charset=windows-1252", b"\x81 caf\xe9"),
    "shift-jis": ("text/plain; charset=shift_jis", "過負荷です".encode("shift_jis")),
    "utf-16": ("text/plain; charset=utf-16", "später".encode("utf-16")),
    "utf-8": ("text/plain; charset=utf-8", "später".encode()),
    "utf-8, with a mark": ("text/plain; charset=utf-8", b"\xef\xbb\xbfsp\xc3\xa4ter"),
    "no charset": ("text/plain", "später".encode()),
    "no charset and no UTF-8": ("text/plain", "später".encode("latin-1")),
    "an unknown charset": ("text/plain; charset=no-such", "später".encode()),
    "JSON in latin-1": ("application/json; charset=latin-1", '{"error":{"message":"später"}}'.encode("latin-1")),
    "JSON that latin-1 cannot spell": ("application/json; charset=latin-1", b'{"error":{"message":"\\u904e"}}'),
    "nothing": ("text/plain; charset=latin-1", b""),
}


@pytest.mark.parametrize("text", ERROR_TEXTS)
@pytest.mark.parametrize("way", LIBRARIES)
def test_the_text_of_an_error_replays_in_its_charset(
    way: str, text: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Proxies answer in the charset of their region; an error handler that looks for words must find them."""
    media_type, content = ERROR_TEXTS[text]
    server.answers(
        "/v1/chat/completions", Reply(content=content, status=400, headers=SAME_ID | {"content-type": media_type})
    )

    live = assert_replays(LIBRARIES[way], LIBRARIES[way], sdk, server, recordings)

    assert openai.BadRequestError is live[0]


MALFORMED = {
    "cut off": (b'{"id": "chatcmpl-1", "object": "chat.compl', "application/json"),
    "no JSON": (b"<html>Gateway busy</html>", "application/json"),
    "nothing": (b"", "application/json"),
    "more than one value": (b'{"id": "x"} {"id": "y"}', "application/json; charset=utf-8"),
    "no UTF-8": (b'{"id": "sp\xe4ter"}', "application/json"),
    "UTF-16 that is JSON": ('{"id": "später"}'.encode("utf-16"), "application/json"),
    "too large to be kept inline": (b'{"id": "' + b"x" * 300_000, "application/json"),
}


@pytest.mark.parametrize("body", MALFORMED)
@pytest.mark.parametrize(("recorded_by", "replayed_by"), PAIRS)
def test_a_malformed_answer_replays_as_what_the_sdk_makes_of_it(
    recorded_by: str, replayed_by: str, body: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """It is the server's answer: a test of how the code copes with it needs it again."""
    content, media_type = MALFORMED[body]
    server.answers("/v1/chat/completions", Reply(content=content, headers=SAME_ID | {"content-type": media_type}))

    assert_replays(LIBRARIES[recorded_by], LIBRARIES[replayed_by], sdk, server, recordings)


def list_by_method(sdk: Colour) -> Any:
    return sdk.call("models.list")


def list_by_raw_response(sdk: Colour) -> Any:
    raw = sdk.call("models.with_raw_response.list")
    return head_of(raw), raw.parse()


LISTS = [list_by_method, list_by_raw_response]


@pytest.mark.parametrize("body", ["cut off", "no JSON", "no UTF-8", "too large to be kept inline"])
@pytest.mark.parametrize("replayed_by", LISTS)
@pytest.mark.parametrize("recorded_by", LISTS)
def test_a_malformed_list_of_models_replays_as_what_the_sdk_makes_of_it(
    recorded_by: Use, replayed_by: Use, body: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """An empty list in its place sends people looking for their models."""
    content, media_type = MALFORMED[body]
    server.answers("/v1/models", Reply(content=content, headers=SAME_ID | {"content-type": media_type}))

    live = assert_replays(recorded_by, replayed_by, sdk, server, recordings)

    assert issubclass(live[0], ValueError)


NUMBERS = [2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**30, -(10**300)]


@pytest.mark.parametrize("streamed", [{}, {"stream": True}], ids=["plain", "streamed"])
@pytest.mark.parametrize(("recorded_by", "replayed_by"), PAIRS)
def test_integers_of_any_size_stay_integers(
    recorded_by: str, replayed_by: str, streamed: dict[str, Any], sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Ids of other systems are such numbers; as a float, one is another one."""
    parts = [chunk({"content": "x"}, seed=number) for number in NUMBERS]
    server.answers(
        "/v1/chat/completions", Reply(events=parts) if streamed else Reply(completion(seeds=NUMBERS), headers=SAME_ID)
    )
    one, other = (lambda sdk, way=way: LIBRARIES[way](sdk, **streamed) for way in (recorded_by, replayed_by))

    assert_replays(one, other, sdk, server, recordings)
    assert all(str(number) in next(recordings.glob("*.json")).read_text() for number in NUMBERS)


@pytest.mark.parametrize("path", ["/files/f", "/ours"])
def test_integers_of_any_size_stay_integers_in_what_is_asked_of_any_endpoint(
    path: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The request in a file is what a person compares with what the code sent."""
    server.answers(f"/v1{path}", Reply({"numbers": NUMBERS}))

    def use(sdk: Colour) -> Any:
        return sdk.call("post", path, body={"numbers": NUMBERS}, cast_to=object)

    live = assert_replays(use, use, sdk, server, recordings)
    with inference_recording("replay", recordings) as session:
        use(sdk)

    assert {"numbers": NUMBERS} == live
    assert [{"numbers": NUMBERS}] == [request.body for request in session.requests]
    assert NUMBERS == json.loads(next(recordings.glob("*.json")).read_text())["request"]["body"]["numbers"]


def test_integers_of_any_size_stay_integers_in_files_and_lists(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Endpoints without a row of the table, and model lists, are recorded from the response."""
    server.answers(
        "/v1/files/f", Reply({"id": "f", "object": "file", "bytes": 2**64, "owner": 10**30}, headers=SAME_ID)
    )
    model = {"id": "m", "object": "model", "created": 1, "owned_by": "us", "number": 10**30}
    server.answers("/v1/models", Reply({"object": "list", "data": [model], "total": 2**70}, headers=SAME_ID))

    def use(sdk: Colour) -> Any:
        page = sdk.call("models.with_raw_response.list").parse()
        return sdk.call("files.retrieve", "f"), page, [type(item) for item in page.data]

    live = outcome(use, sdk)
    with inference_recording("record", recordings):
        recorded = outcome(use, sdk)
    with inference_recording("replay", recordings):
        replayed = outcome(use, sdk)

    assert (2**64, 10**30, 2**70, [Model]) == (live[0].bytes, live[0].owner, live[1].total, live[2])
    assert [] == differences(live, recorded)
    assert [] == differences(live, replayed)
