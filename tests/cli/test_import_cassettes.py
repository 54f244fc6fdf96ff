"""Cassettes as they lie in repositories: of every age and shape, filtered, broken, hostile, of other APIs."""

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
from click.testing import CliRunner, Result

from inference_recorder import inference_recording
from inference_recorder.cli.import_vcr.node_ids import node_id_of
from inference_recorder.cli.main import main

from ..conftest import HELLO, files_of
from ..support.openai_server import chunks, completion

COMMITTED = Path(__file__).parent / "cassettes"
"""Made by vcrpy 9.4.2 with filter_headers=["authorization"], over the tests' server, whose url was then replaced."""

CHAT = "https://api.openai.com/v1/chat/completions"
ID = "tests/test_chat.py::test_hello"
ANSWER = json.dumps(completion("Hello!"))
FILTERED = HELLO | {"model": "REDACTED", "user": "me"}


def imported(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["import", "vcr", *map(str, arguments)])


def interaction(
    *,
    uri: str = CHAT,
    method: str = "POST",
    body: Any = HELLO,
    sent: dict[str, Any] | None = None,
    status: int = 200,
    headers: dict[str, Any] | None = None,
    answer: Any = ANSWER,
) -> dict[str, Any]:
    """Return an interaction as vcrpy writes it; `sent` and `headers` are the request's and the answer's headers."""
    text = json.dumps(body) if isinstance(body, dict) else body
    return {
        "request": {
            "method": method, "uri": uri, "body": text, "headers": {"Content-Type": ["application/json"]} | (sent or {})
        },
        "response": {
            "status": {"code": status, "message": "-"},
            "headers": {"Content-Type": ["application/json"]} | (headers or {}),
            "body": {"string": answer},
        },
    }  # fmt: skip


def cassette(path: Path, *interactions: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"version": 1, "interactions": list(interactions)}))
    return path


def replayed(recordings: Path, base_url: str = "https://api.openai.com/v1", **kwargs: Any) -> Any:
    """Return what a chat replays, as its text."""
    with openai.OpenAI(base_url=base_url, api_key="none") as client:
        with inference_recording("replay", recordings, test_id=ID):
            answer = client.chat.completions.create(**(HELLO | kwargs))
            if kwargs.get("stream"):
                return "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)
            return answer.choices[0].message.content


def test_a_directory_of_cassettes_is_imported_for_the_tests_that_they_are_named_after(
    tmp_path: Path, recordings: Path
) -> None:
    """pytest-recording's layout says which test made the calls, and a recording answers that test."""
    shutil.copytree(COMMITTED, tmp_path / "tests" / "cassettes")
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "tests" / "test_sample.py").write_text(
        "class TestGreeting:\n    def test_hello(self): ...\n\n\nasync def test_streamed(): ...\n"
    )
    result = imported("-o", recordings, tmp_path / "tests")
    stored = [json.loads((recordings / name).read_bytes()) for name in files_of(recordings)]

    assert 1 == result.exit_code
    assert {
        ("/v1/chat/completions", "tests/test_sample.py::TestGreeting::test_hello[gpt-4o]"),
        ("/v1/chat/completions", "tests/test_sample.py::test_streamed"),
        ("/v1/embeddings", None),
    } == {(file["request"]["endpoint"], file["test_id"]) for file in stored}
    assert "skipped 2, GET https://example.com/weather: it is no call of the OpenAI SDK" in result.output
    assert "no test is known for the following" in result.output
    assert result.output.endswith("3 calls imported, 1 skipped, 1 retried answer left out\n")


