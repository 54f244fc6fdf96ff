"""`inference-recorder run`: what the command gets, what became of its calls, and the exit code."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from inference_recorder import inference_recording
from inference_recorder.cli.main import main

from ..conftest import files_of
from ..support.openai_server import OpenAIServer, error
from ..support.systems import needs_shell, needs_signals
from .serving import COMMAND, TIMEOUT_SECONDS, run

slow = pytest.mark.slow
ASK = """
    import sys
    import openai

    client = openai.OpenAI(http_client=openai.DefaultHttpxClient(verify=False))
    for text in sys.argv[1:]:
        messages = [{"role": "user", "content": text}]
        try:
            print(client.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.content)
        except openai.APIStatusError as error:
            print(type(error).__name__, error.status_code, error.code)
"""
SHOW = """
    import os
    for name, value in sorted(os.environ.items()):
        if name.startswith(("OPENAI_", "ANTHROPIC_", "INFERENCE_RECORDER_")):
            print(name, value)
"""


@pytest.fixture
def ask(tmp_path: Path) -> list[str]:
    """The command of a program that asks each of its arguments, and prints the answers."""
    (tmp_path / "ask.py").write_text(textwrap.dedent(ASK))
    return [sys.executable, "ask.py"]


@pytest.mark.usefixtures("signals")
@pytest.mark.quick_cases(2)
@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (["sh", "-c", "exit 7"], 7, ""),
        (["sh", "-c", "kill -KILL $$"], 128 + 9, ""),
        (["no-such-command", "--mode", "x"], 127, "no-such-command"),
        (["./not-executable"], 126, "./not-executable"),
    ],
    ids=["its own", "a signal", "no command", "not executable"],
)
def test_the_exit_code_is_that_of_the_command_as_in_a_shell(
    command: list[str], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run -- npm test` stands where `npm test` stood."""
    needs_shell()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "not-executable").touch(0o644)

    result = CliRunner().invoke(main, ["run", "--", *command])

    assert code == result.exit_code, result.output
    assert said in result.output
    assert "recordings: no calls\n" in result.output


@slow
def test_a_program_records_and_then_replays_without_key_and_network(
    server: OpenAIServer, tmp_path: Path, ask: list[str]
) -> None:
    """A Python program that is served over HTTP must not be recorded in its own process as well."""
    keys = {"OPENAI_API_KEY": "sk-of-ours"}
    recording = ["run", "--mode", "record-if-missing", "--upstream", server.base_url, "--test-id", "a::b", "--"]
    recorded = run(*recording, *ask, "one", "two", directory=tmp_path, **keys)
    replayed = run("run", "--test-id", "a::b", "--", *ask, "one", "two", directory=tmp_path)

    assert (0, "Hello 0!\nHello 1!\n", "recordings: 2 recorded\n") == (
        recorded.returncode,
        recorded.stdout,
        recorded.stderr,
    )
    assert (0, recorded.stdout, "recordings: 2 replayed\n") == (replayed.returncode, replayed.stdout, replayed.stderr)
    assert 2 == server.count == len(files_of(tmp_path / "recordings"))
    assert {"Bearer sk-of-ours"} == {request.headers["authorization"] for request in server.received}


