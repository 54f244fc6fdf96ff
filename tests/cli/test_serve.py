"""`inference-recorder serve`: its options, its life, and what it says."""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from click.testing import CliRunner, Result

from inference_recorder.cli.main import main

from ..conftest import files_of
from ..support.anthropic_replies import anthropic_reply
from ..support.openai_server import OpenAIServer, Reply, chunks, completion
from .serving import COMMAND, TIMEOUT_SECONDS, ask, run, said, serving

slow = pytest.mark.slow
STREAM = Reply(events=chunks("Hel", "lo", "!"))


def refused(*options: object) -> Result:
    result = CliRunner().invoke(main, ["serve", *map(str, options)])
    assert 2 == result.exit_code, result.output
    return result


def recorded(directory: Path) -> list[dict]:
    return [json.loads((directory / name).read_text()) for name in files_of(directory)]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "models.example"])
def test_a_host_that_others_reach_needs_a_token(host: str) -> None:
    """Those who reach the server spend the key of a recording run; 0.0.0.0 is every network of the machine."""
    assert "--token" in refused("--host", host).output


@pytest.mark.usefixtures("signals")
def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """Two servers with one fixed port are the likeliest mistake."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        result = refused("--port", port, "--dir", tmp_path)

    assert f"127.0.0.1:{port}" in result.output


@pytest.mark.usefixtures("signals")
def test_a_ready_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """It would otherwise be taken for a port that is in use."""
    result = refused("--ready-file", tmp_path / "missing" / "ready", "--dir", tmp_path)

    assert str(tmp_path / "missing") in result.output.replace("\n", "")
    assert "listen" not in result.output


@slow
@pytest.mark.parametrize("package", ["starlette", "uvicorn", "python_multipart", "httpx"])
@pytest.mark.parametrize("arguments", [["serve"], ["run", "--", "true"]], ids=["serve", "run"])
def test_without_the_extra_the_command_says_what_to_install(package: str, arguments: list[str]) -> None:
    """`pip install inference-recorder[cli]` lists the commands too."""
    code = f"import sys; sys.modules[{package!r}] = None; {COMMAND[2]}"

    done = subprocess.run([COMMAND[0], "-c", code, *arguments], capture_output=True, text=True, timeout=TIMEOUT_SECONDS)

    expected = f"inference-recorder needs {package}: pip install 'inference-recorder[cli,server]'\n"
    assert (1, "", expected) == (done.returncode, done.stdout, done.stderr)


@slow
def test_without_the_extra_the_help_lists_all_commands() -> None:
    """The other commands need nothing of it."""
    code = f"import sys; sys.modules['httpx'] = None; {COMMAND[2]}"

    done = subprocess.run([COMMAND[0], "-c", code, "--help"], capture_output=True, text=True, timeout=TIMEOUT_SECONDS)

    assert (0, "") == (done.returncode, done.stderr)
    assert "  serve        (needs httpx: pip install 'inference-recorder[cli,server]')\n" in done.stdout
    assert "  undo " in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--upstream", "nonsense"], "begins with http"),
        (["--upstream", ""], "begins with http"),
        (["--test-id", "a\nb"], "printable"),
        (["--port", "99999"], "65535"),
    ],
    ids=["no url", "an empty url", "a test id of two lines", "no port"],
)
def test_an_option_that_cannot_be_is_refused_at_once(options: list[str], said: str) -> None:
    """At the first call it would look like a fault of the program that makes it."""
    for command in (["serve"], ["run"]):
        result = CliRunner().invoke(main, [*command, *options, *(["true"] if command == ["run"] else [])])

        assert 2 == result.exit_code
        assert said in result.output


@slow
def test_a_server_whose_upstream_is_itself_is_refused(tmp_path: Path) -> None:
    """Each request would cause another one, until its client gives up."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    done = run("serve", "--port", port, "--upstream", f"http://localhost:{port}/v1", directory=tmp_path)

    assert 2 == done.returncode
    assert "this server would ask itself" in done.stderr


