"""`inference-recorder show`: a recording as a person reads it, also one from a stranger."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from inference_recorder.cli.main import main
from inference_recorder.recording.answer import Value
from inference_recorder.recording.codec import encode

from ..unit.views.report.example import HAIKU, Example, chat_answer, chat_stream, travel_agency

CHAT = "/v1/chat/completions"
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def show(*arguments: str | Path, terminal: bool = False) -> Result:
    environment = {"FORCE_COLOR": "1", "COLUMNS": "100", "TERM": "xterm-256color"} if terminal else {}
    return CliRunner().invoke(main, ["show", *map(str, arguments)], env=environment)


@pytest.fixture
def run(tmp_path: Path) -> Example:
    return Example(tmp_path / "recordings")


def test_in_a_pipe_it_is_plain_text(run: Example) -> None:
    """grep and mail have no colours and no boxes."""
    call = {"id": "call_1", "function": {"name": "find_trains", "arguments": '{"to":"Porto"}'}}
    body = {
        "model": "gpt-4o",
        "messages": [{"role": "system", "content": "Be brief.\nBe kind."}, {"role": "user", "content": "To Porto?"}],
        "tools": [{"type": "function", "function": {"name": "find_trains", "description": "Trains.\nAll of them."}}],
        "temperature": 0,
    }
    answer = chat_answer(None, (20, 9), "tool_calls", tool_calls=[call], reasoning="A train,\nI think.")
    path = run.call("tests/test_a.py::test_b", CHAT, body, answer)
    result = show(path)

    expected = f"""\
tests/test_a.py::test_b
POST /v1/chat/completions  gpt-4o  {path.stat().st_size / 1000:.1f} kB
{path}

system
  Be brief.
  Be kind.

user
  To Porto?

tools offered
  find_trains  Trains.

settings
  temperature: 0

assistant (tool_calls)
  > A train,
  > I think.
  find_trains({{"to":"Porto"}})  [call_1]

20 tokens in, 9 out
"""
    assert (0, expected) == (result.exit_code, result.output)


def test_on_a_terminal_it_has_panels(tmp_path: Path) -> None:
    """Each turn is visible at a glance."""
    run = travel_agency(tmp_path)
    key = next(call["key"] for call in run.calls if call["test_id"] == HAIKU)
    result = show(key[:12], "--dir", tmp_path, terminal=True)

    plain = _ESCAPE.sub("", result.output)
    assert result.output != plain
    assert re.search(r"╭─ user ─+╮\n│ Write a haiku about recorded answers. +│\n╰─+╯", plain)
    assert re.search(r"│ Asked once, it answers; +│\n│ recorded, it speaks again +│", plain)
    assert "15 tokens in, 19 out  streamed in 17 chunks" in plain


def test_a_key_is_found_by_its_first_digits(run: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody types 64 digits; a test's output names twelve."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    path = run.call(None, CHAT, body, chat_answer("one", (1, 1)))
    monkeypatch.setenv("LLAMA_STACK_TEST_RECORDING_DIR", str(run.directory))

    for name in (path.stem, path.name, path.stem[:6]):
        assert "one" in show(name).output
    assert "(outside a test)" in show(path.stem).output


def test_all_answers_to_a_key_are_shown_in_their_order(run: Example) -> None:
    """A test may make the same request twice; the tenth answer comes after the second."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    path = run.call(None, CHAT, body, chat_answer("one", (1, 1)))
    for position, text in ((10, "ten"), (2, "two")):
        content = path.read_text().replace('"one"', f'"{text}"')
        path.with_suffix(f".{position}.json").write_text(content)

    assert ["one", "two", "ten"] == re.findall(
        "^  (one|two|ten)$", show(path.stem, "--dir", run.directory).output, re.M
    )
    for name in (f"{path.stem}.2", f"{path.stem[:12]}.2"):  # the second is what `ls` shows
        assert ["two"] == re.findall("^  (one|two|ten)$", show(name, "--dir", run.directory).output, re.M), name
    assert 2 == show(f"{path.stem[:12]}.3", "--dir", run.directory).exit_code


