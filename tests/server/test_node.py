"""Programs of other languages: the SDKs for JavaScript, and curl. The programs are in node/."""

from __future__ import annotations

import json
import re
import shutil
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import inference_recording

from ..cli.serving import TIMEOUT_SECONDS, run
from ..compat.frameworks.scripted import chat_reply, script
from ..conftest import HELLO, files_of
from ..support.anthropic_replies import anthropic_reply
from ..support.openai_server import OpenAIServer, ReceivedRequest, Reply, default_reply, error, running_server
from ..support.systems import needs_shell

pytestmark = pytest.mark.slow

PROGRAMS = Path(__file__).parent / "node"
OLDEST_NODE = 18
KEYS = {"OPENAI_API_KEY": "sk-of-ours", "ANTHROPIC_API_KEY": "sk-ant-of-ours"}
NOTHING = "http://127.0.0.1:9"
WAYS = {
    "openai": [
        "plain", "plainHeaders", "plainAtOnce", "streamed", "streamedUsage", "streamedHelper", "streamedLeft",
        "tools", "toolsStreamed", "structured", "responses", "responsesStreamed", "responsesHelper",
        "embeddings", "embeddingsFloat", "models", "file", "audio", "speech", "error400", "error404",
    ],
    "anthropic": [
        "plain", "streamed", "streamedHelper", "tools", "toolsStreamed", "countTokens", "models", "error400",
        "error404",
    ],
}  # fmt: skip
FAILING = {"error400": 400, "error404": 404}


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the programs, with the SDKs installed."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not on the PATH")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"the SDKs need a newer node than {version}")
    directory = tmp_path_factory.mktemp("node")
    shutil.copytree(PROGRAMS, directory, dirs_exist_ok=True)
    install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(install, cwd=directory, capture_output=True, text=True, timeout=5 * TIMEOUT_SECONDS)
    if done.returncode:
        pytest.skip(f"npm cannot install the SDKs here: {done.stderr[-300:]}")
    return directory


@contextmanager
def model_server() -> Iterator[OpenAIServer]:
    """Run a server with both APIs while the block runs."""

    def models(request: ReceivedRequest, number: int) -> Reply:
        return (anthropic_reply if "anthropic-version" in request.headers else default_reply)(request, number)

    def chat(request: ReceivedRequest, number: int) -> Reply:
        model = request.json["model"]
        if model.startswith("failing-"):
            return error(int(model.removeprefix("failing-")))
        reply = chat_reply(request, number)
        reply.delay_seconds = 1.0 if model == "slow" else 0.0
        return reply

    with running_server() as server:
        script(server)
        file = {"id": "file-1", "object": "file", "bytes": 3, "filename": "a.jsonl", "created_at": 1_764_000_000}
        server.scripts |= {
            "/v1/chat/completions": chat,
            "/v1/models": models,
            "/v1/messages": anthropic_reply,
            "/v1/messages/count_tokens": anthropic_reply,
        }
        server.answers("/v1/files", Reply(file | {"purpose": "batch", "status": "processed"}))
        server.answers("/v1/audio/transcriptions", Reply({"text": "It rains."}))
        server.answers("/v1/audio/speech", Reply(content=bytes(range(256)), media_type="audio/mpeg"))
        yield server


