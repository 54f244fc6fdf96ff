"""llama-stack's names do what its users' code expects of them."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlparse

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from inference_recorder import CorruptRecording, MissingRecording, UnrecordableValue, inference_recording
from inference_recorder import llama_stack as ancestor

from ..conftest import HELLO, Colour, files_of
from ..sdk.test_model_lists import keys_of, model, outcome, page, put
from ..support.directories import contents_of
from ..support.openai_server import OpenAIServer, Reply, completion, error
from ..support.secret_table import SECRETS

KEY = SECRETS[0]


def test_both_generations_of_names_are_the_same_things() -> None:
    """Migrating is one changed import line, whichever age the code is of."""
    assert ancestor.api_recording is ancestor.inference_recording
    assert ancestor.APIRecordingMode is ancestor.InferenceMode
    assert ancestor.setup_api_recording is ancestor.setup_inference_recording
    assert ancestor.get_api_recording_mode is ancestor.get_inference_mode
    assert ancestor.normalize_request is ancestor.normalize_inference_request


def test_the_environment_sets_recording_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A conftest written for llama-stack's recorder asks so, and gets None for live."""
    assert ancestor.InferenceMode.REPLAY is ancestor.get_inference_mode()
    monkeypatch.setenv("LLAMA_STACK_TEST_INFERENCE_MODE", "record")
    monkeypatch.setenv("LLAMA_STACK_TEST_RECORDING_DIR", str(tmp_path))
    recorder = ancestor.setup_inference_recording()
    assert recorder is not None
    with recorder as session:
        assert (ancestor.InferenceMode.RECORD, tmp_path) == (session.mode, session.store.directories.written)

    monkeypatch.setenv("LLAMA_STACK_TEST_INFERENCE_MODE", "live")
    assert ancestor.setup_inference_recording() is None


@pytest.mark.usefixtures("without_plugin")
def test_normalize_request_gives_the_key_of_the_running_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """The specification's recording was made in the test that its file names."""
    document = json.loads(
        next((Path(__file__).parents[2] / "recordings").glob("792f*.json")).read_text(encoding="utf-8")
    )
    monkeypatch.setenv("PYTEST_CURRENT_TEST", f"{document['test_id']} (call)")
    request = document["request"]
    key = ancestor.normalize_inference_request("post", request["url"], {"Authorization": "x"}, request["body"])

    assert "792f5c2603ba2d22d48aebd47738190504316f2b7821673677c4af11131b4f0b" == key


@pytest.mark.usefixtures("without_plugin")
def test_ids_are_those_that_llama_stack_gives_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are in prompts: with others, its recordings of file search answer nothing."""
    new_id = ancestor.deterministic_ids()
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    outside = new_id("file", lambda: "own")
    first = int(sha256(b"tests/test_a.py::test_b").hexdigest(), 16) % 1_000_000_000_000 + 1
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "tests/test_a.py::test_b (call)")

    kinds = ("file", "file", "vector_store", "vector_store_file_batch", "tool_call", "conversation")
    expected = [f"file-{first}", f"file-{first + 1}", f"vs_{first}", f"batch_{first}", f"call_{first}", "own"]
    assert ["own", *expected] == [outside, *(new_id(kind, lambda: "own") for kind in kinds)]


def test_a_response_storage_finds_what_it_stored(tmp_path: Path) -> None:
    """As llama-stack's own tests use it: any hash, a plain body."""
    storage = ancestor.ResponseStorage(tmp_path)
    request = {
        "method": "POST",
        "url": "http://x/v1/chat/completions",
        "endpoint": "/v1/chat/completions",
        "model": "m",
    }
    storage.store_recording("test_hash_123", request, {"body": {"content": "test response"}, "is_streaming": False})
    found = storage.find_recording("test_hash_123")

    assert found is not None
    assert "m" == found["request"]["model"]
    assert "test response" == found["response"]["body"]["content"]
    assert storage.find_recording("another") is None
    assert ["test_hash_123.json"] == files_of(tmp_path / "recordings")


@pytest.mark.parametrize("is_streaming", [False, True])
def test_a_response_storage_gives_typed_bodies_back(is_streaming: bool, tmp_path: Path) -> None:
    """The type comes from the endpoint; the file's own word for it is not trusted."""
    storage = ancestor.ResponseStorage(tmp_path)
    answer = ChatCompletion.model_validate(completion("typed"))
    chunk = ChatCompletionChunk(id="a", choices=[], created=1, model="m", object="chat.completion.chunk")
    body: Any = [chunk, chunk] if is_streaming else answer
    storage.store_recording("abc", {"endpoint": "/v1/chat/completions"}, {"body": body, "is_streaming": is_streaming})
    found = storage.find_recording("abc")

    assert found is not None
    if is_streaming:
        assert [ChatCompletionChunk, ChatCompletionChunk] == [type(item) for item in found["response"]["body"]]
    else:
        assert "typed" == found["response"]["body"].choices[0].message.content