def test_nothing_secret_of_a_cassette_reaches_a_recording(recordings: Path) -> None:
    """Cassettes hold cookies and organisations; recordings are committed."""
    imported("-o", recordings, "--test-id", ID, COMMITTED)

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
        "a body without a name for its text",
        "headers that are no lists",
        "httpx before vcrpy 6",
        "a request as the object that aiohttp was given",
        "a request in bytes",
        "a request with a name for its text",
        "no request headers",
        "a method in lower case",
    ],
)
def test_every_shape_that_vcrpy_gave_an_interaction_is_read(raw: dict[str, Any], tmp_path: Path) -> None:
    """Cassettes are older than the vcrpy that reads them."""
    result = imported("-o", tmp_path / "recordings", "--test-id", ID, cassette(tmp_path / "a.yaml", raw))

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
    """vcrpy writes them for requests that were files or iterators."""
    encoded = base64.b64encode(ANSWER.encode()).decode()
    (tmp_path / "a.yaml").write_text(
        "interactions:\n"
        f"- request:\n    method: POST\n    uri: {CHAT}\n    headers: {{}}\n"
        f"    body: {body.format(body=json.dumps(HELLO))}\n"
        "  response:\n    status: {code: 200, message: OK}\n    headers: {}\n"
        f"    body:\n      string: {answer.format(answer=ANSWER, encoded=encoded)}\n"
    )
    result = imported("-o", tmp_path / "recordings", "--test-id", ID, tmp_path / "a.yaml")

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
    """A cassette of a pull request is anybody's file."""
    mark = tmp_path / "was_run"
    (tmp_path / "a.yaml").write_text(f"interactions:\n- !!python/{tag}\n  - touch {mark}\n")
    cassette(tmp_path / "b.yaml", interaction())
    result = imported("-o", tmp_path / "recordings", "--test-id", ID, tmp_path)

    assert not mark.exists()
    assert 1 == result.exit_code
    assert f"{tmp_path / 'a.yaml'}, line 2: it cannot be read, and nothing of it is run: " in result.output
    assert "; nothing of it is imported\n" in result.output
    assert result.output.endswith("1 call imported, 0 skipped, 1 cassette unreadable\n")


@pytest.mark.parametrize(
    ("name", "text", "told"),
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
        ("a.json", '{"interactions": ' + "[" * 100_000, ": it cannot be read: it is nested too deep"),
    ],
    ids=[
        "YAML",
        "JSON",
        "a control character",
        "an old one",
        "something else",
        "a tag misused",
        "brackets nested too deep",
        "lists nested too deep",
        "a list nested too deep in JSON",
        "JSON nested too deep",
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(name: str, text: str, told: str, tmp_path: Path) -> None:
    """Hundreds of files, one of them broken: which, and where."""
    (tmp_path / name).write_text(text)
    result = imported("-o", tmp_path / "recordings", tmp_path / name)

    assert 1 == result.exit_code, result.output
    assert f"{tmp_path / name}" in result.output
    assert told in result.output


def test_files_of_a_directory_that_are_no_cassettes_are_passed_over_and_named(tmp_path: Path) -> None:
    """A folder of tests holds other YAML and JSON too, and perhaps our own recordings."""
    cassette(tmp_path / "a.yaml", interaction())
    (tmp_path / "b.json").write_text('{"tests": ["interactions"]}')
    (tmp_path / "c.yaml").write_text("a: {{ template }}")
    result = imported("-o", tmp_path / "elsewhere", "--test-id", ID, tmp_path)

    assert 0 == result.exit_code, result.output
    assert f"passed over, being no cassettes: {tmp_path / 'b.json'}, {tmp_path / 'c.yaml'}" in result.output


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
    """Gateways send all of server-sent events' grammar."""
    headers = {"Content-Type": ["text/event-stream"]} | ({"Content-Encoding": ["gzip"]} if encoded else {})
    answer = gzip.compress(SENT_EVENTS.encode()) if encoded else SENT_EVENTS
    raw = interaction(body=HELLO | {"stream": True}, headers=headers, answer=answer)
    result = imported("-o", tmp_path / "recordings", "--test-id", ID, cassette(tmp_path / "a.yaml", raw))

    assert 0 == result.exit_code, result.output
    assert "ab" == replayed(tmp_path / "recordings", stream=True)


def test_an_answer_that_is_skipped_leaves_no_gap_in_its_series(tmp_path: Path, recordings: Path) -> None:
    """A replay would stop at the gap."""
    streamed = {"body": HELLO | {"stream": True}, "headers": {"Content-Type": ["text/event-stream"]}}
    broken, whole = (interaction(**streamed, answer=answer) for answer in ("data: {\n\n", SENT_EVENTS))
    result = imported("-o", recordings, "--test-id", ID, cassette(tmp_path / "a.yaml", broken, whole))

    assert result.output.endswith("1 call imported, 1 skipped\n")
    assert "ab" == replayed(recordings, stream=True)


def _answered(status: int, count: str | None = None, **headers: str) -> dict[str, Any]:
    sent = {} if count is None else {"x-stainless-retry-count": [count]}
    body = ANSWER if status == 200 else json.dumps({"error": {"message": str(status)}})
    given = {name.replace("_", "-"): [value] for name, value in headers.items()}
    return interaction(status=status, sent=sent, answer=body, headers=given)


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
        "retried until it went",
        "counted as a retry",
        "asked again by the caller",
        "retried in vain",
        "not what the SDK retries",
        "the server said not to",
        "the server said to",
        "a row with a retry",
    ],
)
def test_of_a_retried_call_only_what_its_caller_got_is_recorded(
    answers: list[Any], statuses: list[int], tmp_path: Path
) -> None:
    """The SDK's own retries are in the cassette, since vcrpy sits below them; a replay does not retry."""
    imported("-o", tmp_path / "recordings", "--test-id", ID, cassette(tmp_path / "a.yaml", *answers))
    found = []
    with openai.OpenAI(api_key="none", base_url=CHAT.removesuffix("/chat/completions")) as client:
        with inference_recording("replay", tmp_path / "recordings", test_id=ID):
            for _ in statuses:
                try:
                    client.chat.completions.create(**HELLO)
                except openai.APIStatusError as error:
                    found.append(error.status_code)
                else:
                    found.append(200)

    assert statuses == found
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
def test_the_base_url_of_the_client_is_told_by_the_uri(uri: str, base_url: str, tmp_path: Path) -> None:
    """Its path is part of a request's identity."""
    result = imported("-o", tmp_path / "rec", "--test-id", ID, cassette(tmp_path / "a.yaml", interaction(uri=uri)))

    assert 0 == result.exit_code, result.output
    assert "Hello!" == replayed(tmp_path / "rec", base_url)
    assert "secret" not in "".join((tmp_path / "rec" / name).read_text() for name in files_of(tmp_path / "rec"))