def program(
    name: str, *ways: str, node: Path, directory: Path, options: tuple[str, ...] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a program of node/ under `inference-recorder run`, with these options, in a directory of its own."""
    return run("run", *options, "--", "node", str(node / f"{name}.mjs"), *ways, directory=directory, **variables)


def upstream(server: OpenAIServer) -> tuple[str, ...]:
    return ("--upstream", server.base_url, "--anthropic-upstream", server.base_url.removesuffix("/v1"))


def lines_of(done: subprocess.CompletedProcess[str]) -> list[Any]:
    """Return the lines that a program printed, without what a recording makes constant."""
    return [_constant(json.loads(line)) for line in done.stdout.splitlines()]


def _constant(value: Any) -> Any:
    if isinstance(value, list):
        return [_constant(item) for item in value]
    if not isinstance(value, dict):
        return value
    constant = {name: _constant(item) for name, item in value.items() if name not in ("created", "created_at")}
    if value.get("object") in ("chat.completion", "chat.completion.chunk"):
        constant["id"] = "constant"
    return constant


@pytest.mark.parametrize("name", WAYS)
def test_what_an_sdk_for_javascript_gets_is_replayed_with_the_model_gone(name: str, node: Path, tmp_path: Path) -> None:
    """A front end's tests are the reason for a server."""
    ways = WAYS[name]
    with model_server() as server:
        options = ("--mode", "record-if-missing", *upstream(server))
        recorded = program(name, *ways, node=node, directory=tmp_path, options=options, **KEYS)
        requests = server.count
    gone = ("--upstream", f"{NOTHING}/v1", "--anthropic-upstream", NOTHING)
    replayed = program(name, *ways, node=node, directory=tmp_path, options=gone)

    assert (0, 0) == (recorded.returncode, replayed.returncode), recorded.stderr + replayed.stderr
    lines = lines_of(recorded)
    assert ways == [line[0] for line in lines]
    assert {way: status for way, status in FAILING.items() if way in ways} == {
        line[0]: line[2] for line in lines if len(line) > 2
    }
    assert lines == lines_of(replayed)
    counts = {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", recorded.stderr.splitlines()[-1])}
    assert requests == sum(counts.values())
    assert f"recordings: {requests} replayed\n" == replayed.stderr
    stored = "".join(path.read_text(errors="replace") for path in (tmp_path / "recordings").glob("*.json"))
    assert not [key for key in KEYS.values() if key in stored]


@pytest.mark.parametrize(
    ("name", "way", "variables"),
    [("openai", "missed", {}), ("openai", "missedStreamed", {}), ("anthropic", "missed", {"ANTHROPIC_API_KEY": "x"})],
)
def test_a_miss_fails_at_once_without_retries_and_is_printed_once(
    name: str, way: str, variables: dict[str, str], node: Path, tmp_path: Path
) -> None:
    """A client that tries again, with pauses, turns each miss into seconds and its report into several."""
    done = program(name, way, node=node, directory=tmp_path, **variables)

    assert 3 == done.returncode, done.stderr
    ((_, failures),) = (json.loads(line) for line in done.stdout.splitlines())
    assert ["UnprocessableEntityError 422"] * 5 == [f"{kind} {status}" for _, kind, status in failures]
    assert statistics.median(milliseconds for milliseconds, *_ in failures) < 100
    assert 5 == done.stderr.count("Recording not found")
    assert "recordings: 5 missed\n" in done.stderr


def test_an_answer_for_which_a_client_does_not_wait_is_recorded(node: Path, tmp_path: Path) -> None:
    """It is paid for; the next run gets it in time."""
    with model_server() as server:
        options = ("--mode", "record-if-missing", *upstream(server))
        recorded = program("openai", "slow", node=node, directory=tmp_path, options=options, **KEYS)
    replayed = program("openai", "slow", node=node, directory=tmp_path)

    assert "APIConnectionTimeoutError" == lines_of(recorded)[0][1]
    assert "recordings: 1 recorded\n" == recorded.stderr
    ((_, answer),) = lines_of(replayed)
    assert answer["choices"][0]["message"]["content"].startswith("Answer number 0")


@pytest.mark.parametrize("is_node_first", [True, False], ids=["node, then python", "python, then node"])
def test_node_and_python_replay_the_recordings_of_each_other(is_node_first: bool, node: Path, tmp_path: Path) -> None:
    """A front end and a back end that ask the same under one test share the files."""
    test_id, directory = "tests/test_a.py::test_b", tmp_path / "recordings"
    named = ("--test-id", test_id)

    def of_node(options: tuple[str, ...]) -> list[Any]:
        done = program("openai", "asked", "embedded", node=node, directory=tmp_path, options=options, **KEYS)
        assert 0 == done.returncode, done.stderr
        return [answer for _, answer in lines_of(done)]

    def of_python(mode: str, base_url: str) -> list[Any]:
        with inference_recording(mode, directory, test_id=test_id):
            with openai.OpenAI(base_url=base_url, api_key="sk-other") as client:
                answer = client.chat.completions.create(**HELLO).choices[0].message.content
                embeddings = client.embeddings.create(model="text-embedding-3-small", input="abc")
                return [answer, embeddings.data[0].embedding]

    with model_server() as server:
        if is_node_first:
            recorded = of_node(("--mode", "record", *named, *upstream(server)))
        else:
            recorded = of_python("record", server.base_url)
        requests = server.count
    replayed = of_python("replay", f"{NOTHING}/v1") if is_node_first else of_node(named)

    assert recorded == replayed
    assert 2 == requests == len(files_of(directory))


CURL = ["curl", "--silent", "--show-error", "--max-time", "60"]
ASK = json.dumps(HELLO)


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/chat/completions", ["-H", "Content-Type: application/json", "-d", ASK]),
        ("/chat/completions", ["-N", "-H", "Content-Type: application/json", "-d", ASK[:-1] + ', "stream": true}']),
        ("/files", ["-F", "purpose=batch", "-F", "file=@a.jsonl"]),
    ],
    ids=["plain", "streamed", "upload"],
)
def test_curl_is_recorded_and_replayed(path: str, options: list[str], tmp_path: Path) -> None:
    """It is how people try a server, and what scripts use."""
    needs_shell()
    if not shutil.which("curl"):
        pytest.skip("curl is not on the PATH")
    (tmp_path / "a.jsonl").write_bytes(b'{"custom_id": "a"}\n')
    words = " ".join(["curl", '"$@"', f'"$OPENAI_BASE_URL{path}"', '-H "Authorization: Bearer $OPENAI_API_KEY"'])
    command = ["sh", "-c", words, "curl", *CURL[1:], *options]
    with model_server() as server:
        recording = ("--mode", "record-if-missing", *upstream(server))
        recorded = run("run", *recording, "--", *command, directory=tmp_path, **KEYS)
        authorization = [request.headers["authorization"] for request in server.received]
    replayed = run("run", "--", *command, directory=tmp_path)

    assert (0, "recordings: 1 recorded\n") == (recorded.returncode, recorded.stderr)
    assert (0, "recordings: 1 replayed\n") == (replayed.returncode, replayed.stderr)
    assert ["Bearer sk-of-ours"] == authorization
    assert _events(recorded.stdout) == _events(replayed.stdout)


def _events(text: str) -> list[Any]:
    """Return the JSON of an answer, or that of each event of a stream and its end."""
    if not text.startswith("data: "):
        return [_constant(json.loads(text))]
    events = [line.removeprefix("data: ") for line in text.splitlines() if line]
    assert "[DONE]" == events[-1]
    return [_constant(json.loads(event)) for event in events[:-1]]