def test_a_response_storage_gives_json_where_the_sdk_has_no_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streamed images came with a release of the SDK that is newer than the oldest that we support."""
    storage, event = ancestor.ResponseStorage(tmp_path), {"type": "image_generation.completed", "b64_json": ""}
    body = {"body": [event], "is_streaming": True}
    storage.store_recording("abc", {"endpoint": "/v1/images/generations"}, body)
    monkeypatch.delattr(openai.types, "ImageGenStreamEvent", raising=False)
    found = storage.find_recording("abc")

    assert found is not None
    assert [event] == found["response"]["body"]


@pytest.mark.parametrize("is_streaming", [False, True])
def test_a_response_storage_writes_no_secret(is_streaming: bool, tmp_path: Path) -> None:
    """Its callers bring their own requests, which no session has looked at."""
    storage, text = ancestor.ResponseStorage(tmp_path), KEY.text.format(KEY.one)
    request = {"endpoint": "/v1/chat/completions", "body": {"input": text}}
    body = [{"text": text}] if is_streaming else {"text": text}
    storage.store_recording("abc", request, {"body": body, "is_streaming": is_streaming})
    storage.store_recording("def", {"endpoint": text}, {"body": body, "is_streaming": is_streaming})

    written = b"".join(path.read_bytes() for path in (tmp_path / "recordings").glob("*.json"))

    assert KEY.one.encode() not in written
    assert b"__REDACTED_1__" in written


def test_a_response_storage_hides_a_secret_beside_names_that_are_numbers(tmp_path: Path) -> None:
    """Token ids: looking for the secret ended in a TypeError, of a request and of an answer, be it a mock's or this."""
    storage, value = ancestor.ResponseStorage(tmp_path), {9: KEY.one, 10: "x"}

    storage.store_recording("abc", {"endpoint": "/v1/other", "body": value}, {"body": {"tokens": value}})
    found = storage.find_recording("abc")
    assert found is not None

    assert {"9": "__REDACTED_1__", "10": "x"} == found["request"]["body"]
    assert {"tokens": {"9": "__REDACTED_1__", "10": "x"}} == found["response"]["body"]


def test_a_response_storage_refuses_what_it_cannot_store(tmp_path: Path) -> None:
    """llama-stack's recorder wrote `<object at 0x…>` and went on."""
    storage = ancestor.ResponseStorage(tmp_path)
    with pytest.raises(UnrecordableValue):
        storage.store_recording("abc", {"endpoint": "x"}, {"body": object(), "is_streaming": False})
    with pytest.raises(ValueError, match="not a recording's name"):
        storage.store_recording("../abc", {"endpoint": "x"}, {"body": {}, "is_streaming": False})
    (tmp_path / "recordings").mkdir(exist_ok=True)
    (tmp_path / "recordings" / "bad.json").write_text('{"response"')
    with pytest.raises(CorruptRecording):
        storage.find_recording("bad")


OPTIONS = [
    {"timeout": 30.0},
    {"timeout": None},
    {"extra_headers": {"Authorization": "Bearer one-two-three-four"}, "timeout": 5},
]