@slow
@pytest.mark.parametrize("mode", ["replay", "record"])
def test_the_command_finds_the_server_in_its_environment(mode: str, tmp_path: Path) -> None:
    """The SDKs read these variables; a placeholder key in a mode that sends would be refused by the model's server."""
    given = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_ORG_ID": "org"}
    done = run("run", "--mode", mode, "--", sys.executable, "-c", textwrap.dedent(SHOW), directory=tmp_path, **given)

    environment = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
    url = environment["ANTHROPIC_BASE_URL"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    assert [f"{url}/v1"] * 2 == [environment["OPENAI_BASE_URL"], environment["OPENAI_API_BASE"]]
    assert (mode == "replay") == bool(environment.get("OPENAI_API_KEY")) == bool(environment.get("ANTHROPIC_API_KEY"))
    assert "org" == environment["OPENAI_ORG_ID"]
    assert not environment.get("INFERENCE_RECORDER_SESSION")


@slow
def test_a_miss_that_the_program_caught_is_3_and_its_command_ends_it(
    server: OpenAIServer, tmp_path: Path, ask: list[str]
) -> None:
    """A test runner that counts a caught error as success would otherwise be green with calls unanswered."""
    options = ["--upstream", server.base_url, "--dir", "of ours", "--pace", "live"]
    missed = run("run", *options, "--", *ask, "one", "it's", "one", directory=tmp_path)
    assert 3 == missed.returncode
    assert ["UnprocessableEntityError 422 missing_recording"] * 3 == missed.stdout.splitlines()
    assert 2 == missed.stderr.count("Recording not found")
    assert "recordings: 3 missed\n" in missed.stderr
    assert missed.stderr.endswith("exit code 3\n")
    assert 0 == server.count

    (command,) = set(re.findall(r"^ +(inference-recorder run .*)$", missed.stderr, re.MULTILINE))
    assert set(options) <= set(shlex.split(command))
    recorded = run(*shlex.split(command)[1:], directory=tmp_path, OPENAI_API_KEY="sk-of-ours")
    again = run("run", *options, "--", *ask, "one", "it's", "one", directory=tmp_path)

    assert (0, "recordings: 3 recorded\n") == (recorded.returncode, recorded.stderr)
    assert (0, recorded.stdout, "recordings: 3 replayed\n") == (again.returncode, again.stdout, again.stderr)


@slow
def test_a_failing_program_keeps_its_code_when_calls_were_missed(tmp_path: Path, ask: list[str]) -> None:
    """Its own code says more."""
    (tmp_path / "ask.py").write_text((tmp_path / "ask.py").read_text() + "\nsys.exit(5)\n")

    done = run("run", "--", *ask, "one", directory=tmp_path)

    assert 5 == done.returncode
    assert done.stderr.endswith("recordings: 1 missed\n")


@slow
def test_an_answer_that_could_not_be_stored_is_given_and_is_3(
    server: OpenAIServer, tmp_path: Path, ask: list[str]
) -> None:
    """It was paid for; that it is not kept must not look like success."""
    recording = ["run", "--mode", "record", "--upstream", server.base_url, "--"]
    run(*recording, *ask, "one", directory=tmp_path, OPENAI_API_KEY="x")
    (path,) = (tmp_path / "recordings").glob("*.json")
    path.unlink()
    (path / "in the way").mkdir(parents=True)

    done = run(*recording, *ask, "one", directory=tmp_path, OPENAI_API_KEY="x")

    assert (3, "Hello 1!\n") == (done.returncode, done.stdout)
    assert path.name in done.stderr


@slow
def test_a_call_that_failed_and_was_not_recorded_is_named(server: OpenAIServer, tmp_path: Path, ask: list[str]) -> None:
    """After "1 dropped", a user asks which one, and why."""
    server.answers("/v1/chat/completions", error(403))
    result = run(
        "run",
        "--mode",
        "record",
        "--upstream",
        server.base_url,
        "--",
        *ask,
        "Hi",
        directory=tmp_path,
        OPENAI_API_KEY="x",
    )

    assert (0, "PermissionDeniedError 403 None\n") == (result.returncode, result.stdout)
    assert "recordings: 1 dropped\n  failed, and not recorded: 1 x 403 PermissionDeniedError: " in result.stderr


@slow
def test_a_miss_advises_nothing_that_the_command_does_not_have(
    server: OpenAIServer, tmp_path: Path, ask: list[str]
) -> None:
    """Sharing recordings among tests is a matter of markers and code."""
    options = ["run", "--upstream", server.base_url]
    run(*options, "--mode", "record", "--test-id", "one", "--", *ask, "Hi", directory=tmp_path, OPENAI_API_KEY="x")
    result = run(*options, "--test-id", "two", "--", *ask, "Hi", directory=tmp_path)

    assert 3 == result.returncode
    assert "the same request is recorded for\n    one\n" in result.stderr
    assert "scope" not in result.stderr


@slow
def test_a_request_that_the_server_refuses_is_3(tmp_path: Path) -> None:
    """A wrong base url would otherwise look like a run without calls."""
    program = "import httpx, os; httpx.get(os.environ['ANTHROPIC_BASE_URL'] + '/openai/v1/models', trust_env=False)"
    result = run("run", "--", sys.executable, "-c", program, directory=tmp_path)

    assert 3 == result.returncode
    assert result.stderr.startswith("nothing is served at /openai/v1/models")


@slow
def test_a_session_that_cannot_be_opened_is_1_and_nothing_is_run(tmp_path: Path) -> None:
    """A command that ran without its recordings would call the model."""
    (tmp_path / "file").touch()

    done = run("run", "--mode", "record", "--dir", "file", "--", "touch", "ran", directory=tmp_path)

    assert 1 == done.returncode
    assert str(tmp_path / "file") in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "ran").exists()