def test_digits_that_match_several_keys_are_refused(run: Example) -> None:
    """Showing the wrong recording silently is worse than showing none."""
    paths = [run.directory / f"ab{digit * 62}.json" for digit in "01"]
    for path in paths:
        path.write_bytes(encode(None, {}, Value()))
    result = show("ab", "--dir", run.directory)

    assert 2 == result.exit_code
    assert "'ab' matches 2 recordings; give more digits:" in result.output
    assert all(path.stem in result.output for path in paths)


def test_an_unknown_key_is_refused_with_the_directories_searched(run: Example) -> None:
    """The directory is usually what is wrong."""
    result = show("abc", "--dir", run.directory)

    assert 2 == result.exit_code
    assert "no recording is named 'abc'" in result.output
    assert str(run.directory) in result.output


def test_an_unknown_test_without_a_similar_one_is_refused_with_the_command_that_lists_all(
    conversations: Example, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In the directory that was searched, which need not be the default one."""
    monkeypatch.chdir(tmp_path)
    for dirs in ([], ["--dir", conversations.directory]):
        result = show("zzz", *dirs)
        program, *command = shlex.split(result.output.rpartition("are listed by: ")[2])

        assert (2, "inference-recorder") == (result.exit_code, program)
        assert f"{TESTS}::test_b[x]" in CliRunner().invoke(main, command).output


@pytest.mark.parametrize("how", [[], ["--raw"], ["--json"]], ids=["as text", "raw", "as JSON"])
def test_a_corrupt_file_is_an_error_with_advice(tmp_path: Path, how: list[str]) -> None:
    """Half a file after a merge conflict must not look like an empty conversation."""
    path = tmp_path / "ab.json"
    path.write_text('{"test_id": ')
    result = show(path, *how)

    assert 1 == result.exit_code
    assert f"{path} is not a readable recording" in result.output
    assert "restore it from version control" in result.output


def test_raw_prints_the_file(run: Example) -> None:
    """This is for jq, and to see the actual content."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Grüße\u2028!"}]}
    path = run.call(None, CHAT, body, chat_stream(["a", "b"]))
    piped, coloured = show(path, "--raw"), show(path, "--raw", terminal=True)

    assert json.loads(path.read_bytes()) == json.loads(piped.output)
    assert path.read_text(encoding="utf-8").replace("\u2028", "\\u2028") == piped.output
    assert piped.output != coloured.output
    assert piped.output.strip() == _ESCAPE.sub("", coloured.output).strip()


