"""Import of cassettes as repositories hold them: of every age and shape, filtered, broken, hostile, of other APIs."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import openai
import pytest
import yaml
from click.testing import Result

from inference_recorder import inference_recording
from inference_recorder.cli.import_vcr.node_ids import node_id_of

from ..conftest import HELLO, files_of
from ..support.openai_server import chunks, completion
from .recorded import run

COMMITTED = Path(__file__).parent / "cassettes"
"""Made by vcrpy 9.4.2 with filter_headers=["authorization"] from the tests' server, whose URL was then replaced."""

CHAT = "https://api.openai.com/v1/chat/completions"
ID = "tests/test_chat.py::test_hello"
ANSWER = json.dumps(completion("Hello!"))
FILTERED = HELLO | {"model": "REDACTED", "user": "me"}


def import_vcr(*arguments: str | Path) -> Result:
    return run("import", "vcr", *arguments)


def interaction(
    *,
    uri: str = CHAT,
    method: str = "POST",
    body: Any = HELLO,
    request_headers: dict[str, Any] | None = None,
    status: int = 200,
    headers: dict[str, Any] | None = None,
    answer: Any = ANSWER,
) -> dict[str, Any]:
    """Return an interaction as vcrpy writes it, with the headers of the request and of the answer."""
    text = json.dumps(body) if isinstance(body, dict) else body
    return {
        "request": {
            "method": method,
            "uri": uri,
            "body": text,
            "headers": {"Content-Type": ["application/json"]} | (request_headers or {}),
        },
        "response": {
            "status": {"code": status, "message": "-"},
            "headers": {"Content-Type": ["application/json"]} | (headers or {}),
            "body": {"string": answer},
        },
    }


def cassette(path: Path, *interactions: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"version": 1, "interactions": list(interactions)}))
    return path


def replayed(recordings: Path, base_url: str = "https://api.openai.com/v1", **kwargs: Any) -> Any:
    """Return the text of a replayed chat completion."""
    with openai.OpenAI(base_url=base_url, api_key="none") as client:
        with inference_recording("replay", recordings, test_id=ID):
            answer = client.chat.completions.create(**(HELLO | kwargs))
            if kwargs.get("stream"):
                return "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)
            return answer.choices[0].message.content


def test_a_directory_of_cassettes_is_imported_for_the_tests_that_they_are_named_after(
    tmp_path: Path, recordings: Path
) -> None:
    """pytest-recording's layout shows which test made the calls, and a recording answers only that test."""
    shutil.copytree(COMMITTED, tmp_path / "tests" / "cassettes")
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "tests" / "test_sample.py").write_text(
        "class TestGreeting:\n    def test_hello(self): ...\n\n\nasync def test_streamed(): ...\n"
    )
    result = import_vcr("-o", recordings, tmp_path / "tests")
    stored = [json.loads((recordings / name).read_bytes()) for name in files_of(recordings)]

    assert 1 == result.exit_code
    assert {
        ("/v1/chat/completions", "tests/test_sample.py::TestGreeting::test_hello[gpt-4o]"),
        ("/v1/chat/completions", "tests/test_sample.py::test_streamed"),
        ("/v1/embeddings", None),
    } == {(file["request"]["endpoint"], file["test_id"]) for file in stored}
    assert "skipped 2, GET https://example.com/weather: it is not a call of the OpenAI SDK" in result.output
    assert "no test was found for the following" in result.output
    assert result.output.endswith("3 calls imported, 1 skipped, 1 retried answer left out\n")


def test_no_secret_of_a_cassette_reaches_a_recording(recordings: Path) -> None:
    """Cassettes hold cookies and organisations; recordings are committed."""
    import_vcr("-o", recordings, "--test-id", ID, COMMITTED)

    text = "".join((recordings / name).read_text() for name in files_of(recordings))
    assert "req_1" in text
    assert "session=secret" not in text
    assert "cookie" not in text


def _stored(string: Any, **headers: str) -> dict[str, Any]:
    return interaction(answer=string, headers={name.replace("_", "-"): [value] for name, value in headers.items()})


