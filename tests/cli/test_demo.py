"""The demo: records, stops its server, replays, compares; and its messages when it cannot."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading

import pytest
from click import ClickException
from click.testing import CliRunner, Result
from openai import APIError
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from inference_recorder import inference_recording
from inference_recorder.cli.demo import check_replayed
from inference_recorder.cli.demo.call import DemoAnswer, DemoCall
from inference_recorder.cli.demo.server import GREETING, HAIKU, running_server
from inference_recorder.cli.main import main

from ..support.openai_server import Reply, chunk, error

RUN = "from inference_recorder.cli.main import main; main()"


@pytest.fixture(autouse=True)
def without_forced_colours(monkeypatch):
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


def demo(*options: object) -> Result:
    return CliRunner().invoke(main, ["demo", *map(str, options)])


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, "demo"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


def test_the_demo_runs_without_a_key_and_shows_three_equal_answers():
    """It is the first thing a newcomer runs; it must work before anything is set up."""
    result = demo()

    assert 0 == result.exit_code, result.output
    assert GREETING in result.output
    for line in HAIKU.splitlines():
        assert f"            {line}\n" in result.output
    assert "NotFoundError: The model `no-such-model` does not exist" in result.output
    assert [
        ("plain", "same", "ChatCompletion"),
        ("streamed", "same", "15 ChatCompletionChunks"),
        ("failing", "same", "NotFoundError 404"),
    ] == re.findall(r"^  (\w+) .*x   (\w+) (.+)$", result.output, re.MULTILINE)
    assert "3 calls replayed, 0 requests sent." in result.output
    assert 'with inference_recording("record-if-missing", "tests/recordings"):' in result.output


def test_a_chosen_directory_keeps_the_three_recordings_that_the_output_names(tmp_path):
    """People want to open a recording."""
    result = demo("--dir", tmp_path / "kept")

    paths = sorted((tmp_path / "kept").glob("*.json"))
    assert all(re.fullmatch(r"[0-9a-f]{64}\.json", path.name) for path in paths)
    recordings = [json.loads(path.read_bytes()) for path in paths]
    assert [False, False, True] == sorted(recording["response"]["is_streaming"] for recording in recordings)
    assert [404] == [
        recording["response"]["exception_data"]["status_code"]
        for recording in recordings
        if recording["response"].get("is_exception")
    ]
    assert f"Stored in {tmp_path / 'kept'}" in result.output
    assert [(path.name[:12], f"{path.stat().st_size:,}") for path in paths] == sorted(
        re.findall(r"([0-9a-f]{12})….json +([\d,]+) bytes", result.output)
    )


def test_without_a_directory_nothing_is_left_behind(tmp_path, monkeypatch):
    """A demo that litters the temporary directory is run only once."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    result = demo()

    assert f"Stored in {tmp_path}" in result.output
    assert [] == list(tmp_path.iterdir())


class _Screen(io.StringIO):
    """Connects to the address at which "nothing listens" as soon as it is written."""

    refusals = 0

    def write(self, text: str) -> int:
        if address := re.search(r"nothing listens at http://([\d.]+):(\d+)", text):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((address[1], int(address[2])), timeout=5)
            self.refusals += 1
        return super().write(text)


def test_the_server_is_stopped_before_anything_is_replayed(monkeypatch):
    """A replay beside a running server proves nothing."""
    screen = _Screen()
    monkeypatch.setattr(sys, "stdout", screen)

    main(["demo"], standalone_mode=False)

    assert 1 == screen.refusals
    assert "3 calls replayed, 0 requests sent." in screen.getvalue()


def test_no_connection_is_opened_while_replaying():
    """The line "0 requests sent" is checked against what the process does."""
    program = """
import sys
sys.addaudithook(lambda event, arguments: event == "socket.connect" and print("CONNECT", arguments[1], flush=True))
"""

    done = run(program + RUN)

    recording, heading, replaying = done.stdout.partition("2 Replay")
    assert heading
    assert "CONNECT ('127.0.0.1'" in recording
    assert "CONNECT" not in replaying


@pytest.mark.slow
def test_nothing_is_imported_while_the_clock_runs():
    """Loading the SDK takes 0.4 s: timed with the first call, it would make replay look faster than it is."""
    program = """
import io, sys
from inference_recorder.cli.demo import call

class Screen(io.StringIO):
    def write(self, text):
        if "1 Record" in text:
            loaded.clear()
        return super().write(text)

clock, loaded, sys.stdout = call.perf_counter, [], Screen()
call.perf_counter = lambda: (loaded.append(set(sys.modules)), clock())[1]
from inference_recorder.cli.main import main
main(["demo"], standalone_mode=False)
print(*sorted(loaded[-1] - loaded[0]), file=sys.__stdout__)
"""

    done = run(program)

    assert ("\n", "") == (done.stdout, done.stderr)


