"""Raw responses: `with_raw_response` and `with_streaming_response` of methods of every kind."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any, Dict

import openai
import pytest

from inference_recorder import inference_recording

from ...conftest import HELLO, Colour, files_of
from ...robustness.in_memory import http
from ...support.differences import differences
from ...support.example_calls import case, plain_calls
from ...support.openai_server import OpenAIServer, Reply, chunks, completion, error
from .reading import SEEN_OF_A_RESPONSE, managed_response, raw_name, unwrapped
from .server_scripts import HEADERS, with_headers
from .watching import Way, check, entered, lived, parsed, stable, used

ASK = {"model": "gpt-4o", "input": "Say hello."}
CALLS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "models list" if name == "models" else name: (method, (), kwargs)
    for name, (method, kwargs) in plain_calls().items()
} | {
    "embeddings as floats": ("embeddings.create", (), {"model": "m", "input": "a", "encoding_format": "float"}),
    "model": ("models.retrieve", ("gpt-4o",), {}),
    "model deletion": ("models.delete", ("gpt-4o",), {}),
    "files list": ("files.list", (), {}),
    "file": ("files.retrieve", ("file-1",), {}),
    "file content": ("files.content", ("file-small",), {}),
    "speech": ("audio.speech.create", (), {"model": "tts-1", "voice": "alloy", "input": "Hi"}),
    "transcription": ("audio.transcriptions.create", (), {"model": "whisper-1", "file": ("a.wav", b"sound")}),
    "search by POST": ("vector_stores.search", ("vs_1",), {"query": "x"}),
}
STREAMED_CALLS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "chat streamed": ("chat.completions.create", (), HELLO | {"stream": True}),
    "completions streamed": ("completions.create", (), {"model": "m", "prompt": "Say hi", "stream": True}),
    "responses streamed": ("responses.create", (), ASK | {"stream": True}),
    "images streamed": ("images.generate", (), {"model": "gpt-image-1", "prompt": "a cat", "stream": True}),
    "kept response streamed": ("responses.retrieve", ("resp_00000007",), {"stream": True}),
}
EACH_CALL = [case(method, name) for name, (method, *_) in (CALLS | STREAMED_CALLS).items()]
_NOT_JSON = {"file content", "speech"}


@pytest.mark.parametrize("name", EACH_CALL)
def test_a_raw_response_replays_with_all_its_parts(
    name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """langchain, litellm and crewai call nothing else: they read the headers and then parse."""
    method, args, kwargs = (CALLS | STREAMED_CALLS)[name]

    def use(sdk: Colour) -> Any:
        raw = sdk.call(raw_name(method), *args, **kwargs)
        head = (raw.status_code, raw.request_id, raw.headers["content-type"], raw.method, raw.url.path)
        is_read = raw.http_response.is_closed
        body = unwrapped(sdk, raw.parse())
        whole = (parsed(raw.text), parsed(raw.content)) if is_read else ()
        return [type(raw), head, is_read, type(raw.http_response), body, list(whole)]

    check(Way(use, method), sdk, server, recordings)


@pytest.mark.parametrize(
    "name",
    [
        "chat",
        "embeddings",
        "files list",
        "file content",
        "speech",
        "chat streamed",
        "responses streamed",
    ],
)
def test_a_streaming_response_replays_whatever_is_read_of_it(
    name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """`with_streaming_response` has the caller read the body, in any of these ways or not at all."""
    method, args, kwargs = (CALLS | STREAMED_CALLS)[name]
    cannot = {"json"} if name in _NOT_JSON else {"json", "read and then parse"} if name in STREAMED_CALLS else set()
    all_seen = {seen: see for seen, see in SEEN_OF_A_RESPONSE.items() if seen not in cannot}

    def use(sdk: Colour) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for seen, see in all_seen.items():
            with entered(sdk, managed_response(sdk, method)(*args, **kwargs)) as raw:
                head = (type(raw), raw.status_code, raw.request_id, raw.headers["content-type"], raw.method, raw.url)
                found[seen] = [head, stable(see(sdk, raw))]
        return found

    check(Way(use, method, len(all_seen)), sdk, server, recordings)


@pytest.mark.parametrize("wrapper", ["with_raw_response", "with_streaming_response"])
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_raw_response_keeps_the_headers_that_say_something_and_no_secret(
    wrapper: str, streamed: bool, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Rate limiters read them from raw responses; a cookie or an organization in a committed file is a leak."""
    usual = server.scripts["/v1/chat/completions"]
    server.scripts["/v1/chat/completions"] = lambda asked, n: with_headers(usual(asked, n))(asked, n)
    kwargs: dict[str, Any] = HELLO | {"stream": streamed}

    def use(sdk: Colour) -> dict[str, str]:
        if wrapper == "with_raw_response":
            raw = sdk.call("chat.completions.with_raw_response.create", **kwargs)
            unwrapped(sdk, raw.parse())
            return dict(raw.headers)
        with entered(sdk, managed_response(sdk, "chat.completions.create")(**kwargs)) as raw:
            unwrapped(sdk, sdk.wait(raw.parse()))
            return dict(raw.headers)

    with inference_recording("record", recordings):
        recorded = used(use, sdk, server)
    with inference_recording("replay", recordings):
        replayed = use(sdk)

    kept = {"content-type", "x-request-id", "openai-version", "openai-model", "openai-processing-ms", "retry-after"}
    kept |= {"x-ratelimit-limit-requests", "x-ratelimit-remaining-tokens"}
    assert {name: recorded[name] for name in kept} == {name: replayed[name] for name in kept}
    assert kept | {"content-length", "transfer-encoding"} >= set(replayed)
    text = next(recordings.glob("*.json")).read_text()
    for secret in ("set-cookie", "session=secret", HEADERS["openai-organization"], HEADERS["cf-ray"], "sk-test"):
        assert secret not in text