def _changed(part: str, **changes: Any) -> dict[str, Any]:
    raw = interaction()
    return raw | {part: raw[part] | changes}


@pytest.mark.parametrize(
    "raw",
    [
        _stored(ANSWER),
        _stored(ANSWER.encode() + b"\n"),
        _stored(gzip.compress(ANSWER.encode()), content_encoding="gzip"),
        _stored(zlib.compress(ANSWER.encode()), content_encoding="deflate"),
        _stored(ANSWER, content_encoding="br"),
        _changed("response", body={"base64_string": base64.b64encode(ANSWER.encode()).decode()}),
        _changed("response", body=ANSWER),
        _changed("response", headers={"content-type": "application/json"}),
        {
            "request": interaction()["request"],
            "response": {"status_code": 200, "http_version": "HTTP/1.1", "headers": {}, "content": ANSWER},
        },
        _changed("request", body=HELLO),
        _changed("request", body=json.dumps(HELLO).encode()),
        _changed("request", body={"string": json.dumps(HELLO)}),
        _changed("request", headers={}),
        _changed("request", headers=None, method="post"),
    ],
    ids=[
        "text",
        "bytes",
        "gzip",
        "deflate",
        "br, decoded by vcrpy, which left the header",
        "base64",
        "a body without 'string'",
        "headers that are not lists",
        "httpx before vcrpy 6",
        "a request as the object that aiohttp was given",
        "a request in bytes",
        "a request with 'string'",
        "no request headers",
        "a method in lower case",
    ],
)
def test_every_shape_that_vcrpy_gave_an_interaction_is_read(raw: dict[str, Any], tmp_path: Path) -> None:
    """Many cassettes are older than the installed vcrpy."""
    result = import_vcr("-o", tmp_path / "recordings", "--test-id", ID, cassette(tmp_path / "a.yaml", raw))

    assert 0 == result.exit_code, result.output
    assert "Hello!" == replayed(tmp_path / "recordings")


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("!!python/unicode '{body}'", "'{answer}'"),
        ("!!python/str '{body}'", "'{answer}'"),
        ("!!python/object/new:_io.BytesIO\n      state: !!python/tuple ['{body}', 0, null]", "'{answer}'"),
        ("!!python/object/apply:builtins.iter\n      args: [['{body}']]", "!!binary {encoded}"),
    ],
    ids=["python 2", "text", "a file", "an iterator"],
)
def test_the_harmless_tags_of_vcrpy_are_read(body: str, answer: str, tmp_path: Path) -> None:
    """vcrpy writes them for request bodies that were files or iterators."""
    encoded = base64.b64encode(ANSWER.encode()).decode()
    (tmp_path / "a.yaml").write_text(
        "interactions:\n"
        f"- request:\n    method: POST\n    uri: {CHAT}\n    headers: {{}}\n"
        f"    body: {body.format(body=json.dumps(HELLO))}\n"
        "  response:\n    status: {code: 200, message: OK}\n    headers: {}\n"
        f"    body:\n      string: {answer.format(answer=ANSWER, encoded=encoded)}\n"
    )
    result = import_vcr("-o", tmp_path / "recordings", "--test-id", ID, tmp_path / "a.yaml")

    assert 0 == result.exit_code, result.output
    assert "Hello!" == replayed(tmp_path / "recordings")


