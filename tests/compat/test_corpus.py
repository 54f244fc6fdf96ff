"""Real recordings: llama-stack's corpus where it is present, and the specification's own one."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import inference_recording
from inference_recorder.engine.test_run import PYTEST_VARIABLE
from inference_recorder.recording.body import untyped
from inference_recorder.recording.failures import failure_from_json
from inference_recorder.request.jsonable import plain_arguments
from inference_recorder.request.keys import KEY_VERSIONS, request_key
from inference_recorder.request.request import Request
from inference_recorder.sdk.internals import constructed
from inference_recorder.sdk.methods import method_for

from ..conftest import SHARED
from ..support.differences import differences
from ..support.openai_server import OpenAIServer, Reply

CORPUS = SHARED / "corpus"
SEED_KEY = "792f5c2603ba2d22d48aebd47738190504316f2b7821673677c4af11131b4f0b"
SEED = Path(__file__).parents[2] / "recordings" / f"{SEED_KEY}.json"
NO_CORPUS = pytest.mark.skipif(not CORPUS.is_dir(), reason="needs ../shared/corpus, which is not part of the project")


@cache
def corpus() -> list[tuple[Path, dict[str, Any], str | None]]:
    """Return (file, its content, the generation that derives its name or None) for each recording."""
    found = []
    for path in sorted(CORPUS.rglob("*.json")):
        document = json.loads(path.read_text())
        name = path.stem.split("-")[1] if path.stem.startswith("models-") else path.stem
        request = document["request"]
        body, text, _ = plain_arguments(request["body"])
        asked = Request("POST", request["endpoint"], request["url"], body, text)
        keys = {generation.name: request_key(asked, document.get("test_id"), generation) for generation in KEY_VERSIONS}
        found.append((path, document, next((rule for rule, key in keys.items() if key == name), None)))
    return found


@NO_CORPUS
def test_most_real_recordings_are_found_by_a_rule() -> None:
    """The figure of the closing note; a rule that stops deriving its keys orphans a user's recordings."""
    assert {"exact": 203, "G10": 21, "G7a": 1, "G7": 19, None: 9} == Counter(rule for _, _, rule in corpus())


@NO_CORPUS
@pytest.mark.parametrize(
    ("way", "is_async"),
    [
        pytest.param("method", False, id="method-sync"),
        pytest.param("method", True, id="method-async", marks=pytest.mark.slow),
        pytest.param("client", False, id="client-sync", marks=pytest.mark.slow),
        pytest.param("client", True, id="client-async"),
    ],
)
@pytest.mark.usefixtures("without_plugin")
def test_every_derivable_real_recording_replays_as_the_sdk_builds_it(
    is_async: bool, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Migrating from llama-stack means that its thousands of files just work, however they are asked for."""
    monkeypatch.delenv(PYTEST_VARIABLE)  # some were made outside a test, whose id is null
    replayed = 0
    for path, document, rule in corpus():
        if rule is None:
            continue
        replayed += 1
        expected, actual = _expected(document, path), asyncio.run(_replayed(document, path.parent, is_async, way))
        assert [] == differences(expected, actual), path

    assert 244 == replayed


def test_the_specifications_recording_replays(tmp_path: Path) -> None:
    """Eleven chunks, the text, and the usage, sync and async."""
    document = json.loads(SEED.read_text())
    for is_async in (False, True):
        chunks = asyncio.run(_replayed(document, SEED.parent, is_async))

        assert 11 == len(chunks)
        assert "HUMANS LIVE ON EARTH." == "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert 44 == chunks[-1].usage.total_tokens
        assert {"rec-792f5c2603ba"} == {chunk.id for chunk in chunks}


def test_recording_the_specifications_call_gives_its_file_name(server: OpenAIServer, tmp_path: Path) -> None:
    """The key is llama-stack's to the last byte: what we record, it finds."""
    document = json.loads(SEED.read_text())
    events = [chunk["__data__"] | {"id": "chatcmpl-1", "created": 1} for chunk in document["response"]["body"]]
    server.answers("/v1/chat/completions", Reply(events=events))
    with openai.OpenAI(base_url=server.base_url, api_key="x") as client:
        with inference_recording("record", tmp_path, test_id=document["test_id"]):
            list(client.chat.completions.create(**document["request"]["body"]))

    written = json.loads((tmp_path / f"{SEED_KEY}.json").read_text())
    assert document["response"]["body"] == written["response"]["body"]
    assert document["request"]["body"] == written["request"]["body"]
    assert document["test_id"] == written["test_id"]


async def _replayed(document: dict[str, Any], directory: Path, is_async: bool, way: str = "method") -> Any:
    request = document["request"]
    client = _client(request["url"].removesuffix(request["endpoint"]), is_async)
    kept_from_before = _method(client, request["endpoint"])  # bypasses the resource method
    with inference_recording("replay", directory, test_id=document.get("test_id")):
        method = kept_from_before if way == "client" else _method(client, request["endpoint"])
        try:
            answer = method(**request["body"])
            answer = await answer if is_async else answer
            if request["endpoint"] == "/v1/models":
                answer = answer.data
            elif request["body"].get("stream"):
                answer = [item async for item in answer] if is_async else list(answer)
        except openai.APIError as error:
            answer = [type(error).__name__, error.message, error.status_code, error.body]  # type: ignore[attr-defined]
    return answer


@cache
def _client(base_url: str, is_async: bool) -> Any:
    kind: Any = openai.AsyncOpenAI if is_async else openai.OpenAI
    return kind(base_url=base_url, api_key="x", max_retries=0)


def _method(client: Any, endpoint: str) -> Any:
    for part in endpoint.removeprefix("/v1/").split("/"):
        client = getattr(client, part)
    return client.list if endpoint == "/v1/models" else client.create


def _expected(document: dict[str, Any], path: Path) -> Any:
    response, method = document["response"], method_for(document["request"]["endpoint"])
    assert method is not None
    if response.get("is_exception"):
        failure = failure_from_json(response)
        return [failure.type, failure.message, failure.status_code, failure.body]
    if method.is_list:
        key = path.stem.rpartition("-")[0]
        documents = [json.loads(other.read_text()) for other in sorted(path.parent.glob(f"{key}-*.json"))]
        models = [model["__data__"] for other in documents for model in other["response"]["body"]]
        if len(documents) > 1:
            by_id = {model["id"]: model for model in models}
            models = [by_id[name] for name in sorted(by_id)]
        return [constructed(method.answer_type, model) for model in models]
    if isinstance(response["body"], list):
        return [constructed(method.chunk_type, untyped(chunk)) for chunk in response["body"]]
    answer = constructed(method.answer_type, untyped(response["body"]))
    answer.__dict__["_request_id"] = None  # what the client adds to every answer
    return answer