@slow
def test_a_run_named_in_the_header_counts_for_a_test_named_in_the_path(server: OpenAIServer, tmp_path: Path) -> None:
    """A client that can set only one of the two would otherwise get the last answer again."""
    with serving("--mode", "record", "--upstream", server.base_url, directory=tmp_path) as recording:
        for _ in range(2):
            ask(f"{recording.url}/t/a")
        recording.stop()
    with serving("--test-id", "a", directory=tmp_path) as replaying:
        replayed = [
            said(ask(f"{replaying.url}{path}", X_Inference_Test_Attempt=attempt))
            for path, attempt in (("/t/a", "1"), ("/t/a", "1"), ("", "2"), ("", "2"))
        ]

    assert ["Hello 0!", "Hello 1!"] * 2 == replayed


@slow
def test_it_records_and_replays_with_the_model_gone(server: OpenAIServer, tmp_path: Path) -> None:
    """The two halves of its use; SIGTERM is how containers and process managers stop it."""
    with serving("--mode", "record-if-missing", "--upstream", server.base_url, directory=tmp_path) as recording:
        live = [ask(recording.url), ask(recording.url, stream=True)]
        assert 0 == recording.stop()
    with serving("--mode", "replay", "--upstream", "http://127.0.0.1:9/v1", directory=tmp_path) as replaying:
        replayed = [ask(replaying.url), ask(replaying.url, stream=True)]
        assert 0 == replaying.stop()

    assert 2 == server.count
    assert [said(live[0]), 200, 200] == [said(replayed[0]), *(response.status_code for response in replayed)]
    assert live[1].text.count("data:") == replayed[1].text.count("data:")
    assert 2 == len(files_of(tmp_path / "recordings"))
    assert ("recordings: 2 recorded\n", "recordings: 2 replayed\n") == (recording.rest, replaying.rest)
    assert f"replay, recordings in {tmp_path / 'recordings'}, at " in replaying.announced


@slow
def test_the_variable_chooses_the_mode_and_the_option_precedes_it(server: OpenAIServer, tmp_path: Path) -> None:
    """One setting in CI serves pytest and the server."""
    options = ("--upstream", server.base_url)
    variables = {"LLAMA_STACK_TEST_INFERENCE_MODE": "record"}
    with serving(*options, directory=tmp_path, **variables) as by_variable:
        answers = [said(ask(by_variable.url))]
        assert 0 == by_variable.stop()
    with serving(*options, directory=tmp_path, **variables) as again:
        answers.append(said(ask(again.url)))
        assert 0 == again.stop()
    with serving(*options, "--mode", "replay", directory=tmp_path, **variables) as by_option:
        answers.append(said(ask(by_option.url)))
        assert 0 == by_option.stop()

    assert ["Hello 0!", "Hello 1!", "Hello 1!"] == answers
    assert 1 == len(files_of(tmp_path / "recordings"))


@slow
def test_mode_live_stores_nothing(server: OpenAIServer, tmp_path: Path) -> None:
    """It shows whether a failure is the recordings'."""
    with serving("--mode", "live", "--upstream", server.base_url, directory=tmp_path) as live:
        answers = [said(ask(live.url)), said(ask(live.url))]
        assert 0 == live.stop()

    assert ["Hello 0!", "Hello 1!"] == answers
    assert [] == list(tmp_path.iterdir())
    assert "recordings: 2 live\n" == live.rest


