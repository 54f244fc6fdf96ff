"""Response headers: what live code reads of them, replayed code reads too; and none brings a secret into a file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import inference_recording
from inference_recorder.recording.headers import kept_headers

from ...conftest import HELLO, Colour
from ...support.openai_server import OpenAIServer, ReceivedRequest, Reply, completion, error
from .watching import entered

KEY = "a-key-that-no-shape-knows"
SECRETS = {
    "the client's own key": KEY,
    "of the environment": "hunter2-hunter2-hunter2",
    "declared": "Bert Brown",
    "by its shape": "sk-abcdefghijklmnopqrstuvwxyz",
}
HEADERS = {f"x-own-{number}": f"value {number}" for number in range(20)} | {
    "x-litellm-response-cost": "0.00012",
    "x-ms-region": "East US 2",
    "x-ratelimit-remaining-tokens": "29999",
    "openai-processing-ms": "523",
    "etag": 'W/"abc"',
    "openai-organization": "our-company",
    "x-api-key": "plain-text",
}
TWICE = [(b"x-twice", b"one"), (b"x-twice", b"two"), (b"link", b'<a>; rel="next"'), (b"link", b'<b>; rel="last"')]
IN_OTHER_LANGUAGES = {
    "UTF-8": [(b"x-city", "Zürich 日本".encode())],
    "Latin-1": [(b"x-city", "Zürich".encode("latin-1"))],
    "both": [(b"x-city", "Zürich".encode("latin-1")), (b"x-other", "日本".encode())],
}


def raw(method: str, *args: Any, **kwargs: Any) -> Callable[[Colour], Any]:
    """Return the use of a method whose raw response's headers are read, and then its body."""
    owner, _, name = method.rpartition(".")

    def use(sdk: Colour) -> Any:
        response = sdk.call(f"{owner}.with_raw_response.{name}", *args, **kwargs)
        headers = response.headers
        parsed = response.parse()
        if kwargs.get("stream"):
            sdk.items(parsed)
        return headers

    return use


def streaming(method: str, *args: Any, **kwargs: Any) -> Callable[[Colour], Any]:
    owner, _, name = method.rpartition(".")

    def use(sdk: Colour) -> Any:
        resource = sdk.client
        for part in owner.split("."):
            resource = getattr(resource, part)
        with entered(sdk, getattr(resource.with_streaming_response, name)(*args, **kwargs)) as response:
            sdk.wait(response.read())
            return response.headers

    return use


def of_a_stream(sdk: Colour) -> Any:
    stream = sdk.call("chat.completions.create", **HELLO, stream=True)
    sdk.items(stream)
    return stream.response.headers


def of_a_failure(sdk: Colour) -> Any:
    with pytest.raises(openai.NotFoundError) as caught:
        sdk.call("chat.completions.create", **HELLO | {"model": "gone"})
    return caught.value.response.headers


def of_a_failed_request(sdk: Colour) -> Any:
    with pytest.raises(openai.NotFoundError) as caught:
        sdk.call("post", "/gone", cast_to=object, body={})
    return caught.value.response.headers


USES: dict[str, Callable[[Colour], Any]] = {
    "chat": raw("chat.completions.create", **HELLO),
    "chat streamed": raw("chat.completions.create", **HELLO, stream=True),
    "stream of the method": of_a_stream,
    "failure of the method": of_a_failure,
    "failure of a request": of_a_failed_request,
    "embeddings": raw("embeddings.create", model="m", input="a"),
    "file": raw("files.retrieve", "file-1"),
    "models": raw("models.list"),
    "download": streaming("files.content", "file-small"),
}


@pytest.fixture
def sends(server: OpenAIServer) -> Callable[..., None]:
    """Have every answer of the server bring these headers."""
    scripts, elsewhere = dict(server.scripts), server.elsewhere

    def send(headers: dict[str, str], raw_headers: list[tuple[bytes, bytes]] | None = None) -> None:
        def with_them(script: Callable[[ReceivedRequest, int], Reply]) -> Callable[[ReceivedRequest, int], Reply]:
            def reply(asked: ReceivedRequest, number: int) -> Reply:
                is_gone = asked.content[:1] == b"{" and asked.json.get("model") == "gone"
                usual = error(404) if is_gone else script(asked, number)
                return replace(usual, headers=usual.headers | headers, raw_headers=raw_headers or [])

            return reply

        server.scripts = {path: with_them(script) for path, script in scripts.items()}
        server.elsewhere = with_them(elsewhere)

    yield send
    server.elsewhere = elsewhere


@pytest.mark.parametrize("name", USES)
def test_every_kept_header_replays_with_its_live_value(
    name: str, sdk: Colour, sends: Callable[..., None], recordings: Path
) -> None:
    """Code that reads its gateway's cost or its own header got None in replay."""
    use = USES[name]
    sends(HEADERS, TWICE)
    live = use(sdk)
    with inference_recording("record", recordings):
        recorded = use(sdk)
    with inference_recording("replay", recordings):
        replayed = use(sdk)

    kept = kept_headers(recorded)
    assert len(HEADERS) - 2 + len(TWICE) // 2 <= len(kept)
    assert set(kept_headers(live)) == set(kept)
    assert kept == kept_headers(replayed)
    assert set(replayed) <= {*kept, "content-length", "transfer-encoding"}
    assert "one, two" == recorded["x-twice"] == replayed["x-twice"]
    assert "our-company" not in "".join(path.read_text() for path in recordings.glob("*.json"))