@pytest.mark.parametrize(
    "tag",
    [
        "object/apply:os.system",
        "object/apply:pathlib.Path.touch",
        "object/new:os.system",
        "name:os.system",
        "module:os",
    ],
)
def test_a_hostile_cassette_runs_nothing_and_the_others_are_imported(tag: str, tmp_path: Path) -> None:
    """Anybody can put a cassette into a pull request."""
    marker = tmp_path / "was_run"
    (tmp_path / "a.yaml").write_text(f"interactions:\n- !!python/{tag}\n  - touch {marker}\n")
    cassette(tmp_path / "b.yaml", interaction())
    result = import_vcr("-o", tmp_path / "recordings", "--test-id", ID, tmp_path)

    assert not marker.exists()
    assert 1 == result.exit_code
    assert f"{tmp_path / 'a.yaml'}, line 2: it cannot be read, and nothing of it is run: " in result.output
    assert "; nothing of it is imported\n" in result.output
    assert result.output.endswith("1 call imported, 0 skipped, 1 cassette unreadable\n")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "interactions:\n- request: [\n", ", line 3: it cannot be read as YAML: "),
        ("a.json", '{"version": 1,\n "interactions": [}', ", line 2: it is not JSON: "),
        ("a.yaml", "interactions: \0", ", line 1: it cannot be read as YAML: "),
        ("a.yaml", "- request: {}\n  response: {}\n", "vcrpy before 1.0 wrote it"),
        ("a.yaml", "interactions: 3\n", 'it has no list of "interactions"'),
        ("a.yaml", "interactions: !!binary {}\n", ", line 1: it cannot be read, and nothing of it is run: "),
        ("a.yaml", "interactions:\n- " + "[" * 100_000, ", line 2: it cannot be read as YAML: "),
        ("a.yaml", "interactions:\n" + "- " * 100_000, ", line 2: it cannot be read as YAML: "),
        ("a.json", "[" * 100_000, ", line 1: it cannot be read as YAML: "),
        ("a.json", '{"interactions": ' + "[" * 100_000, ": it cannot be read: it is nested too deeply"),
    ],
    ids=[
        "YAML",
        "JSON",
        "a control character",
        "an old format",
        "not a cassette",
        "a misused tag",
        "brackets nested too deeply",
        "lists nested too deeply",
        "a list nested too deeply in JSON",
        "JSON nested too deeply",
    ],
)
def test_an_unreadable_cassette_is_reported_with_its_line(name: str, text: str, message: str, tmp_path: Path) -> None:
    """With hundreds of files, the broken one must be easy to find."""
    (tmp_path / name).write_text(text)
    result = import_vcr("-o", tmp_path / "recordings", tmp_path / name)

    assert 1 == result.exit_code, result.output
    assert f"{tmp_path / name}" in result.output
    assert message in result.output


def test_a_directory_without_cassettes_is_an_error(tmp_path: Path) -> None:
    """It is usually another directory that was meant."""
    result = import_vcr(tmp_path)

    assert (1, True) == (result.exit_code, "no cassettes were found; name a cassette, or a directory" in result.output)


def test_files_of_a_directory_that_are_not_cassettes_are_ignored_and_named(tmp_path: Path) -> None:
    """A directory of tests holds other YAML and JSON too, perhaps our own recordings."""
    cassette(tmp_path / "a.yaml", interaction())
    (tmp_path / "b.json").write_text('{"tests": ["interactions"]}')
    (tmp_path / "c.yaml").write_text("a: {{ template }}")
    result = import_vcr("-o", tmp_path / "elsewhere", "--test-id", ID, tmp_path)

    assert 0 == result.exit_code, result.output
    assert f"ignored, not a cassette: {tmp_path / 'b.json'}, {tmp_path / 'c.yaml'}" in result.output


SENT_EVENTS = (
    ": a comment\n\n"
    + "".join(
        "id: 1\nretry: 3\ndata: {}\ndata: ,{}\n\n".format(*json.dumps(chunk).split(",", 1))
        for chunk in chunks("a", "b")
    )
    + "data: [DONE]\n\n"
)


@pytest.mark.parametrize("encoded", [False, True], ids=["as text", "gzip"])
def test_a_streamed_answer_is_imported_with_comments_and_lines(encoded: bool, tmp_path: Path) -> None:
    """Gateways use the whole grammar of server-sent events."""
    headers = {"Content-Type": ["text/event-stream"]} | ({"Content-Encoding": ["gzip"]} if encoded else {})
    answer = gzip.compress(SENT_EVENTS.encode()) if encoded else SENT_EVENTS
    raw = interaction(body=HELLO | {"stream": True}, headers=headers, answer=answer)
    result = import_vcr("-o", tmp_path / "recordings", "--test-id", ID, cassette(tmp_path / "a.yaml", raw))

    assert 0 == result.exit_code, result.output
    assert "ab" == replayed(tmp_path / "recordings", stream=True)