def test_the_base_url_can_be_given_where_the_uri_leaves_it_open(tmp_path: Path) -> None:
    """A client of Azure's with azure_deployment asks the same uri as one without."""
    path = cassette(tmp_path / "a.yaml", interaction(uri=f"{AZURE}/deployments/gpt-4o/chat/completions"))
    base_url = f"{AZURE}/deployments/gpt-4o"
    result = imported("-o", tmp_path / "recordings", "--test-id", ID, "--base-url", base_url, path)

    assert 0 == result.exit_code, result.output
    assert "Hello!" == replayed(tmp_path / "recordings", base_url)


def test_a_client_of_azures_finds_what_it_recorded(tmp_path: Path) -> None:
    """Its uri names the deployment and the API's version; its call names neither."""
    uri = f"{AZURE}/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
    imported("-o", tmp_path / "recordings", "--test-id", ID, cassette(tmp_path / "a.yaml", interaction(uri=uri)))
    endpoint = AZURE.removesuffix("/openai")
    with openai.AzureOpenAI(azure_endpoint=endpoint, api_version="2024-10-21", api_key="none") as client:
        with inference_recording("replay", tmp_path / "recordings", test_id=ID):
            answer = client.chat.completions.create(**HELLO)

    assert "Hello!" == answer.choices[0].message.content


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (interaction(uri="wss://api.openai.com/v1/realtime", method="GET"), "it is a websocket"),
        (interaction(uri="https://host.example/v1/files"), "it is no call of the OpenAI SDK"),
        (interaction(uri="https://api.anthropic.com/v1/messages"), "it is no call of the OpenAI SDK"),
        (interaction(sent={"User-Agent": ["Groq/Python 1.0"]}), "it is no call of the OpenAI SDK"),
        (interaction(status=307), "its answer is a 307"),
        (interaction(body={"model": "gpt-4o"}), "chat.completions.create does not take its body: "),
        (interaction(body="<xml/>"), "its body is no JSON object, which chat.completions.create sends"),
        (interaction(answer=b"\xff\x00", headers={"Content-Encoding": ["gzip"]}), "is not the gzip that its header"),
        (interaction(answer=b"\xff\x00", headers={"Content-Encoding": ["snappy"]}), "is encoded as snappy"),
        (
            interaction(
                body=HELLO | {"stream": True},
                headers={"Content-Type": ["text/event-stream"]},
                answer=f"data: {json.dumps(chunks('a')[1])}\n\ndata: {{\n\n",
            ),
            "the SDK cannot read its answer: JSONDecodeError",
        ),
        (interaction(status=None), "its answer's status None is none of HTTP's"),  # type: ignore[arg-type]
        (_changed("response", body={"base64_string": "a"}), "its answer's body is not base64"),
        (_changed("request", uri="http://[::1/v1/chat/completions"), "its request has no method and uri"),
        (_changed("request", uri=3), "its request has no method and uri"),
        (_changed("response", body=3), "its answer's body is a int"),
        ({"request": {}}, "it has no request and response"),
        (interaction(sent={"Content-Type": ["multipart/form-data"]}), "its form has no boundary"),
    ],
)
def test_what_is_not_taken_is_told_with_its_reason_and_the_rest_goes_on(raw: Any, reason: str, tmp_path: Path) -> None:
    """Nothing falls through in silence."""
    path = cassette(tmp_path / "a.yaml", raw, interaction())
    result = imported("-o", tmp_path / "recordings", "--test-id", ID, path)

    assert 1 == result.exit_code
    assert "  skipped 1, " in result.output
    assert reason in result.output
    assert result.output.endswith("1 call imported, 1 skipped\n")
    assert "Hello!" == replayed(tmp_path / "recordings")


