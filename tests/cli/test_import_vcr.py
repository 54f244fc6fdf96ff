"""`inference-recorder import vcr`: calls that vcrpy recorded are replayed from the imported recordings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import inference_recording
from inference_recorder.cli.import_vcr import calls
from inference_recorder.sdk import methods
from inference_recorder.sdk.methods import METHODS, Method

from ..conftest import HELLO
from ..support.openai_server import OpenAIServer, Reply, default_reply, error
from .recorded import run

ID = "tests/test_chat.py::test_hello"
TOOLS: dict[str, Any] = HELLO | {
    "tools": [
        {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    ],
    "temperature": 0.123456789,
    "stop": None,
}
UPLOAD = (b'{"a": "\xc3\xa9"}\r\n\x00\xff', "batch.jsonl")


def plain(result: Any) -> Any:
    """Return the comparable parts of an answer, a failure, or a list of chunks."""
    if isinstance(result, list):
        return [plain(item) for item in result]
    if isinstance(result, openai.APIStatusError):
        return type(result), result.message, result.status_code, result.body, result.code, result.request_id
    data = result.model_dump() if hasattr(result, "model_dump") else result
    if isinstance(data, dict) and data.get("object") in ("chat.completion", "chat.completion.chunk", "text_completion"):
        return data | {"id": "", "created": 0}  # constants in a recording
    return data | {key: 0 for key in ("created", "created_at") if key in data} if isinstance(data, dict) else data


def failure_of(call: Callable[[], Any]) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        call()
    return caught.value


def upload(client: Any) -> Any:
    return client.files.create(file=(UPLOAD[1], UPLOAD[0]), purpose="batch")


async def call_async(base_url: str) -> list[Any]:
    async with openai.AsyncOpenAI(base_url=base_url, api_key="sk-secret", max_retries=0) as client:
        stream = await client.chat.completions.create(**HELLO, stream=True, user="async")
        chunks = [chunk async for chunk in stream]
        models = [model async for model in client.models.list()]
        return [await client.responses.create(model="gpt-4o", input="async"), chunks, models]


CALLS: dict[str, Callable[[openai.OpenAI], Any]] = {
    "plain": lambda client: client.chat.completions.create(**HELLO),
    "tools, a long fraction and a null": lambda client: client.chat.completions.create(**TOOLS),
    "streamed": lambda client: list(client.chat.completions.create(**HELLO, stream=True)),
    "streamed with usage": lambda client: list(
        client.chat.completions.create(**HELLO, stream=True, stream_options={"include_usage": True})
    ),
    "extra body": lambda client: client.chat.completions.create(**HELLO, extra_body={"top_k": 3}),
    "extra query": lambda client: client.chat.completions.create(**HELLO, extra_query={"tag": "a"}),
    "twice the same": lambda client: [client.chat.completions.create(**HELLO, user="twice") for _ in range(2)],
    "completion": lambda client: client.completions.create(model="m", prompt="Hi"),
    "streamed completion": lambda client: list(client.completions.create(model="m", prompt="Hi", stream=True)),
    "embeddings": lambda client: client.embeddings.create(model="e", input=["a", "bc"]),
    "embeddings as floats": lambda client: client.embeddings.create(model="e", input="a", encoding_format="float"),
    "response": lambda client: client.responses.create(model="gpt-4o", input="Hi"),
    "streamed response": lambda client: list(client.responses.create(model="gpt-4o", input="Hi", stream=True)),
    "moderation": lambda client: client.moderations.create(input="Hi"),
    "image": lambda client: client.images.generate(prompt="a cat"),
    "models": lambda client: list(client.models.list()),
    "raw": lambda client: client.chat.completions.with_raw_response.create(**HELLO, user="raw").parse(),
    "an unknown endpoint": lambda client: failure_of(lambda: client.post("/nowhere", body={"a": 1}, cast_to=object)),
    "client.post": lambda client: client.post("/chat/completions", body=HELLO | {"user": "p"}, cast_to=object),
    "failure": lambda client: failure_of(lambda: client.chat.completions.create(model="none", messages=[])),
    "overloaded": lambda client: failure_of(lambda: client.moderations.create(input="overloaded")),
    "upload": upload,
    "nested form": lambda client: client.post(
        "/files",
        cast_to=object,
        body={"expires_after": {"anchor": "created_at", "seconds": 3600}, "include": ["a"]},
        files={"file": b"abc"},
        options={"headers": {"Content-Type": "multipart/form-data"}},
    ),
    "unnamed upload": lambda client: client.files.create(file=b"abc", purpose="batch"),
    "transcription": lambda client: client.audio.transcriptions.create(
        file=("a.wav", b"RIFF\r\n\r\n", "audio/wav"), model="w", temperature=0.2, timestamp_granularities=["word"]
    ).text,
    "speech": lambda client: client.audio.speech.create(input="Hi", model="tts", voice="alloy").content,
    "long speech": lambda client: client.audio.speech.create(input="long", model="tts", voice="alloy").content,
    "download": lambda client: client.files.content("file-1").content,
    "page": lambda client: client.files.list(limit=2, after="file-1").data,
    "retrieved": lambda client: client.models.retrieve("gpt-4o"),
    "deleted": lambda client: client.files.delete("file-1"),
}  # fmt: skip
"""Every kind of call: each is recorded by vcrpy, its cassette imported, and the call made again in replay."""


def script(server: OpenAIServer) -> None:
    """Script the endpoints that the server does not answer by itself."""
    file = {"id": "file-1", "object": "file", "bytes": 9, "created_at": 1, "filename": "a", "purpose": "batch"}
    answers = server.scripts
    processed = Reply(file | {"status": "processed"})

    def moderation(request: Any, number: int) -> Reply:
        if request.json["input"] == "overloaded":
            return error(503, "Try again.")
        return Reply({"id": "modr-1", "model": "m", "results": []})

    def chat_completion(request: Any, number: int) -> Reply:
        if request.json["model"] == "none":
            return error(404, "No such model.", code="model_not_found")
        return default_reply(request, number)

    answers["/v1/chat/completions"] = chat_completion
    answers["/v1/moderations"] = moderation
    answers["/v1/files"] = lambda request, number: (
        processed if request.method == "POST" else Reply({"object": "list", "data": [file], "has_more": False})
    )
    answers["/v1/files/file-1"] = lambda *_: Reply({"id": "file-1", "object": "file", "deleted": True})
    answers["/v1/models/gpt-4o"] = lambda *_: Reply({"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "me"})
    answers["/v1/audio/transcriptions"] = lambda *_: Reply({"text": "Hello."})
    answers["/v1/files/file-1/content"] = lambda *_: Reply(content=b'{ "a":1 }\n')
    answers["/v1/audio/speech"] = lambda request, _: Reply(
        content=b"ID3\x04\x00\xff" * (100_000 if request.json["input"] == "long" else 1), media_type="audio/mpeg"
    )


@pytest.fixture
def keyed(server: OpenAIServer) -> Any:
    script(server)
    with openai.OpenAI(base_url=server.base_url, api_key="sk-secret", max_retries=0) as client:
        yield client


@contextmanager
def cassette_written(path: Path, **options: Any) -> Any:
    """Record the calls in the block into a cassette."""
    vcrpy = pytest.importorskip("vcr", reason="vcrpy records these cassettes")
    path.parent.mkdir(parents=True, exist_ok=True)
    with vcrpy.VCR(ignore_localhost=False).use_cassette(str(path), **options) as cassette:
        yield cassette


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_vcrpy_recorded_is_replayed_after_its_import(
    name: str, keyed: openai.OpenAI, server: OpenAIServer, recordings: Path, tmp_path: Path
) -> None:
    """A user of vcrpy has hundreds of cassettes and does not want to pay for the calls again."""
    with cassette_written(tmp_path / "call.yaml"):
        live = CALLS[name](keyed)
    result = run("import", "vcr", "-o", recordings, "--test-id", ID, tmp_path)
    server.received.clear()
    with inference_recording("replay", recordings, test_id=ID) as session:
        replayed = CALLS[name](keyed)

    assert (0, 0) == (result.exit_code, server.count), result.output
    assert plain(live) == plain(replayed)
    assert {"replayed"} == set(session.counts)


def test_a_call_of_a_method_that_only_a_later_sdk_has_is_imported_as_a_client_request(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that is ahead of the installed SDK must not cost a user of vcrpy the recording."""
    later = Method("later.create", "/v1/later", "openai.resources.no_such_module", "Later",
                   answer="openai.types:NoSuchAnswer", params="openai.types:NoSuchParams", since="99.0.0")  # fmt: skip
    server.answers("/v1/later", Reply({"id": "later-1", "results": []}))

    def call() -> Any:
        return client.post("/later", body={"query": "q"}, cast_to=object)

    with cassette_written(tmp_path / "call.yaml"):
        live = call()
    for module in (calls, methods):
        monkeypatch.setattr(module, "METHODS", (*METHODS, later))
    result = run("import", "vcr", "-o", recordings, "--test-id", ID, tmp_path)
    server.received.clear()
    with inference_recording("replay", recordings, test_id=ID):
        replayed = call()

    assert (0, 0) == (result.exit_code, server.count), result.output
    assert "1 call imported, 0 skipped" in result.output
    assert live == replayed