def test_an_answer_that_is_skipped_leaves_no_gap_in_its_series(tmp_path: Path, recordings: Path) -> None:
    """A replay would stop at the gap."""
    streamed = {"body": HELLO | {"stream": True}, "headers": {"Content-Type": ["text/event-stream"]}}
    broken, whole = (interaction(**streamed, answer=answer) for answer in ("data: {\n\n", SENT_EVENTS))
    result = import_vcr("-o", recordings, "--test-id", ID, cassette(tmp_path / "a.yaml", broken, whole))

    assert result.output.endswith("1 call imported, 1 skipped\n")
    assert "ab" == replayed(recordings, stream=True)


def _answered(status: int, count: str | None = None, **headers: str) -> dict[str, Any]:
    request_headers = {} if count is None else {"x-stainless-retry-count": [count]}
    body = ANSWER if status == 200 else json.dumps({"error": {"message": str(status)}})
    given = {name.replace("_", "-"): [value] for name, value in headers.items()}
    return interaction(status=status, request_headers=request_headers, answer=body, headers=given)


@pytest.mark.parametrize(
    ("answers", "statuses"),
    [
        ([_answered(429), _answered(500), _answered(200)], [200]),
        ([_answered(429, "0"), _answered(200, "1")], [200]),
        ([_answered(429, "0"), _answered(200, "0")], [429, 200]),
        ([_answered(503, "0"), _answered(503, "1")], [503]),
        ([_answered(400), _answered(200)], [400, 200]),
        ([_answered(500, x_should_retry="false"), _answered(200)], [500, 200]),
        ([_answered(400, x_should_retry="true"), _answered(200)], [200]),
        ([_answered(200), _answered(429), _answered(200)], [200, 200]),
    ],
    ids=[
        "retried until it succeeds",
        "counted as a retry",
        "repeated by the caller",
        "retried in vain",
        "not what the SDK retries",
        "the server says not to retry",
        "the server says to retry",
        "a series with a retry",
    ],
)
def test_only_the_last_answer_to_a_retried_call_is_recorded(
    answers: list[Any], statuses: list[int], tmp_path: Path
) -> None:
    """The SDK's own retries are in the cassette, since vcrpy sits below them; a replay does not retry."""
    import_vcr("-o", tmp_path / "recordings", "--test-id", ID, cassette(tmp_path / "a.yaml", *answers))
    answered = []
    with openai.OpenAI(api_key="none", base_url=CHAT.removesuffix("/chat/completions")) as client:
        with inference_recording("replay", tmp_path / "recordings", test_id=ID):
            for _ in statuses:
                try:
                    client.chat.completions.create(**HELLO)
                except openai.APIStatusError as error:
                    answered.append(error.status_code)
                else:
                    answered.append(200)

    assert statuses == answered
    assert len(statuses) == len(files_of(tmp_path / "recordings"))


AZURE = "https://x.openai.azure.com/openai"


@pytest.mark.parametrize(
    ("uri", "base_url"),
    [
        (CHAT, "https://api.openai.com/v1"),
        ("https://user:password@host.example/v1/chat/completions?key=secret", "https://host.example/v1"),
        ("https://openrouter.ai/api/v1/chat/completions", "https://openrouter.ai/api/v1"),
        ("https://host.example/chat/completions", "https://host.example"),
        ("https://host.example/models/a/b/v1/chat/completions", "https://host.example/models/a/b/v1"),
        ("https://host.example/v1/models/a/v1/chat/completions", "https://host.example/v1/models/a/v1"),
        ("https://host.example/v1/account/gateway/openai/chat/completions", "https://host.example/v1/account/gateway/openai"),
        (f"{AZURE}/deployments/gpt-4o/chat/completions?api-version=1", AZURE),
        (f"{AZURE}/deployments/mine/chat/completions?api-version=1", f"{AZURE}/deployments/mine"),
        (f"{AZURE}/v1/chat/completions?api-version=preview", f"{AZURE}/v1"),
    ],
)  # fmt: skip
def test_the_base_url_of_the_client_is_derived_from_the_uri(uri: str, base_url: str, tmp_path: Path) -> None:
    """Its path is part of a request's identity."""
    result = import_vcr("-o", tmp_path / "rec", "--test-id", ID, cassette(tmp_path / "a.yaml", interaction(uri=uri)))

    assert 0 == result.exit_code, result.output
    assert "Hello!" == replayed(tmp_path / "rec", base_url)
    assert "secret" not in "".join((tmp_path / "rec" / name).read_text() for name in files_of(tmp_path / "rec"))