def test_a_real_process_prints_plain_text_and_no_warnings_into_a_pipe():
    """The output is pasted into READMEs and CI logs; colours and leaked sockets show there."""
    done = run(RUN)

    assert (0, "") == (done.returncode, done.stderr)
    assert "\x1b" not in done.stdout
    assert "3 calls replayed, 0 requests sent." in done.stdout


@pytest.mark.slow
def test_an_encoding_without_the_characters_does_not_stop_the_demo():
    """Pipes on Windows are cp1252, in bare containers ASCII; models answer in emoji."""
    done = run(RUN, PYTHONIOENCODING="ascii")

    assert (0, "") == (done.returncode, done.stderr)
    assert "?.json" in done.stdout


def test_a_chunk_is_shown_before_the_server_has_sent_the_next(server, client, recordings):
    """Live streaming is what the demo shows; collected first, it would arrive as one block."""
    is_first_shown = threading.Event()

    def events():
        yield chunk({"content": "first "})
        yield chunk({"content": "second" if is_first_shown.wait(20) else "was not shown in time"})

    server.answers("/v1/chat/completions", Reply(events=events()))
    call = DemoCall("streamed", "gpt-4o-mini", "Count.", is_streaming=True)
    with inference_recording("record", recordings):
        answer = call.make(client, lambda text: is_first_shown.set())

    assert "first second" == answer.text


def test_live_without_a_key_is_a_usage_error(tmp_path):
    """The SDK's own error would come with a traceback, and only after the warm-up."""
    result = demo("--live", "--dir", tmp_path / "kept")

    assert 2 == result.exit_code
    assert "--live calls the real API and needs OPENAI_API_KEY" in result.output
    assert not (tmp_path / "kept").exists()


def test_live_calls_the_api_with_the_model_and_replays_where_nothing_listens(tmp_path, monkeypatch):
    """With the API still up, only another address shows that the replay does not use it."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with running_server(pause_seconds=0) as base_url:
        monkeypatch.setenv("OPENAI_BASE_URL", base_url)
        result = demo("--live", "--model", "gpt-9", "--dir", tmp_path)

    assert 0 == result.exit_code, result.output
    assert f"1 Record  three calls of the OpenAI SDK, to {base_url}" in result.output
    assert re.search(r"nothing listens at http://127\.0\.0\.1:\d+/v1\n", result.output)
    assert f"nothing listens at {base_url}" not in result.output
    recordings = [path.read_text(encoding="utf-8") for path in tmp_path.glob("*.json")]
    assert ["gpt-9", "gpt-9", "no-such-model"] == sorted(json.loads(text)["request"]["model"] for text in recordings)
    assert not [text for text in recordings if "sk-secret" in text]


def test_a_refused_key_ends_the_demo_with_the_apis_message(server, monkeypatch):
    """A mistyped key is the likeliest failure of --live."""
    server.answers("/v1/chat/completions", error(401, "Incorrect API key provided"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mistyped")
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)

    result = demo("--live")

    assert 1 == result.exit_code
    message = "the plain call failed: AuthenticationError: Incorrect API key provided\n"
    assert result.output.endswith(message)


def test_a_directory_that_cannot_be_made_is_an_error_of_one_line(tmp_path):
    """A traceback through the recorder tells a newcomer that it is broken."""
    (tmp_path / "file").touch()

    result = demo("--dir", tmp_path / "file" / "kept")

    assert 1 == result.exit_code
    assert f"cannot keep recordings in {tmp_path / 'file' / 'kept'}" in result.output


CALL = DemoCall("plain", "gpt-4o-mini", "Hello?")
HELLO = DemoAnswer(((ChatCompletion, {"model": "m"}),), "hello", 1.0)


@pytest.mark.parametrize(
    "replayed",
    [
        DemoAnswer(((ChatCompletion, {"model": "another"}),), "hello", 1.0),
        DemoAnswer(((ChatCompletionChunk, {"model": "m"}),), "hello", 1.0),
        DemoAnswer(((ChatCompletion, {"model": "m"}), (ChatCompletion, {"model": "m"})), "hello", 1.0),
        DemoAnswer(((APIError, {"status_code": None}),), "hello", 1.0),
    ],
    ids=["other content", "other class", "one part more", "an error instead"],
)
def test_a_replay_that_differs_exits_with_1_and_names_the_call(replayed, tmp_path):
    """A demo that cannot fail proves nothing."""
    with inference_recording("replay", tmp_path) as session:
        pass

    with pytest.raises(ClickException, match="the replay of the plain call differs") as raised:
        check_replayed([CALL], [HELLO], [replayed], session)

    assert 1 == raised.value.exit_code


def test_equal_answers_that_were_not_replayed_are_an_error(tmp_path):
    """A call that went to the network gets the same answer too."""
    with inference_recording("replay", tmp_path) as session:
        pass

    with pytest.raises(ClickException, match="not every call was replayed"):
        check_replayed([CALL], [HELLO], [HELLO], session)