def test_what_a_filter_replaced_is_kept_and_told(tmp_path: Path) -> None:
    """Such a request is found only by a call that says the placeholder."""
    path = cassette(tmp_path / "a.yaml", interaction(body=FILTERED))
    result = imported("-o", tmp_path / "recordings", "--test-id", ID, path)

    assert 0 == result.exit_code
    assert "filtered 1, " in result.output
    assert "$.model is kept as it is" in result.output
    assert "Hello!" == replayed(tmp_path / "recordings", **FILTERED)


def test_a_recording_that_is_there_stays_unless_overwritten(tmp_path: Path, recordings: Path) -> None:
    """It may be newer than the cassette."""
    old, new = (interaction(answer=json.dumps(completion(text))) for text in ("Old", "New"))
    first = cassette(tmp_path / "first.yaml", old, old, interaction(body=HELLO | {"user": "other"}))
    shorter = cassette(tmp_path / "shorter.yaml", old)
    second = cassette(tmp_path / "second.yaml", new)
    told, found = [], []
    for arguments in ((first,), (first,), (shorter,), (second,), ("--overwrite", second)):
        result = imported("-o", recordings, "--test-id", ID, *arguments)
        told.append((result.exit_code, result.output.splitlines()[-1]))
        found.append((replayed(recordings), len(files_of(recordings))))

    assert [
        (0, "3 calls imported, 0 skipped"),
        (0, "0 calls imported, 0 skipped, 3 recorded already"),
        (1, "0 calls imported, 1 skipped"),
        (1, "0 calls imported, 1 skipped"),
        (0, "1 call imported, 0 skipped"),
    ] == told
    assert [("Old", 3), ("Old", 3), ("Old", 3), ("Old", 3), ("New", 2)] == found


def test_two_cassettes_that_answer_one_request_differently_are_told(tmp_path: Path, recordings: Path) -> None:
    """Without a test's id nothing tells their calls apart; even --overwrite would have to choose one."""
    for name in ("a", "b"):
        cassette(tmp_path / f"{name}.yaml", interaction(answer=json.dumps(completion(name))))
    result = imported("-o", recordings, "--overwrite", "--test-id", ID, tmp_path)

    assert 1 == result.exit_code
    assert f"the same request of the same test was taken from {tmp_path / 'a.yaml'}" in result.output
    assert "a" == replayed(recordings)


def test_a_dry_run_writes_nothing(tmp_path: Path, recordings: Path) -> None:
    """One looks before a hundred files appear."""
    result = imported("-o", recordings, "--dry-run", "--test-id", ID, cassette(tmp_path / "a.yaml", interaction()))

    assert (0, []) == (result.exit_code, list(tmp_path.glob("recordings/*")))
    assert result.output.endswith("1 call would be imported, 0 skipped\n")


def test_it_can_be_read_by_a_program(tmp_path: Path, recordings: Path) -> None:
    """A script that moves a repository wants no prose."""
    path = cassette(tmp_path / "a.yaml", interaction(), interaction(uri="https://example.com/?key=secret"))
    result = imported("-o", recordings, "--json", "--test-id", ID, path)
    told = json.loads(result.output)

    assert {"imported": 1, "skipped": 1, "unchanged": 0, "retried": 0} == told["counts"]
    assert ID == told["cassettes"][0]["test_id"]
    taken, skipped = told["cassettes"][0]["interactions"]
    assert str(recordings / files_of(recordings)[0]) == taken["recording"]
    assert ("skipped", "POST https://example.com/") == (skipped["outcome"], skipped["request"])


@pytest.mark.parametrize(
    "arguments", [("no-such-file.yaml",), (), ("--test-id", "a", "--no-test-id", str(COMMITTED))]
)  # fmt: skip
def test_wrong_options_exit_with_2(arguments: tuple[str, ...]) -> None:
    """Scripts tell a typo from a cassette that could not be taken."""
    assert 2 == imported(*arguments).exit_code


def test_a_running_test_is_no_part_of_what_is_imported_without_one(recordings: Path, tmp_path: Path) -> None:
    """A test of a migration script runs the command, under pytest."""
    imported("-o", recordings, "--no-test-id", cassette(tmp_path / "a.yaml", interaction()))

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
    """The whole way: cassettes of pytest-recording, the command, and pytest with nobody to ask."""
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