@slow
def test_directory_and_secrets_are_those_of_the_configuration(server: OpenAIServer, tmp_path: Path) -> None:
    """A secret that pytest's runs redact must not be stored by the server either."""
    lines = ["[tool.inference_recorder]", 'recordings = "data"', 'redact = ["Bert Brown"]', ""]
    (tmp_path / "pyproject.toml").write_text("\n".join(lines))
    options = ("--mode", "record-if-missing", "--upstream", server.base_url)
    with serving(*options, directory=tmp_path) as configured:
        ask(configured.url, "I am Bert Brown.", authorization="Bearer sk-of-the-client")
        assert 0 == configured.stop()
    with serving(*options, "--dir", "elsewhere", directory=tmp_path) as by_option:
        ask(by_option.url)
        assert 0 == by_option.stop()

    assert [1, 1] == [len(files_of(tmp_path / name)) for name in ("data", "elsewhere")]
    (text,) = [path.read_text() for path in (tmp_path / "data").glob("*.json")]
    assert "Bert Brown" not in text
    assert "sk-of-the-client" not in text
    assert "Bearer sk-of-the-client" == server.received[0].headers["authorization"]
    assert "Bert Brown" in server.received[0].content.decode()


@slow
def test_a_port_can_be_chosen_and_the_ready_file_is_whole_when_requests_are_answered(tmp_path: Path) -> None:
    """A script waits for the file, reads it, and asks at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ready = tmp_path / "ready"
    command = [*COMMAND, "serve", "--port", str(port), "--ready-file", str(ready)]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + TIMEOUT_SECONDS
            while not ready.exists() and time.monotonic() < until:
                pass
            url = ready.read_text()
            health = httpx.get(f"{url}/health", trust_env=False)
        finally:
            process.terminate()

    assert f"http://127.0.0.1:{port}" == url
    assert 200 == health.status_code
    assert [] == list(tmp_path.iterdir())


@slow
@pytest.mark.parametrize("is_variable", [False, True], ids=["option", "variable"])
def test_with_a_token_only_paths_that_have_it_are_answered(
    is_variable: bool, server: OpenAIServer, tmp_path: Path
) -> None:
    """Clients may only be given a base URL, and their Authorization is for the model."""
    variables = {"INFERENCE_RECORDER_TOKEN": "of/ours"} if is_variable else {}
    options = ["--mode", "record", "--upstream", server.base_url, "--host", "0.0.0.0", "--ready-file", "ready"]
    options += [] if is_variable else ["--token", "of/ours"]
    with serving(*options, directory=tmp_path, **variables) as running:
        port = running.url.rpartition("/k/")[0].rpartition(":")[2]
        url = f"http://127.0.0.1:{port}"
        refused = [ask(f"{url}{start}").status_code for start in ("", "/k/of", "/k/of/ours", "/t/a%3A%3Ab")]
        assert 0 == server.count
        until = time.monotonic() + TIMEOUT_SECONDS
        while not (tmp_path / "ready").exists() and time.monotonic() < until:
            pass
        answered = [ask(f"{url}{start}").status_code for start in ("/k/of%2Fours", "/t/a%3A%3Ab/k/of%2Fours")]
        written = (tmp_path / "ready").read_text()
        running.stop()

    assert ([403] * 4, [200] * 2) == (refused, answered)
    assert written.endswith(f":{port}/k/of%2Fours")
    assert "of/ours" not in running.announced + running.rest
    assert "of%2Fours" not in running.announced + running.rest
    assert not [path for path in (tmp_path / "recordings").glob("*.json") if "ours" in path.read_text()]


@slow
def test_a_request_belongs_to_the_test_of_its_header_its_path_or_the_option(
    server: OpenAIServer, tmp_path: Path
) -> None:
    """Many tests ask one server at once."""
    ours, paths, headers = "test_a.py::test_option", "test_a.py::test_[a/b é]", "test_a.py::test_header"
    options = ("--mode", "record", "--test-id", ours, "--upstream", server.base_url)
    with serving(*options, directory=tmp_path) as running:
        ask(running.url)
        ask(f"{running.url}/t/{quote(paths, safe='')}")
        ask(f"{running.url}/t/{quote(paths, safe='')}", x_inference_test_id=quote(headers))
        assert 0 == running.stop()

    assert sorted([ours, paths, headers]) == sorted(file["test_id"] for file in recorded(tmp_path / "recordings"))


@slow
def test_a_run_that_names_itself_is_counted_from_the_first_answer_on(server: OpenAIServer, tmp_path: Path) -> None:
    """Without it, the second run of a suite would get the last answers of the first."""
    with serving("--mode", "record", "--upstream", server.base_url, directory=tmp_path) as recording:
        for _ in range(2):
            ask(f"{recording.url}/t/test_a/r/1")
        recording.stop()
    with serving(directory=tmp_path) as replaying:
        answers = {run: [said(ask(f"{replaying.url}/t/test_a/r/{run}")) for _ in range(2)] for run in (1, 2)}

    assert {run: ["Hello 0!", "Hello 1!"] for run in (1, 2)} == answers


@slow
def test_the_servers_of_the_models_are_by_default_those_of_the_variables(server: OpenAIServer, tmp_path: Path) -> None:
    """A project behind a gateway has set them; the recordings then name the gateway."""
    server.scripts["/v1/messages"] = anthropic_reply
    origin = server.base_url.removesuffix("/v1")
    variables = {"OPENAI_BASE_URL": f"{origin}/gateway/v1", "ANTHROPIC_BASE_URL": f"{origin}/claude"}
    server.answers("/gateway/v1/chat/completions", Reply(completion("by variable")))
    server.scripts["/claude/v1/messages"] = lambda request, number: Reply({"content": []})
    claude = {"path": "/v1/messages", "anthropic_version": "2023-06-01"}
    with serving("--mode", "record", directory=tmp_path, **variables) as by_variable:
        assert "by variable" == said(ask(by_variable.url))
        assert {"content": []} == ask(by_variable.url, **claude).json()
        by_variable.stop()
    options = ("--upstream", server.base_url, "--anthropic-upstream", origin)
    with serving("--mode", "record", "--dir", "b", *options, directory=tmp_path, **variables) as by_option:
        assert said(ask(by_option.url)).startswith("Hello")
        assert "message" == ask(by_option.url, **claude).json()["type"]
        by_option.stop()

    urls = {file["request"]["url"] for file in recorded(tmp_path / "recordings")}
    assert {f"{origin}/gateway/v1/v1/chat/completions", f"{origin}/claude/v1/messages"} == urls


@slow
def test_a_live_pace_records_pauses_and_makes_them(server: OpenAIServer, tmp_path: Path) -> None:
    """A front end's progress display can only be tested with the model's own pace."""
    events = chunks("a", "b", "c", "d")
    server.answers("/v1/chat/completions", *(Reply(events=events, pause_seconds=pause) for pause in (0.2, 0.25)))
    recording = ("--mode", "record", "--upstream", server.base_url)
    with serving(*recording, "--pace", "live", directory=tmp_path) as first:
        live = ask(first.url, stream=True)
        first.stop()
    (path,) = (tmp_path / "recordings").glob("*.json")
    content = path.read_bytes()
    with serving(*recording, "--pace", "live", directory=tmp_path) as second:
        ask(second.url, stream=True)
        second.stop()
    replays = {}
    for pace in ("live", "none"):
        with serving("--pace", pace, directory=tmp_path) as replaying:
            begun = time.monotonic()
            replays[pace] = ask(replaying.url, stream=True), time.monotonic() - begun

    pauses = json.loads(content)["response"]["http"]["pauses"]
    assert len(events) + 1 == len(pauses)  # the last is that of [DONE]
    assert all(pause > 0.1 for pause in pauses[1:-1])
    assert content == path.read_bytes()
    assert live.text.count("data:") == replays["live"][0].text.count("data:") == replays["none"][0].text.count("data:")
    assert sum(pauses) <= replays["live"][1]
    assert replays["none"][1] < sum(pauses)


@slow
def test_no_pace_records_no_pauses(server: OpenAIServer, tmp_path: Path) -> None:
    """Files stay free of what differs each time."""
    server.answers("/v1/chat/completions", STREAM)
    with serving("--mode", "record", "--upstream", server.base_url, directory=tmp_path) as recording:
        ask(recording.url, stream=True)
        recording.stop()

    (file,) = recorded(tmp_path / "recordings")
    assert "pauses" not in file["response"]["http"]


@slow
def test_a_stream_that_is_being_recorded_at_sigterm_is_finished_and_stored(
    server: OpenAIServer, tmp_path: Path
) -> None:
    """It was paid for, and its client waits for it."""
    may_go_on = threading.Event()
    events = chunks("one", "two", "three")

    def held():
        yield events[0]
        assert may_go_on.wait(TIMEOUT_SECONDS)
        yield from events[1:]

    server.answers("/v1/chat/completions", Reply(events=held()))
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Count."}], "stream": True}
    with serving("--mode", "record", "--upstream", server.base_url, directory=tmp_path) as running:
        with httpx.stream("POST", f"{running.url}/v1/chat/completions", json=body, trust_env=False) as response:
            lines = response.iter_lines()
            first = next(lines)
            running.process.send_signal(signal.SIGTERM)
            _wait_until_it_refuses(running.url)
            may_go_on.set()
            rest = list(lines)
        running.rest = running.process.communicate(timeout=TIMEOUT_SECONDS)[1]

    assert "data: [DONE]" in rest
    assert len(events) == len([line for line in [first, *rest] if line.startswith("data: {")])
    assert (0, "recordings: 1 recorded\n") == (running.process.returncode, running.rest)
    (file,) = recorded(tmp_path / "recordings")
    assert len(events) == len(file["response"]["body"])
    assert file["response"].get("is_complete", True)


def _wait_until_it_refuses(url: str) -> None:
    host, _, port = url.removeprefix("http://").rpartition(":")
    until = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < until:
        try:
            socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS).close()
        except OSError:
            return
    raise AssertionError("it still accepts connections")


@slow
def test_ctrl_c_ends_it_with_its_counts_and_without_a_traceback(tmp_path: Path) -> None:
    """It is how a person stops it."""
    with serving(directory=tmp_path) as running:
        code = running.stop(signal.SIGINT)

    assert 0 == code
    assert running.rest.endswith("recordings: no calls\n")
    assert "Traceback" not in running.rest


@slow
def test_a_miss_is_printed_once_and_its_command_records_the_call(server: OpenAIServer, tmp_path: Path) -> None:
    """A client that asks five times has one thing to repair, by the command that the miss ends with."""
    test_id, upstream = "test a.py::test_[x y]", ("--upstream", server.base_url)
    with serving("--test-id", test_id, *upstream, "--dir", "of ours", directory=tmp_path) as replaying:
        missed = [ask(replaying.url) for _ in range(3)]
        replaying.stop()
    assert [422] * 3 == [response.status_code for response in missed]
    assert {"false"} == {response.headers["x-should-retry"] for response in missed}
    message = missed[0].json()["error"]["message"]
    assert message.startswith("inference_recorder: Recording not found")
    assert 1 == replaying.rest.count("Recording not found")
    assert test_id in message
    assert 0 == server.count

    (command,) = re.findall(r"^ +(inference-recorder serve .*)$", replaying.rest, re.MULTILINE)
    words = shlex.split(command)
    with serving(*words[2:], directory=tmp_path) as recording:
        ask(recording.url)
        recording.stop()
    with serving("--test-id", test_id, *upstream, "--dir", "of ours", directory=tmp_path) as again:
        answer = ask(again.url)
        again.stop()

    assert "Hello 0!" == said(answer)
    assert ("recordings: 3 missed", "recordings: 1 replayed\n") == (replaying.rest.splitlines()[-1], again.rest)