def test_json_prints_the_conversation(run: Example) -> None:
    """A script that wants the joined text need not know about chunks."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    path = run.call("t.py::t", CHAT, body, chat_stream(["Hel", "lo"], (3, 2)))
    conversation: dict[str, Any] = json.loads(show(path, "--json").output)

    assert ("t.py::t", CHAT, "m", path.stem) == (
        conversation["test_id"],
        conversation["endpoint"],
        conversation["model"],
        conversation["key"],
    )
    assert "Hello" == conversation["answered"][0]["parts"][0]["text"]
    assert {"tokens_in": 3, "tokens_out": 2, "cached": 0, "reasoning": 0} == conversation["usage"]


TESTS = "tests/test_a.py"


@pytest.fixture
def conversations(run: Example, monkeypatch: pytest.MonkeyPatch) -> Example:
    """Two tests with three and one calls; the history of the first one grows."""
    monkeypatch.chdir(run.directory.parent)
    asked = [{"role": "user", "content": f"Number {number}"} for number in range(3)]
    for end in (3, 1, 2):
        run.call(f"{TESTS}::test_b[x]", CHAT, {"model": "m", "messages": asked[:end]}, chat_answer(f"<{end}>", (1, 1)))
    run.call(f"{TESTS}::TestC::test_d", CHAT, {"model": "m", "messages": asked[:1]}, chat_answer("<d>", (1, 1)))
    return run


@pytest.mark.parametrize(
    ("node_id", "expected"),
    [("test_b", "123"), ("test_b[x]", "123"), ("TestC", "d"), ("TestC::test_d", "d"), ("", "d123")],
)
def test_all_calls_of_a_test_are_shown(node_id: str, expected: str, conversations: Example) -> None:
    """A failing test gives its id, and what it asked is the next question; nobody knows the keys."""
    name = f"{TESTS}::{node_id}" if node_id else TESTS
    result = show(name)
    documents = json.loads(show(name, "--json").output)

    assert 0 == result.exit_code, result.output
    assert [*expected] == re.findall(r"<(.)>", result.output)
    assert len(expected) == (1 if isinstance(documents, dict) else len(documents))


@pytest.mark.parametrize(
    ("name", "suggested"),
    [("test_a.py::test_b[x]", f"{TESTS}::test_b[x]"), (f"{TESTS}::TestC::test_e", f"{TESTS}::TestC::test_d")],
)
def test_an_unknown_test_is_refused_with_those_that_are_similar(
    name: str, suggested: str, conversations: Example
) -> None:
    """Ids are long, and are typed from memory."""
    result = show(name)

    assert 2 == result.exit_code
    assert f"no recording in recordings is of {name}\n" in result.output
    assert f"  {suggested}" in result.output.splitlines()
    assert 0 == show(suggested).exit_code


def test_git_shows_what_changed_in_a_recording(run: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reviewer reads two answers, not the JSON of two files; git gives the old one under another name."""
    repository = run.directory.parent
    monkeypatch.chdir(repository)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name, value in GIT.items():
        monkeypatch.setenv(name, value)
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Say hello."}]}
    path = run.call("test_a.py::test_b", CHAT, body, chat_answer("Good morning!", (1, 1)))
    Path(".gitattributes").write_text("recordings/*.json diff=inference-recording\n")
    git("init", "-q")
    git("config", "diff.inference-recording.textconv", "inference-recorder show --textconv")
    git("add", ".")
    path.write_bytes(path.read_bytes().replace(b"Good morning!", b"Good evening, all!"))

    changes = [line for line in git("diff").splitlines() if line.startswith(("-", "+", " "))]

    context = ["   Say hello.", " ", " assistant (stop)"]
    assert [*context, "-  Good morning!", "+  Good evening, all!", " ", " 1 tokens in, 1 out"] == changes[2:]


@pytest.mark.parametrize("content", ["<<<<<<< ours\n", "{}", ""])
def test_for_git_a_file_that_is_no_recording_is_shown_as_it_is(content: str, tmp_path: Path) -> None:
    """git would end with an error and show no other file."""
    path = tmp_path / "git-blob-Xy/ab.json"
    path.parent.mkdir()
    path.write_text(content)

    result = show(path, "--textconv")

    assert 0 == result.exit_code
    assert content in result.output


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "FORCE_COLOR": "1"}
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\x08\x7f\u202e[bold red]x[/bold red]\r\nuser\n  forged"


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize("how", [[], ["--raw"], ["--json"]], ids=["as text", "raw", "as JSON"])
def test_a_recording_cannot_steer_the_terminal(run: Example, terminal: bool, how: list[str]) -> None:
    """It comes from a stranger's pull request; an escape sequence can rename windows, hide lines and type commands."""
    call = {"id": HOSTILE, "function": {"name": HOSTILE, "arguments": HOSTILE}}
    tool = {"type": "function", "function": {"name": HOSTILE, "description": HOSTILE}}
    messages = [{"role": HOSTILE, "content": HOSTILE}, {"role": "tool", "tool_call_id": HOSTILE, "content": HOSTILE}]
    body = {"model": HOSTILE, "messages": messages, "tools": [tool], HOSTILE: HOSTILE}
    answer = chat_answer(HOSTILE, (1, 1), HOSTILE, tool_calls=[call], refusal=HOSTILE, reasoning=HOSTILE)
    path = run.call(HOSTILE, CHAT, body, answer)
    result = show(path, *how, terminal=terminal)

    shown = _ESCAPE.sub("", result.output)
    assert 0 == result.exit_code
    assert [] == [one for one in shown if (ord(one) < 32 and one != "\n") or 127 <= ord(one) < 160 or one == "\u202e"]
    assert "\nuser\n  forged" not in shown
    assert "[bold red]x[/bold red]" in shown.replace("\n", "")
    assert "\\u001b]0;owned\\u0007" in shown.replace("\n", "")
