"""Python processes that are started in a session join it: nothing that they ask reaches a model in replay."""

from __future__ import annotations

import asyncio
import contextvars
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree

import pytest

from inference_recorder import inference_recording
from inference_recorder.children import variables
from inference_recorder.children.sessions import keep_in

from ..conftest import files_of
from ..support.openai_server import OpenAIServer

pytestmark = pytest.mark.usefixtures("without_plugin")

CHILD = """
    import asyncio, os, sys
    import openai

    def ask(text="Say hello."):
        options = {"api_key": "x", "max_retries": 0, "http_client": openai.DefaultHttpxClient(verify=False)}
        with openai.OpenAI(base_url=os.environ["SERVER"], **options) as client:
            messages = [{"role": "user", "content": text}]
            return client.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.content

    async def ask_async(text):
        options = {"api_key": "x", "max_retries": 0, "http_client": openai.DefaultAsyncHttpxClient(verify=False)}
        async with openai.AsyncOpenAI(base_url=os.environ["SERVER"], **options) as client:
            messages = [{"role": "user", "content": text}]
            answer = await client.chat.completions.create(model="gpt-4o", messages=messages)
            return answer.choices[0].message.content

    def try_to_ask(text="Say hello."):
        try:
            return ask(text)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
"""
Run = Callable[[str], str]