def test_the_base_url_can_be_given_where_the_uri_is_ambiguous(tmp_path: Path) -> None:
    """An Azure client with azure_deployment calls the same URI as one without."""
    path = cassette(tmp_path / "a.yaml", interaction(uri=f"{AZURE}/deployments/gpt-4o/chat/completions"))
    base_url = f"{AZURE}/deployments/gpt-4o"
    result = import_vcr("-o", tmp_path / "recordings", "--test-id", ID, "--base-url", base_url, path)

    assert 0 == result.exit_code, result.output
    assert "Hello!" == replayed(tmp_path / "recordings", base_url)


def test_an_azure_client_finds_its_imported_recording(tmp_path: Path) -> None:
    """Its URI names the deployment and the API version; its call names neither."""
    uri = f"{AZURE}/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
    import_vcr("-o", tmp_path / "recordings", "--test-id", ID, cassette(tmp_path / "a.yaml", interaction(uri=uri)))
    endpoint = AZURE.removesuffix("/openai")
    with openai.AzureOpenAI(azure_endpoint=endpoint, api_version="2024-10-21", api_key="none") as client:
        with inference_recording("replay", tmp_path / "recordings", test_id=ID):
            answer = client.chat.completions.create(**HELLO)

    assert "Hello!" == answer.choices[0].message.content


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (interaction(uri="wss://api.openai.com/v1/realtime", method="GET"), "it is a websocket"),
        (interaction(uri="https://host.example/v1/files"), "it is not a call of the OpenAI SDK"),
        (interaction(uri="https://api.anthropic.com/v1/messages"), "it is not a call of the OpenAI SDK"),
        (interaction(request_headers={"User-Agent": ["Groq/Python 1.0"]}), "it is not a call of the OpenAI SDK"),
        (interaction(status=307), "its answer is a 307"),
        (interaction(body={"model": "gpt-4o"}), "chat.completions.create does not take its body: "),
        (interaction(body="<xml/>"), "its body is not a JSON object, which chat.completions.create sends"),
        (interaction(answer=b"\xff\x00", headers={"Content-Encoding": ["gzip"]}), "is not gzip, as its header says"),
        (interaction(answer=b"\xff\x00", headers={"Content-Encoding": ["snappy"]}), "is encoded as snappy"),
        (
            interaction(
                body=HELLO | {"stream": True},
                headers={"Content-Type": ["text/event-stream"]},
                answer=f"data: {json.dumps(chunks('a')[1])}\n\ndata: {{\n\n",
            ),
            "the SDK cannot read its answer: JSONDecodeError",
        ),
        (interaction(status=None), "its answer's status None is not an HTTP status"),  # type: ignore[arg-type]
        (_changed("response", body={"base64_string": "a"}), "its answer's body is not base64"),
        (_changed("request", uri="http://[::1/v1/chat/completions"), "its request has no method and uri"),
        (_changed("request", uri=3), "its request has no method and uri"),
        (_changed("response", body=3), "its answer's body has the type int"),
        ({"request": {}}, "it has no request and response"),
        (interaction(request_headers={"Content-Type": ["multipart/form-data"]}), "its form has no boundary"),
    ],
)
def test_a_skipped_call_is_reported_with_its_reason_and_the_others_are_imported(
    raw: Any, reason: str, tmp_path: Path
) -> None:
    """A silently skipped call would be missed only in replay."""
    path = cassette(tmp_path / "a.yaml", raw, interaction())
    result = import_vcr("-o", tmp_path / "recordings", "--test-id", ID, path)

    assert 1 == result.exit_code
    assert "  skipped 1, " in result.output
    assert reason in result.output
    assert result.output.endswith("1 call imported, 1 skipped\n")
    assert "Hello!" == replayed(tmp_path / "recordings")


