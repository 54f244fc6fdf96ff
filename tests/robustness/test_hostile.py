"""Recordings out of a stranger's pull request: they can make a test fail, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from itertools import cycle, product
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import CorruptRecording, inference_recording
from inference_recorder.llama_stack import ResponseStorage
from inference_recorder.recording.answer import Failed, Failure, Http, Value
from inference_recorder.recording.body import typed
from inference_recorder.recording.codec import encode
from inference_recorder.recording.layout import digest_of

from ..conftest import HELLO, Colour, files_of
from ..support.openai_server import OpenAIServer, chunk, completion

TYPES: list[Any] = [
    "os.system",
    "subprocess:Popen",
    "builtins.eval",
    "__import__('os')",
    "text",
    "base64",
    "attached",
    "{0.__class__}",
    "../../etc/passwd",
    "",
    7,
    None,
    [],
    {"__type__": []},
    "\ud800",
    "x" * 100_000,
]
DATA: list[Any] = [
    completion(),
    None,
    7,
    1e308,
    "text",
    "\ud800",
    [],
    [[]],
    {},
    {"id": []},
    {"choices": 7},
    {"choices": [None]},
    {"choices": [{"message": []}]},
    {"choices": {"0": {}}},
    {"object": {}, "usage": "x"},
    {"__class__": "x", "__dict__": {}, "_fields_set": ["id"], "self": 1, "cls": 2, "__cls": 3, "values": 4},
    {"model_config": {}, "model_dump": 1, "__pydantic_extra__": {"a": 1}, "__pydantic_fields_set__": 7},
    {"_request_id": 7, "choices": []},
    {"created": -(10**400)},
    {"": "", "\n": "\r\n", "\0": "\0"},
    "0" * 64,
    "../" * 20 + "etc/passwd",
    digest_of(b""),
    {"object": "error"},
    {"error": "x"},
    float("nan"),
]
HEADERS: list[Any] = [
    {},
    {"a": "b\r\nset-cookie: x"},
    {"content-type": "é", "x-request-id": "日本"},
    {"content-encoding": "gzip"},
    {"Transfer-Encoding": "chunked", "Content-Length": "7"},
    {"": ""},
    {"location": "http://elsewhere"},
    {"retry-after": "1e9", "x-should-retry": "true", "openai-poll-after-ms": "99999999"},
]
FAILURES: list[Any] = [
    "os.system",
    "ComputerEnvironment",
    "ResponseStreamManager",
    "OpenAI",
    "__loader__",
    "OpenAIError",
    "",
    "LengthFinishReasonError",
    "APIError",
    "APIStatusError",
    "APIConnectionError",
    "APITimeoutError",
    "APIResponseValidationError",
    "OAuthError",
    "RateLimitError",
    "ContentFilterFinishReasonError",
    "httpx.ReadError",
    "httpx.Client",
    "\ud800",
    7,
    ["x"],
    {},
]
NAMES = [
    "../up",
    "/etc/passwd",
    "..",
    ".",
    "",
    "a/b",
    "a\\b",
    "nul\0",
    "x" * 300,
    "line\n",
    "\u202egnp.exe",
    "ａ",
    "a\u2215b",
    ".git",
    "C:\\x",
    "~root",
    "$HOME",
    "%2e%2e",
    "a*",
    "-rf",
    "\ud800",
]


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


def put(recordings: Path, response: Any) -> None:
    """Give the one recording another response."""
    [path] = recordings.glob("*.json")
    document = json.loads(path.read_text())
    document["response"] = response
    path.write_text(json.dumps(document, indent=2) + "\n")


def replayed(sdk: Colour, recordings: Path, is_streaming: bool) -> int:
    """Return how many of the two targets refused with CorruptRecording; no other error of ours may be raised."""
    refused = 0
    with inference_recording("replay", recordings):
        for name in ("chat.completions.create", "chat.completions.with_raw_response.create"):
            try:
                answer = sdk.call(name, **HELLO, stream=is_streaming)
                if "raw" in name:
                    answer = sdk.wait(answer.parse())
                if isinstance(answer, (openai.Stream, openai.AsyncStream)):
                    sdk.items(answer)
            except CorruptRecording:
                refused += 1
            except openai.APIError:
                assert "raw" in name  # what a server that answers so makes the SDK raise
            except json.JSONDecodeError:
                assert "raw" in name or is_streaming  # as above; through a method, at an event that is not JSON
    return refused


@pytest.fixture(params=[False, True], ids=["plain", "streamed"])
def is_streaming(request: pytest.FixtureRequest, sdk: Colour, recordings: Path) -> bool:
    with inference_recording("record", recordings):
        answer = sdk.call("chat.completions.create", **HELLO, stream=request.param)
        if request.param:
            sdk.items(answer)
    return bool(request.param)


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_no_type_and_no_data_do_more_than_fail(
    every: int, is_streaming: bool, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Nothing is imported, executed, formatted or used as a path because a file says so."""
    asked, before, refused = server.count, set(sys.modules), 0
    bodies: list[Any] = [{"__type__": kind, "__data__": completion()} for kind in TYPES]
    bodies += [{"__type__": "x", "__data__": data} for data in DATA]
    bodies += [{"__type__": kind, "__data__": data} for kind in ("text", "base64", "attached") for data in DATA]
    bodies += [{"__type__": "x", "__data__": completion(extra=deep(levels))} for levels in (240, 260, 500, 900)]
    bodies += [chunk({}) | {"__event__": event} for event in ("a\nb", "\ud800", 7, [], "data: x")]
    bodies += [*DATA, {"__type__": "x"}, {"__data__": "x"}]
    for body in bodies[sdk.is_async :: every]:
        for shape in ([body], [completion(), body]) if is_streaming else (body, [body]):
            put(recordings, {"body": shape, "is_streaming": is_streaming})
            refused += replayed(sdk, recordings, is_streaming)

    print(f"hostile bodies: {len(bodies)} kinds, refused {refused} times, nothing else raised")
    assert refused or is_streaming
    assert asked == server.count
    assert {name.partition(".")[0] for name in set(sys.modules) - before} <= {"openai"}


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_no_failure_and_no_header_do_more_than_fail(
    every: int, is_streaming: bool, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The class is looked up among the SDK's errors; the headers are those of a response in memory."""
    asked = server.count
    bodies = cycle([None, "x", "\ud800", {"message": "x"}, deep(500)])
    kinds = list(product(FAILURES, ({}, {"status_code": 429}, {"category": "transport"}, {"text": "\ud800"})))
    for kind, more in kinds[::every]:
        data = {"type": kind, "message": "m", "body": next(bodies)} | more
        put(recordings, {"body": [], "is_streaming": is_streaming, "is_exception": True, "exception_data": data})
        with inference_recording("replay", recordings):
            with pytest.raises((openai.APIError, CorruptRecording, *_transport_errors())):
                answer = sdk.call("chat.completions.create", **HELLO, stream=is_streaming)
                sdk.items(answer)
    for headers in HEADERS:
        body = [chunk({})] if is_streaming else completion()
        http = {"status_code": 200, "headers": headers}
        put(recordings, {"body": typed_like(body), "is_streaming": is_streaming, "http": http})
        assert 0 == replayed(sdk, recordings, is_streaming)

    assert asked == server.count


@pytest.mark.parametrize("member", ["type", "message", "body", "text"])
def test_a_failure_nested_too_deep_is_corrupt_or_raised(member: str, client: openai.OpenAI, recordings: Path) -> None:
    """orjson reads deeper than Python prints."""
    with inference_recording("record", recordings):
        client.chat.completions.create(**HELLO)
    data = {"type": "APIError", "message": "m", member: "deep"}
    put(recordings, {"body": None, "is_streaming": False, "is_exception": True, "exception_data": data})
    [path] = recordings.glob("*.json")
    path.write_text(path.read_text().replace('"deep"', "[" * 1_000 + "]" * 1_000))
    with inference_recording("replay", recordings), pytest.raises((openai.APIError, CorruptRecording)):
        client.chat.completions.create(**HELLO)


def typed_like(body: Any) -> Any:
    return [typed("x", item) for item in body] if isinstance(body, list) else typed("x", body)


def _transport_errors() -> tuple[type[Exception], ...]:
    return tuple(sys.modules[name].TransportError for name in ("httpx", "httpx2") if name in sys.modules)


def test_a_failure_named_like_a_module_of_the_sdk_imports_nothing() -> None:
    """The SDK imports some modules when a name of theirs is asked for; a file must not be the one who asks."""
    program = """
        import sys, openai
        from pathlib import Path
        from inference_recorder.recording.failures import revive_failure
        from inference_recorder.recording.answer import Failed, Failure
        library = sys.modules.get("httpx2") or sys.modules["httpx"]
        names = [name for name in dir(openai) if name not in vars(openai)]
        before = set(sys.modules)
        for name in names:
            failure = Failure(name, "m", 400)
            revive_failure(Failed(failure), "f", library, library.Request("POST", "http://x"))
        print(sorted(set(sys.modules) - before))
    """
    run = [sys.executable, "-c", textwrap.dedent(program)]
    result = subprocess.run(run, capture_output=True, text=True, check=True)

    assert "[]" == result.stdout.strip()


@pytest.mark.parametrize("kind", ["models.list", "embeddings.create"])
def test_a_stream_in_place_of_another_answer_is_corrupt(kind: str, sdk: Colour, recordings: Path) -> None:
    """Methods that never stream have no chunks to make."""
    kwargs: dict[str, Any] = {} if kind == "models.list" else {"model": "m", "input": "x"}
    with inference_recording("record", recordings):
        sdk.call(kind, **kwargs)
    put(recordings, {"body": [{"id": "a"}], "is_streaming": True})
    with inference_recording("replay", recordings), pytest.raises(CorruptRecording, match="it holds a stream"):
        sdk.call(kind, **kwargs)


def test_an_invalid_list_of_models_is_corrupt(sdk: Colour, recordings: Path) -> None:
    """Older files hold a page; what is under its "data" is anybody's."""
    with inference_recording("record", recordings):
        sdk.call("models.list")
    put(recordings, {"body": {"data": 7}, "is_streaming": False})
    with inference_recording("replay", recordings), pytest.raises(CorruptRecording, match="must be a list of models"):
        sdk.call("models.list")


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_no_test_id_and_no_hash_leave_the_directory(name: str, client: openai.OpenAI, tmp_path: Path) -> None:
    """A test id is hashed, never a path; a hash that is not a plain name is refused, for reading too."""
    recordings = tmp_path / "deep" / "inside"
    with inference_recording("record", recordings, test_id=name):
        client.chat.completions.create(**HELLO)
    with inference_recording("replay", recordings, test_id=name) as session:
        client.chat.completions.create(**HELLO)
    storage = ResponseStorage(recordings)

    assert [f"{session.replayed[0].key}.json"] == files_of(recordings)
    assert [recordings.parent] == list(tmp_path.iterdir())
    assert [recordings] == list(recordings.parent.iterdir())
    with pytest.raises(ValueError, match="not a recording's name"):
        storage.find_recording(name)
    with pytest.raises(ValueError, match="not a recording's name"):
        storage.store_recording(name, {"endpoint": "x"}, {"body": {}})


def test_headers_of_any_language_come_back(sdk: Colour, recordings: Path) -> None:
    """A gateway may name its region or its user in a rate limit's header; the HTTP libraries refuse such text."""
    with inference_recording("record", recordings):
        sdk.call("chat.completions.create", **HELLO)
    [path] = recordings.glob("*.json")
    http = Http(200, {"x-ratelimit-of": "Zürich 日本"})
    request = json.loads(path.read_text())["request"]
    path.write_bytes(encode(None, request, Value(typed("x", completion("Hi")), http=http)))
    with inference_recording("replay", recordings):
        raw = sdk.call("chat.completions.with_raw_response.create", **HELLO)
    path.write_bytes(encode(None, request, Failed(Failure("RateLimitError", "m", 429, {}), http=http)))
    with inference_recording("replay", recordings), pytest.raises(openai.RateLimitError) as caught:
        sdk.call("chat.completions.create", **HELLO)

    assert "Zürich 日本" == raw.headers["x-ratelimit-of"] == caught.value.response.headers["x-ratelimit-of"]