@pytest.fixture
def run(server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs statements in a process of their own, after those of CHILD; returns what they print."""
    (tmp_path / "child.py").write_text(textwrap.dedent(CHILD))
    monkeypatch.setenv("SERVER", server.base_url)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def run(statements: str) -> str:
        result = subprocess.run(
            [sys.executable, "-c", f"from child import *\n{statements}"], capture_output=True, text=True
        )
        assert "" == result.stderr
        return result.stdout.strip()

    return run


def test_a_process_records_and_replays(run: Run, server: OpenAIServer, recordings: Path) -> None:
    """The same request again is the next of its series, and a miss raises there."""
    calls = "print(ask(), ask(), asyncio.run(ask_async('async')))"
    before = dict(os.environ)
    with inference_recording("record", recordings) as recording:
        recorded = run(calls)

    with inference_recording("replay", recordings) as replaying:
        replayed = run(f"{calls}; print(try_to_ask('new'))").splitlines()

    assert before == dict(os.environ)
    assert 3 == server.count == len(files_of(recordings))
    assert recorded == replayed[0]
    assert "MissingRecording: Recording not found for POST /v1/chat/completions (model gpt-4o)" == replayed[1]
    assert ({"recorded": 3}, {"replayed": 3, "missed": 1}) == (recording.counts, replaying.counts)
    assert 3 == len(replaying.requests) == len(recording.requests)
    assert replaying.usage == recording.usage


def outside_and_inside(program: str, recordings: Path) -> list[subprocess.CompletedProcess[str]]:
    """Run a program before a session is open, and within one."""
    command = [sys.executable, "-c", program]
    outside = subprocess.run(command, capture_output=True, text=True)
    with inference_recording("replay", recordings):
        return [outside, subprocess.run(command, capture_output=True, text=True)]


def test_what_is_installed_runs_as_usual(tmp_path: Path, recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another tool's sitecustomize still runs, and an environment without this package notices nothing."""
    (tmp_path / "sitecustomize.py").write_text("print('installed')")
    (tmp_path / "openai.py").write_text("print('another openai')")
    (tmp_path / "inference_recorder.py").write_text("raise ImportError('not here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    program = "import sys, openai, sitecustomize; print(sitecustomize.__file__, *sys.path)"

    outside, inside = outside_and_inside(program, recordings)

    assert (outside.stdout, "") == (inside.stdout, inside.stderr)
    assert inside.stdout.startswith(f"installed\nanother openai\n{tmp_path / 'sitecustomize.py'}")


def test_nothing_is_imported_before_the_sdk(recordings: Path) -> None:
    """Most programs that a test starts never call a model."""
    program = "import sys; print([name for name in sys.modules if 'inference' in name or 'importlib.' in name])"

    outside, inside = outside_and_inside(program, recordings)

    assert (outside.stdout, "") == (inside.stdout, inside.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_every_start_method_joins(run: Run, server: OpenAIServer, recordings: Path, method: str) -> None:
    """Positions go on from process to process, and from the parent to its children and back."""
    if not hasattr(os, "fork") and method != "spawn":
        pytest.skip("needs fork")
    program = f"""
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from inference_recorder import inference_recording
if __name__ == "__main__":
    for mode in ("record", "replay", "replay"):
        with inference_recording(mode, {str(recordings)!r}) as session:
            answers, context = [ask()], get_context({method!r})
            for _ in range(2):
                with context.Pool(1) as pool:
                    answers += pool.map(ask, ["Say hello."] * 2)
                    pool.close()
                    pool.join()
                answers.append(ask())
            with ProcessPoolExecutor(1, mp_context=context) as executor:
                answers.append(executor.submit(try_to_ask).result())
        print(dict(session.counts), answers)
        if {method!r} == "forkserver": break
"""
    if method == "forkserver":  # its server stays with the session in which it was started
        runs = [run(program.replace('("record", "replay", "replay")', f"({mode!r},)")) for mode in ("record", "replay")]
    else:
        runs = run(program).splitlines()

    answers = [f"Hello {number}!" for number in range(8)]
    assert f"{{'recorded': 8}} {answers}" == runs[0]
    assert {f"{{'replayed': 8}} {answers}"} == set(runs[1:])
    assert 8 == server.count == len(files_of(recordings))


@pytest.mark.slow
def test_a_process_outlives_its_session(run: Run, server: OpenAIServer, recordings: Path) -> None:
    """Its calls are nobody's: refused in replay, and live while recording."""
    for mode in ("record", "replay"):
        program = f"""
import subprocess, sys
from inference_recorder import inference_recording
code = "import sys; from child import *; print(ask(), flush=True); sys.stdin.readline(); print(try_to_ask())"
with inference_recording({mode!r}, {str(recordings)!r}) as session:
    process = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True)
    print(process.stdout.readline(), end="")
print(process.communicate("\\n")[0], session.counts, end="")
"""
        printed = run(program).splitlines()

        if mode == "record":
            assert ["Hello 0!", "Hello 1!"] == printed[:2]
        else:
            assert "Hello 0!" == printed[0]
            assert printed[1].startswith("UnrecordableCall: POST /v1/chat/completions (model gpt-4o): the session of ")
    assert (2, 1) == (server.count, len(files_of(recordings)))


def test_a_session_that_cannot_be_read_is_never_live_in_replay(
    run: Run, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that opened it has ended and removed it, or another user started this one."""
    monkeypatch.setenv("PYTHONPATH", variables._with_ours(os.environ["PYTHONPATH"]))
    monkeypatch.setenv(variables.SESSION_VARIABLE, f"{os.devnull}:0:replay")
    refused = run("print(try_to_ask())")
    monkeypatch.setenv(variables.SESSION_VARIABLE, f"{os.devnull}:0:record")
    live = run("print(ask())")

    assert refused.startswith("UnrecordableCall: POST /v1/chat/completions (model gpt-4o): the session of ")
    assert ("Hello 0!", 1) == (live, server.count)


def test_a_process_starts_although_nothing_can_be_written(recordings: Path, tmp_path: Path) -> None:
    """The start of a program is the test's; what the session needs for it may fail alone."""
    (tmp_path / "sessions").mkdir()
    end = keep_in(str(tmp_path / "sessions"))
    with inference_recording("replay", recordings):
        rmtree(tmp_path / "sessions")
        result = subprocess.run([sys.executable, "-c", "print('started')"], capture_output=True, text=True)
    end()

    assert ("started\n", "") == (result.stdout, result.stderr)


@pytest.mark.slow
def test_what_cannot_be_passed_on_is_refused(run: Run, server: OpenAIServer, recordings: Path) -> None:
    """A function may know secrets that the process would write to a file. The advice helps."""

    def names(text: str) -> list[str]:
        return ["Bert Brown"]

    with inference_recording("record", recordings, redact=[names]):
        refused = run("print(try_to_ask())")
    with inference_recording("record", recordings, redact=[names], children=False) as apart:
        live = run("print(ask())")
    with inference_recording("record", recordings, redact=["Bert Brown", re.compile("no (?P<secret>[a-z]+)", re.I)]):
        run("print(ask('I am Bert Brown, No one'))")

    assert refused.startswith("UnrecordableCall: ")
    assert f"{__name__}.test_what_cannot_be_passed_on_is_refused.<locals>.names" in refused
    assert ("Hello 0!", {}) == (live, apart.counts)
    [name] = files_of(recordings)
    text = (recordings / name).read_text()
    assert "Bert Brown" not in text
    assert "No one" not in text


def test_no_secret_is_written_before_a_process_starts(recordings: Path, tmp_path: Path) -> None:
    """The file of a session that is killed stays."""
    (tmp_path / "sessions").mkdir()
    end = keep_in(str(tmp_path / "sessions"))

    def secrets() -> list[int]:
        files = [path for path in (tmp_path / "sessions").iterdir() if "Bert Brown" in path.read_text()]
        return [path.stat().st_mode & 0o777 for path in files]

    with inference_recording("replay", recordings, redact=["Bert Brown"]):
        before = secrets()
        subprocess.run([sys.executable, "-c", ""], check=True)
        after = secrets()
    end()

    assert ([], [0o600]) == (before, after)


@pytest.mark.slow
def test_no_process_joins_one_of_two_sessions(run: Run, server: OpenAIServer, tmp_path: Path) -> None:
    """Nothing says which is meant; a live session inside exports nothing either."""
    first, second = (contextvars.Context() for _ in range(2))
    recorders = [inference_recording("replay", tmp_path / name) for name in ("a", "b")]
    before = dict(os.environ)
    first.run(recorders[0].__enter__)
    second.run(recorders[1].__enter__)
    with_two = dict(os.environ)
    second.run(recorders[1].__exit__, None, None, None)
    with inference_recording("live"):
        live = run("print(ask())")
    inside = run("print(try_to_ask())")
    first.run(recorders[0].__exit__, None, None, None)

    assert before == with_two == dict(os.environ)
    assert "Hello 0!" == live
    assert inside.startswith("MissingRecording")
    assert 1 == server.count


@pytest.mark.slow
def test_a_session_of_the_process_itself_is_its_own(run: Run, server: OpenAIServer, recordings: Path) -> None:
    """It is inside the one that the process has joined, and its processes join it."""
    own = recordings.parent / "own"
    program = f"""
import subprocess
from inference_recorder import inference_recording
with inference_recording("record", {str(own)!r}) as session:
    ask("own")
    subprocess.run([sys.executable, "-c", "from child import *; ask('below')"], check=True)
subprocess.run([sys.executable, "-c", "from child import *; ask('grandchild')"], check=True)
print(session.counts["recorded"], ask("joined"))
"""
    with inference_recording("record", recordings) as session:
        printed = run(program)

    assert "2 Hello 3!" == printed
    assert (2, 2) == (len(files_of(own)), len(files_of(recordings)))
    assert {"recorded": 2} == session.counts


@pytest.mark.slow
def test_a_call_past_the_sdk_is_refused_in_a_process_too(recordings: Path) -> None:
    """Another SDK, or none: nothing reaches a model in replay."""
    program = """
import socket
socket.getaddrinfo = lambda *args, **kwargs: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))]
import httpx
try:
    httpx.get("https://api.anthropic.com")
except Exception as error:
    print(type(error).__name__)
"""
    with inference_recording("replay", recordings) as session:
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert ("LiveCallBlocked\n", "") == (result.stdout, result.stderr)
    assert {"missed": 1} == session.counts


@pytest.mark.parametrize("library", ["httpcore", "httpcore2", "urllib3"])
def test_a_library_below_joins_too(recordings: Path, library: str) -> None:
    """boto3 uses urllib3 without requests."""
    program = f"""
import sys
try:
    import {library}
except ImportError:
    pass
print("inference_recorder.joined" in sys.modules)
"""
    with inference_recording("replay", recordings):
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert ("True\n", "") == (result.stdout, result.stderr)


def _by_posix_spawn(command: list[str], environment: dict[str, str]) -> None:
    os.waitpid(os.posix_spawn(command[0], command, environment), 0)


def _by_exec(command: list[str], environment: dict[str, str]) -> None:
    os.spawnve(os.P_WAIT, command[0], command, environment)  # noqa: S606


def _by_asyncio(command: list[str], environment: dict[str, str]) -> None:
    async def main() -> None:
        await (await asyncio.create_subprocess_exec(*command, env=environment)).wait()

    asyncio.run(main())


def _by_position(command: list[str], environment: dict[str, str]) -> None:
    nothing = (-1, None, None, None, None, None, True, False, None)
    subprocess.Popen(command, *nothing, environment).wait()  # type: ignore[call-overload]


def _by_inheriting(command: list[str], environment: dict[str, str]) -> None:
    os.environ["PYTHONPATH"] = environment["PYTHONPATH"]  # the fixture puts it back
    subprocess.run(command)


@pytest.mark.parametrize(
    "start",
    [
        lambda command, environment: subprocess.run(command, env=environment),
        *(
            pytest.param(start, marks=pytest.mark.slow)
            for start in (_by_position, _by_asyncio, _by_posix_spawn, _by_exec, _by_inheriting)
        ),
    ],
)
def test_a_path_of_its_own_keeps_no_process_from_joining(
    start: Callable[[list[str], dict[str, str]], None],
    run: Run,
    server: OpenAIServer,
    recordings: Path,
    tmp_path: Path,
) -> None:
    """Tests of command lines write `env={**os.environ, "PYTHONPATH": "src"}`."""
    answer, original = tmp_path / "answer", subprocess.Popen.__init__
    program = f"from child import *; open({str(answer)!r}, 'w').write(try_to_ask())"

    with inference_recording("replay", recordings):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        given = environment.copy()
        start([sys.executable, "-c", program], environment)

    assert answer.read_text().startswith("MissingRecording: ")
    assert (0, given) == (server.count, environment)
    assert original is subprocess.Popen.__init__