@pytest.mark.parametrize("options", OPTIONS, ids=["a timeout", "no timeout", "headers with a secret"])
@pytest.mark.parametrize("recorder", [ancestor.inference_recording, inference_recording])
def test_what_was_recorded_with_a_timeout_or_headers_is_found(
    recorder: Any, options: dict[str, Any], client: openai.OpenAI, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """llama-stack's recorder has them in the body, so in the key; no error or log here shows them."""
    url = f"{str(client.base_url).rstrip('/')}/v1/chat/completions"
    request = {"method": "POST", "url": url, "headers": {}, "body": {**HELLO, **options}}
    hashed = {"method": "POST", "endpoint": urlparse(url).path, "body": request["body"], "test_id": None}
    key = sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()
    answer = {"__type__": "openai.types.chat.chat_completion.ChatCompletion", "__data__": completion("Hi")}
    recording = {
        "test_id": None,
        "request": {**request, "endpoint": "/v1/chat/completions", "model": HELLO["model"]},
        "response": {"body": answer, "is_streaming": False},
        "id_normalization_mapping": {},
    }
    (tmp_path / f"{key}.json").write_text(json.dumps(recording))

    with recorder("replay", tmp_path, scope="shared") as session:
        client.chat.completions.create(**HELLO, **options)
        replayed = client.chat.completions.create(**HELLO, **options)
        with pytest.raises(MissingRecording) as other:
            client.chat.completions.create(
                **HELLO, timeout=openai.Timeout(30.0), extra_headers={"X-Token": "five-six-seven"}
            )

    assert ("Hi", {"replayed": 2, "missed": 1}) == (replayed.choices[0].message.content, session.counts)
    shown = [repr(value) for value in (other.value, vars(other.value), session.requests, session.missed)]
    text = "".join([*shown, str(other.value), caplog.text])
    assert not [secret for secret in ("one-two-three-four", "five-six-seven") if secret in text]
    assert [key] == [path.stem for path in tmp_path.glob("*.json")]


REFUSED = error(401, "no", code="invalid_api_key")


@pytest.mark.parametrize("version", ["exact", "G9", "G1"])
def test_lists_of_models_are_fetched_again_and_an_equal_set_changes_no_file(
    version: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """llama-stack's newest recorder does so, to see new models; times and order that differ would make a diff."""
    put(recordings, keys_of(server.base_url)[version], [model("a"), model("b")], base_url=server.base_url)
    before = contents_of(recordings)
    server.answers("/v1/models", Reply({"object": "list", "data": [model("b", 7), model("a", 7)]}))

    with ancestor.inference_recording("record-if-missing", recordings, test_id="t") as session:
        live = outcome(sdk)
        assert ["b", "a"] == live == outcome(sdk)

    assert (2, before) == (server.count, contents_of(recordings))
    assert {Path(call.path).name for call in session.recorded} == {path.name for path in recordings.glob("*.json")}


def test_a_new_set_of_models_is_recorded_beside_the_old_one(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A replay knows the models of both."""
    server.answers("/v1/models", page("a"), page("c", "b"))
    with ancestor.inference_recording("record-if-missing", recordings):
        assert [["a"], ["c", "b"]] == [outcome(sdk), outcome(sdk)]
    with ancestor.inference_recording("replay", recordings):
        assert ["a", "b", "c"] == outcome(sdk)

    assert 2 == len(files_of(recordings))


def test_a_list_of_models_that_cannot_be_fetched_leaves_the_recorded_one(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Its caller gets the error, and not silently the old list; the next replay still has that list."""
    server.answers("/v1/models", page("a"), REFUSED)
    with ancestor.inference_recording("record-if-missing", recordings) as session:
        assert [["a"], 401] == [outcome(sdk), outcome(sdk)]
    with ancestor.inference_recording("replay", recordings):
        assert ["a"] == outcome(sdk)

    assert [1, 1] == [len(session.recorded), len(session.dropped)]


def test_the_general_recorder_fetches_no_recorded_list(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """What is recorded never goes live."""
    for _ in range(2):
        with inference_recording("record-if-missing", recordings):
            outcome(sdk)

    assert 1 == server.count


@pytest.mark.parametrize("directory", ["recordings", "responses"])
def test_recordings_in_the_llama_stacks_directories_are_found(
    directory: str, client: openai.OpenAI, tmp_path: Path
) -> None:
    """Its two generations kept their files in two places below the folder they were given."""
    with ancestor.inference_recording("record", tmp_path / directory):
        recorded = client.chat.completions.create(**HELLO)
    with ancestor.api_recording(ancestor.APIRecordingMode.REPLAY, str(tmp_path)):
        replayed = client.chat.completions.create(**HELLO)

    assert recorded.choices == replayed.choices


async def test_the_llama_stacks_own_test_of_recording_passes(tmp_path: Path) -> None:
    """Its users copied this shape: `create` patched, a client that reaches nothing, record, then replay."""
    answer = ChatCompletion.model_validate(completion("Hi"))

    async def mock_create(*args: Any, **kwargs: Any) -> ChatCompletion:
        return answer

    with patch("openai.resources.chat.completions.AsyncCompletions.create", side_effect=mock_create):
        with ancestor.api_recording(mode=ancestor.APIRecordingMode.RECORD, storage_dir=str(tmp_path)):
            client = openai.AsyncOpenAI(base_url="http://localhost:11434/v1", api_key="test")
            assert answer is await client.chat.completions.create(**HELLO, temperature=0.7, user=openai.NOT_GIVEN)
    with ancestor.api_recording(mode="replay", storage_dir=str(tmp_path)):
        replayed = await client.chat.completions.create(**HELLO, temperature=0.7, user=openai.NOT_GIVEN)

    await client.close()
    assert "Hi" == replayed.choices[0].message.content