@pytest.mark.parametrize("name", EACH_CALL)
def test_raw_and_plain_calls_serve_each_other(name: str, sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """A framework that goes over to raw calls must not have its users record everything again."""
    method, args, kwargs = (CALLS | STREAMED_CALLS)[name]

    def plain(sdk: Colour) -> Any:
        return unwrapped(sdk, sdk.call(method, *args, **kwargs))

    def raw(sdk: Colour) -> Any:
        return unwrapped(sdk, sdk.call(raw_name(method), *args, **kwargs).parse())

    lived(plain, sdk, server)
    for recorded_by, replayed_by in ((plain, raw), (raw, plain)):
        directory = recordings / recorded_by.__name__
        with inference_recording("record", directory):
            recorded = used(recorded_by, sdk, server)
        server.received.clear()
        with inference_recording("replay", directory):
            replayed = replayed_by(sdk)

        assert 0 == server.count
        assert [] == differences(stable(recorded), stable(replayed))


@pytest.mark.parametrize("name", ["chat", "chat streamed", "file content", "files list"])
def test_wrappers_made_before_the_context_and_used_after_it_work(
    name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """langchain and instructor keep bound methods and raw wrappers for the life of the program."""
    method, args, kwargs = (CALLS | STREAMED_CALLS)[name]
    owner = sdk.client
    for part in method.split(".")[:-1]:
        owner = getattr(owner, part)
    attribute = method.rpartition(".")[2]
    kept = {
        "bound": getattr(owner, attribute),
        "raw": getattr(owner.with_raw_response, attribute),
        "streaming": getattr(owner.with_streaming_response, attribute),
    }

    def use(sdk: Colour) -> list[Any]:
        plain = unwrapped(sdk, sdk.wait(kept["bound"](*args, **kwargs)))
        raw = unwrapped(sdk, sdk.wait(kept["raw"](*args, **kwargs)).parse())
        with entered(sdk, kept["streaming"](*args, **kwargs)) as response:
            return [plain, raw, unwrapped(sdk, sdk.wait(response.parse()))]

    replayed = check(Way(use, requests=3), sdk, server, recordings)
    after = used(use, sdk, server)

    assert 3 == server.count
    assert [] == differences(stable(after), stable(replayed))


@pytest.mark.parametrize("to", [Dict[str, object], str, "response"], ids=["dict", "str", "HTTP response"])
def test_a_raw_response_is_parsed_into_what_its_caller_names(
    to: Any, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """`.parse(to=...)` is for those whose server answers in a shape of its own."""
    server.answers("/v1/chat/completions", Reply(completion(service="ours")))

    def use(sdk: Colour) -> Any:
        raw = sdk.call("chat.completions.with_raw_response.create", **HELLO)
        if to == "response":
            return parsed(raw.parse(to=type(raw.http_response)).text)
        return parsed(raw.parse(to=to)) if to is str else raw.parse(to=to)

    check(Way(use), sdk, server, recordings)


@pytest.mark.parametrize("how", ["a parameter", "extra_query", "default_query"])
def test_a_replayed_raw_response_names_the_url_that_was_asked(
    how: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Loggers and metrics read it."""

    def use(sdk: Colour) -> Any:
        if how == "default_query":
            files = sdk.client.copy(default_query={"v": "1"}).files
            return str(sdk.wait(files.with_raw_response.retrieve("file-1")).url)
        kwargs: dict[str, Any] = {"after": "file-2"} if how == "a parameter" else {"extra_query": {"v": "1"}}
        return str(sdk.call("files.with_raw_response.list", **kwargs).url)

    check(Way(use), sdk, server, recordings)


@pytest.mark.parametrize("seen", ["stream", "error", "error of a method without a row"])
def test_a_replayed_stream_and_error_name_the_url_that_was_asked(
    seen: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """An error's text in a log often has the url; a doubled "/v1" sends people looking for a wrong base_url."""

    def use(sdk: Colour) -> str:
        if seen == "stream":
            stream = sdk.call("chat.completions.create", **HELLO, stream=True)
            sdk.items(stream)
            return str(stream.response.url)
        with pytest.raises(openai.NotFoundError) as caught:
            if seen == "error":
                server.answers("/v1/chat/completions", error(404))
                sdk.call("chat.completions.create", **HELLO)
            sdk.call("files.retrieve", "no-such-file")
        return str(caught.value.request.url)

    check(Way(use), sdk, server, recordings)


@pytest.mark.parametrize(
    "name",
    ["event: response.created\n", "event: ping\n", ""],
    ids=["named as in its data", "with a name of its own", "unnamed"],
)
@pytest.mark.parametrize("end", ["data: [DONE]\n\n", ""], ids=["with an end", "without one"])
def test_a_stream_of_events_ends_as_the_server_ended_it(
    name: str, end: str, client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """Clients of their own wait for "[DONE]", also after named events, where most servers send none."""
    data = json.dumps({"type": "response.created", "sequence_number": 0} if "." in name else {"object": "x"})
    content = f"{name}data: {data}\n\n{end}".encode()
    server.answers("/v1/responses", Reply(content=content, media_type="text/event-stream"))

    def read() -> bytes:
        with client.responses.with_streaming_response.create(model="m", input="x", stream=True) as response:
            return b"".join(response.iter_bytes())

    with inference_recording("record", recordings):
        live = read()
    with inference_recording("replay", recordings):
        replayed = read()

    assert content == live
    assert (b"[DONE]" in content) == (b"[DONE]" in replayed)
    assert name.encode() == replayed[: replayed.index(b"data:")]


def test_a_response_that_is_dropped_unread_is_stored_at_once(client: openai.OpenAI, recordings: Path) -> None:
    """Another worker waits for it, and would wait until the session ends."""
    with inference_recording("record-if-missing", recordings):
        response = client.chat.completions.with_streaming_response.create(**HELLO).__enter__()
        del response
        gc.collect()
        stored = files_of(recordings)

    assert 1 == len(stored)


def test_a_raw_stream_that_breaks_replays_its_events_and_breaks_again(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """What arrived was paid for, and code that reads events itself has to see the same end."""
    server.answers("/v1/chat/completions", Reply(events=chunks("so", "far"), breaks=True))

    def read() -> tuple[int, type[Exception]]:
        parts: list[bytes] = []
        with client.chat.completions.with_streaming_response.create(**HELLO, stream=True) as response:
            with pytest.raises(http.TransportError) as caught:
                parts.extend(response.iter_bytes())
        return b"".join(parts).count(b"data: "), caught.type

    with inference_recording("record", recordings, record_errors=True):
        live = read()
    with inference_recording("replay", recordings):
        replayed = read()

    assert live[0] >= 2
    assert live == replayed