@pytest.mark.parametrize("name", ["plain", "streamed", "failure", "embeddings", "response", "models"])
def test_an_import_writes_the_same_as_recording_live(
    name: str, keyed: openai.OpenAI, recordings: Path, tmp_path: Path
) -> None:
    """Only then do all other commands and promises hold for imported recordings."""
    with inference_recording("record", recordings, test_id=ID), cassette_written(tmp_path / "call.yaml"):
        CALLS[name](keyed)
    result = run("import", "vcr", "-o", recordings, "--test-id", ID, tmp_path / "call.yaml")

    assert 0 == result.exit_code, result.output
    assert result.output.endswith("0 calls imported, 0 skipped, 1 recorded already\n"), result.output


def test_calls_of_async_clients_are_imported_too(server: OpenAIServer, recordings: Path, tmp_path: Path) -> None:
    """Sync and async clients send the same."""
    with cassette_written(tmp_path / "call.yaml"):
        live = asyncio.run(call_async(server.base_url))
    result = run("import", "vcr", "-o", recordings, "--no-test-id", tmp_path)
    server.received.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTEST_CURRENT_TEST")
        with inference_recording("replay", recordings):
            replayed = asyncio.run(call_async(server.base_url))

    assert (0, 0) == (result.exit_code, server.count), result.output
    assert plain(live) == plain(replayed)