def test_a_placeholder_of_a_filter_is_kept_and_reported(tmp_path: Path) -> None:
    """Such a recording answers only a call with the same placeholder."""
    path = cassette(tmp_path / "a.yaml", interaction(body=FILTERED))
    result = import_vcr("-o", tmp_path / "recordings", "--test-id", ID, path)

    assert 0 == result.exit_code
    assert "filtered 1, " in result.output
    assert "the placeholder at $.model is kept" in result.output
    assert "Hello!" == replayed(tmp_path / "recordings", **FILTERED)


def test_an_existing_recording_stays_unless_overwritten(tmp_path: Path, recordings: Path) -> None:
    """It may be newer than the cassette."""
    old, new = (interaction(answer=json.dumps(completion(text))) for text in ("Old", "New"))
    first = cassette(tmp_path / "first.yaml", old, old, interaction(body=HELLO | {"user": "other"}))
    shorter = cassette(tmp_path / "shorter.yaml", old)
    second = cassette(tmp_path / "second.yaml", new)
    summaries, replays = [], []
    for arguments in ((first,), (first,), (shorter,), (second,), ("--overwrite", second)):
        result = import_vcr("-o", recordings, "--test-id", ID, *arguments)
        summaries.append((result.exit_code, result.output.splitlines()[-1]))
        replays.append((replayed(recordings), len(files_of(recordings))))

    assert [
        (0, "3 calls imported, 0 skipped"),
        (0, "0 calls imported, 0 skipped, 3 recorded already"),
        (1, "0 calls imported, 1 skipped"),
        (1, "0 calls imported, 1 skipped"),
        (0, "1 call imported, 0 skipped"),
    ] == summaries
    assert [("Old", 3), ("Old", 3), ("Old", 3), ("Old", 3), ("New", 2)] == replays


def test_two_cassettes_that_answer_one_request_differently_are_reported(tmp_path: Path, recordings: Path) -> None:
    """With one test id their calls are the same; even --overwrite would have to choose one."""
    for name in ("a", "b"):
        cassette(tmp_path / f"{name}.yaml", interaction(answer=json.dumps(completion(name))))
    result = import_vcr("-o", recordings, "--overwrite", "--test-id", ID, tmp_path)

    assert 1 == result.exit_code
    assert f"the same request of the same test was imported from {tmp_path / 'a.yaml'}" in result.output
    assert "a" == replayed(recordings)


def test_a_dry_run_writes_nothing(tmp_path: Path, recordings: Path) -> None:
    """People look before a hundred files appear."""
    result = import_vcr("-o", recordings, "--dry-run", "--test-id", ID, cassette(tmp_path / "a.yaml", interaction()))

    assert (0, []) == (result.exit_code, list(tmp_path.glob("recordings/*")))
    assert result.output.endswith("1 call would be imported, 0 skipped\n")


def test_the_report_can_be_json(tmp_path: Path, recordings: Path) -> None:
    """A script that migrates a repository needs the results as data."""
    path = cassette(tmp_path / "a.yaml", interaction(), interaction(uri="https://example.com/?key=secret"))
    result = import_vcr("-o", recordings, "--json", "--test-id", ID, path)
    report = json.loads(result.output)

    assert {"imported": 1, "skipped": 1, "unchanged": 0, "retried": 0} == report["counts"]
    assert ID == report["cassettes"][0]["test_id"]
    imported, skipped = report["cassettes"][0]["interactions"]
    assert str(recordings / files_of(recordings)[0]) == imported["recording"]
    assert ("skipped", "POST https://example.com/") == (skipped["outcome"], skipped["request"])