@pytest.mark.parametrize("name", IN_OTHER_LANGUAGES)
def test_a_header_in_any_encoding_replays_as_live_read_it(
    name: str, sdk: Colour, sends: Callable[..., None], recordings: Path
) -> None:
    """A gateway names its region; HTTP says nothing of how."""
    sends({}, IN_OTHER_LANGUAGES[name])
    live = USES["chat"](sdk)
    with inference_recording("record", recordings):
        USES["chat"](sdk)
    with inference_recording("replay", recordings):
        replayed = USES["chat"](sdk)

    assert live["x-city"] == replayed["x-city"]
    assert live.get("x-other") == replayed.get("x-other")


@pytest.mark.parametrize("name", USES)
def test_no_header_brings_a_secret_into_a_file(
    name: str,
    with_client: Callable[[Any], Colour],
    sdk: Colour,
    server: OpenAIServer,
    sends: Callable[..., None],
    recordings: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Servers echo in a header what they were asked with: a debug gateway the key, a redirect its signed url."""
    monkeypatch.setenv("SOME_TOKEN", SECRETS["of the environment"])
    sends({f"x-echo-{number}": f"you sent {secret}" for number, secret in enumerate(SECRETS.values())})
    kind = openai.AsyncOpenAI if sdk.is_async else openai.OpenAI
    colour = with_client(kind(base_url=server.base_url, api_key=KEY, max_retries=0))
    with inference_recording("record", recordings, redact=["Bert Brown"]):
        USES[name](colour)

    text = "".join(path.read_text() for path in recordings.glob("*.json"))
    assert {} == {kind: secret for kind, secret in SECRETS.items() if secret in text}
    assert len(SECRETS) == text.count("you sent __REDACTED_")


@pytest.mark.usefixtures("sessions_are_runs")
@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("count", [0, 1, 100])
def test_headers_are_on_one_line_and_rewrite_nothing_alone(
    count: int, name: str, sdk: Colour, sends: Callable[..., None], recordings: Path
) -> None:
    """A pull request shows a model's answer, not a hundred changed headers."""
    contents = []
    for run in range(2):
        sends({f"x-own-{number}": f"{run}" for number in range(count)} | {"x-request-id": f"req_{run}"})
        with inference_recording("record", recordings):
            USES[name](sdk)
        [path] = recordings.glob("*.json")
        contents.append((path.read_text(), path.stat().st_mtime_ns))

    assert contents[0] == contents[1]
    [line] = re.findall(r'^    "http": (.*?),?$', contents[0][0], re.MULTILINE)
    headers = json.loads(line)["headers"]
    assert count == sum(header.startswith("x-own-") for header in headers)
    assert "req_0" == headers["x-request-id"]


def test_a_file_with_headers_on_many_lines_replays_and_stays(
    sdk: Colour, sends: Callable[..., None], recordings: Path
) -> None:
    """Files of an earlier layout are not rewritten for their layout."""
    sends(HEADERS)
    with inference_recording("record", recordings):
        USES["chat"](sdk)
    [path] = recordings.glob("*.json")
    text = json.dumps(json.loads(path.read_text()), indent=2) + "\n"
    assert '"http": {\n' in text
    path.write_text(text)
    with inference_recording("replay", recordings):
        replayed = USES["chat"](sdk)
    with inference_recording("record", recordings):
        USES["chat"](sdk)

    assert "East US 2" == replayed["x-ms-region"]
    assert text == path.read_text()


@pytest.mark.usefixtures("sessions_are_runs")
def test_a_changed_answer_keeps_the_headers_that_differ_in_each_run(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The diff of a recording is then the change of its answer, and of the headers that belong to it."""
    seen = []
    for run, text in enumerate(["Hello!", "Good day!"]):
        headers = {"x-request-id": f"req_{run}", "openai-processing-ms": f"{run}", "x-own": f"{run}"}
        headers |= {f"x-only-in-{run}": "here"}
        server.answers("/v1/chat/completions", Reply(completion(text), headers=headers))
        with inference_recording("record", recordings):
            seen.append(sdk.call("chat.completions.with_raw_response.create", **HELLO))
    [path] = recordings.glob("*.json")
    headers = json.loads(path.read_text())["response"]["http"]["headers"]
    with inference_recording("replay", recordings):
        replayed = sdk.call("chat.completions.create", **HELLO)

    assert ["req_0", "req_1"] == [raw.headers["x-request-id"] for raw in seen]
    assert "Good day!" in path.read_text()
    assert ("req_0", "0") == (headers["x-request-id"], headers["openai-processing-ms"])
    assert ("1", "here") == (headers["x-own"], headers["x-only-in-1"])
    assert "x-only-in-0" not in headers
    assert "req_0" == replayed._request_id


@pytest.mark.usefixtures("sessions_are_runs")
def test_a_value_that_is_a_secret_by_now_is_not_kept_from_the_old_file(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Recording again with `redact=` is how to get a name out of a file."""
    for run, redact in enumerate([[], ["Bert Brown"]]):
        headers = {"x-request-id": f"of Bert Brown {run}"}
        server.answers("/v1/chat/completions", Reply(completion(f"{run}"), headers=headers))
        with inference_recording("record", recordings, redact=redact):
            sdk.call("chat.completions.create", **HELLO)
    [path] = recordings.glob("*.json")

    assert "Bert Brown" not in path.read_text()
    assert "of __REDACTED__ 1" in path.read_text()