@slow
@pytest.mark.parametrize(
    ("number", "is_sent_to_all"), [(signal.SIGINT, True), (signal.SIGTERM, False)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_signal_ends_the_command_and_then_the_server(number: int, is_sent_to_all: bool, tmp_path: Path) -> None:
    """A terminal sends Ctrl-C to both, CI its SIGTERM to one; in either case nothing may be left running."""
    needs_signals()
    program = "import os, signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL); print(os.getpid(), flush=True)"
    command = [*COMMAND, "run", "--", sys.executable, "-c", f"{program}; time.sleep({TIMEOUT_SECONDS})"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, text=True, start_new_session=True, **pipes) as process:
        child = int(process.stdout.readline())
        (os.killpg if is_sent_to_all else os.kill)(process.pid, number)
        _, errors = process.communicate(timeout=TIMEOUT_SECONDS)

    assert (128 + number, "recordings: no calls\n") == (process.returncode, errors)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@slow
def test_within_a_session_it_joins_it_and_with_a_mode_it_does_not(
    server: OpenAIServer, tmp_path: Path, ask: list[str]
) -> None:
    """A test that starts `npm test` under `run` expects its own mode, directory and counts."""
    arguments = {"directory": tmp_path, "OPENAI_API_KEY": "sk-of-ours"}
    upstream = ["--upstream", server.base_url]
    with inference_recording("record", tmp_path / "of the test") as session:
        joined = run("run", *upstream, "--", *ask, "one", **arguments)
    with inference_recording("replay", tmp_path / "of the test") as replaying:
        replayed = run("run", *upstream, "--", *ask, "one", "two", **arguments)
        own = run("run", "--mode", "record", *upstream, "--", *ask, "three", **arguments)

    assert ["Hello 0!\n", "Hello 0!\nUnprocessableEntityError 422 missing_recording\n", "Hello 1!\n"] == [
        joined.stdout,
        replayed.stdout,
        own.stdout,
    ]
    assert [0, 3, 0] == [joined.returncode, replayed.returncode, own.returncode]
    assert ({"recorded": 1}, {"replayed": 1, "missed": 1}) == (session.counts, replaying.counts)
    assert "recordings: 1 recorded\n" == own.stderr
    assert [1, 1] == [len(files_of(tmp_path / name)) for name in ("of the test", "recordings")]


SUITE = """
    import subprocess
    import sys
    import pytest

    RUN = "from inference_recorder.cli.main import main; main()"

    def ask(*texts):
        command = [sys.executable, "-c", RUN, "run", "--", sys.executable, "ask.py", *texts]
        return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()

    @pytest.mark.inference_recording
    def test_one():
        assert ["Hello 0!"] == ask("one")

    @pytest.mark.inference_recording
    def test_two():
        assert ["Hello 1!"] == ask("two")
"""


@slow
def test_under_pytest_its_calls_are_those_of_the_test_that_runs_it(
    server: OpenAIServer, pytester: pytest.Pytester, ask: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A suite that starts `npm test` reads counts, misses and recordings where it reads those of Python."""
    pytester.makepyfile(test_suite=textwrap.dedent(SUITE))
    pytester.path.joinpath("ask.py").write_text(textwrap.dedent(ASK))
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-ours")
    recorded = pytester.runpytest_subprocess("--inference-mode=record-if-missing", "-k", "test_one")
    recorded.assert_outcomes(passed=1, deselected=1)
    recorded.stdout.fnmatch_lines(["recordings: 0 replayed, 1 recorded, 0 missed, 0 live, 0 unused"])

    monkeypatch.delenv("OPENAI_API_KEY")
    replayed = pytester.runpytest_subprocess()

    replayed.assert_outcomes(passed=1, failed=1)
    replayed.stdout.fnmatch_lines(["*test_suite.py::test_two: 1 x /v1/chat/completions (gpt-4o)*"])
    (file,) = pytester.path.joinpath("recordings").glob("*.json")
    assert "test_suite.py::test_one" in file.read_text()
    assert 1 == server.count