@pytest.mark.parametrize(
    "arguments", [("no-such-file.yaml",), (), ("--test-id", "a", "--no-test-id", str(COMMITTED))]
)  # fmt: skip
def test_wrong_options_exit_with_2(arguments: tuple[str, ...]) -> None:
    """Scripts must distinguish a typo from a cassette that could not be imported."""
    assert 2 == import_vcr(*arguments).exit_code


def test_with_no_test_id_a_running_test_is_ignored(recordings: Path, tmp_path: Path) -> None:
    """The test of a migration script runs the command under pytest."""
    import_vcr("-o", recordings, "--no-test-id", cassette(tmp_path / "a.yaml", interaction()))

    assert json.loads((recordings / files_of(recordings)[0]).read_bytes())["test_id"] is None


SAMPLE = f"""
import openai, pytest
from inference_recorder import inference_recording
client = openai.OpenAI(api_key="none")
class TestGreeting:
    @pytest.mark.parametrize("model", ["gpt-4o"])
    def test_hello(self, model):
        with inference_recording():
            answer = client.chat.completions.create(**{HELLO!r})
        assert "Hello!" == answer.choices[0].message.content
@inference_recording()
def test_streamed():
    chunks = client.chat.completions.create(**{HELLO!r}, stream=True)
    assert "Hello!" == "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
"""
MODULE = """
def test_plain(): ...
def test_in_two(): ...
class TestOuter:
    async def test_method(self): ...
    class TestInner:
        def test_n(self): ...
class TestTwice:
    class TestSame: ...
class TestAgain:
    class TestSame: ...
"""


@pytest.mark.parametrize(
    ("cassette_name", "test_id"),
    [
        ("tests/cassettes/test_a/test_plain.yaml", "tests/test_a.py::test_plain"),
        ("tests/cassettes/test_a/test_plain[x-1.5].yaml", "tests/test_a.py::test_plain[x-1.5]"),
        ("tests/cassettes/test_a/TestOuter.test_method.json", "tests/test_a.py::TestOuter::test_method"),
        ("tests/cassettes/test_a/TestOuter.test_inherited.yaml", "tests/test_a.py::TestOuter::test_inherited"),
        ("tests/cassettes/test_a/TestInner.test_n[.].yaml", "tests/test_a.py::TestOuter::TestInner::test_n[.]"),
        ("tests/cassettes/test_plain.yaml", "tests/test_a.py::test_plain"),
        ("tests/cassettes/TestOuter.test_method.yaml", "tests/test_a.py::TestOuter::test_method"),
        ("tests/cassettes/test_in_two.yaml", None),
        ("tests/cassettes/test_a/test_in_two.yaml", "tests/test_a.py::test_in_two"),
        ("tests/cassettes/test_a/test_gone.yaml", None),
        ("tests/cassettes/test_a/TestSame.test_x.yaml", None),
        ("tests/cassettes/test_b/test_plain.yaml", None),
        ("fixtures/test_a/test_plain.yaml", None),
    ],
)  # fmt: skip
def test_which_test_a_cassette_belongs_to(cassette_name: str, test_id: str | None, tmp_path: Path) -> None:
    """A recording with another test's id is never found."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text(MODULE)
    (tmp_path / "tests" / "test_c.py").write_text("def test_in_two(): ...")
    (tmp_path / "pyproject.toml").touch()

    assert test_id == node_id_of(tmp_path / cassette_name)


@pytest.mark.slow
def test_imported_cassettes_answer_the_tests_they_were_made_for(tmp_path: Path) -> None:
    """From start to end: cassettes of pytest-recording, the command, and pytest without a server."""
    shutil.copytree(COMMITTED, tmp_path / "tests" / "cassettes")
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "tests" / "test_sample.py").write_text(SAMPLE)
    for command in ("inference_recorder.cli.main", "pytest"):
        program = f"import sys; from {command} import main; sys.exit(main())"
        arguments = ["import", "vcr", "tests"] if command != "pytest" else ["-p", "no:cacheprovider"]
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )

    assert {"passed": 2} == pytest.RunResult.parse_summary_nouns(done.stdout.splitlines()), done.stdout
