"""`inference-recorder explain`: why a request given as JSON has no recording."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import openai
import pytest
from click.testing import CliRunner, Result

from inference_recorder import MissingRecording, inference_recording
from inference_recorder.cli.main import main

from ..conftest import HELLO
from ..unit.diagnosis.directories import CHAT, TEST, asks, put

BASE_URL = "https://api.openai.com/v1"


def run(directory: Path, *arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["explain", "--dir", str(directory), *arguments], input=stdin)


def miss(client: openai.OpenAI, recordings: Path, test_id: str = TEST, **arguments: Any) -> MissingRecording:
    with inference_recording("replay", recordings, test_id=test_id):
        with pytest.raises(MissingRecording) as caught:
            client.chat.completions.create(**arguments)
    return caught.value


def test_json_output_has_the_members_that_the_help_lists(recordings: Path, tmp_path: Path) -> None:
    """For scripts and agents."""
    file = put(recordings, asks("Say hello."), base_url=BASE_URL)
    request = put(tmp_path / "missing", asks("Say goodbye."), base_url=BASE_URL)

    result = run(recordings, "--json", "--request", str(request))

    difference = {
        "path": "$.messages[0].content",
        "recorded": "Say hello.",
        "asked": "Say goodbye.",
        "only_in": None,
        "lines": [],
    }
    nearest = {"path": str(file), "reason": "other request", "test_id": TEST, "differences": [difference]}

    assert {
        "key": request.stem,
        "test_id": TEST,
        "endpoint": CHAT,
        "model": "gpt-4o",
        "answered_by": None,
        "nearest": nearest,
        "recorded_for": [],
        "renamed_from": None,
        "dropped": None,
        "remarks": [],
    } == json.loads(result.output)


def test_json_output_has_the_advice_of_a_miss_among_its_remarks(recordings: Path, tmp_path: Path) -> None:
    """An agent does what it says."""
    one, other = (f"Look up 6fa459ea-ee8a-3ca4-894e-db77e160355{digit}." for digit in "ef")
    put(recordings, asks(one), base_url=BASE_URL)
    request = put(tmp_path / "missing", asks(other), base_url=BASE_URL)

    remarks = json.loads(run(recordings, "--json", "--request", str(request)).output)["remarks"]

    assert '  normalize = ["uuids"]  (in [tool.inference_recorder])' in remarks
    assert f"inference-recorder rekey {recordings}" == remarks[-1]


@pytest.mark.parametrize("form", ["recording", "request", "arguments"])
def test_a_request_is_taken_in_three_forms(form: str, recordings: Path, tmp_path: Path) -> None:
    """Whatever somebody has at hand: a file, its request, or what they pass to the SDK."""
    put(recordings, asks("Say hello."), base_url=BASE_URL)
    elsewhere = put(tmp_path / "other", asks("Say goodbye."), base_url=BASE_URL)
    document = json.loads(elsewhere.read_text())
    options = {
        "recording": [],
        "request": ["--test", TEST],
        "arguments": ["--test", TEST, "--endpoint", "chat/completions"],
    }[form]
    given = {"recording": document, "request": document["request"], "arguments": document["request"]["body"]}[form]
    (tmp_path / "given.json").write_text(json.dumps(given))
    from_file = run(recordings, "--request", str(tmp_path / "given.json"), *options)
    from_stdin = run(recordings, "--request", "-", *options, stdin=json.dumps(given))

    assert 1 == from_file.exit_code
    assert '- "Say hello."' in from_file.output
    assert from_file.output == from_stdin.output
    assert f"key: {elsewhere.stem}" in from_file.output
    assert "$.messages[0].content" in from_file.output
    assert "$.model" not in from_file.output


def test_a_request_that_is_recorded_is_answered_by_its_file(recordings: Path) -> None:
    """ "Why does it not find it?": it does."""
    file = put(recordings, asks("Say hello."), base_url=BASE_URL)
    result = run(recordings, "--request", str(file))

    assert 0 == result.exit_code
    assert f"answered by {file}" in result.output


def test_the_calls_of_a_test_are_explained(recordings: Path) -> None:
    """After a rule was changed, or for a new test that asks the same, nobody wants to copy requests."""
    hello, bye = (put(recordings, asks(f"Say {word}."), base_url=BASE_URL) for word in ("hello", "bye"))
    second = put(recordings, asks("Say bye."), name=f"{bye.stem}.2", base_url=BASE_URL)
    found = run(recordings, TEST)
    documents = json.loads(run(recordings, TEST, "--json", "--test", "t.py::new").output)
    by_key = json.loads(run(recordings, f"{bye.stem[:8]}.2", "--json").output)
    unknown, both = run(recordings, f"{TEST}s"), run(recordings, TEST, "--request", str(hello))

    assert (0, 3) == (found.exit_code, found.output.count("answered by "))
    assert all(f"answered by {path}\n" in found.output for path in (hello, bye, second))
    assert [(None, [TEST])] * 3 == [(document["answered_by"], document["recorded_for"]) for document in documents]
    assert str(second) == by_key["answered_by"]
    assert (2, True) == (unknown.exit_code, f"  {TEST}\n" in unknown.output)
    assert 2 == both.exit_code


def test_recordings_beside_the_tests_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session of the test looks there too."""
    (tmp_path / "pyproject.toml").write_text("[tool.inference_recorder]\nrecordings_beside_tests = true\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").mkdir()
    file = put(tmp_path / "tests" / "recordings", asks("Say hello."), "tests/test_a.py::test_b", base_url=BASE_URL)
    results = [
        CliRunner().invoke(main, ["explain", *arguments])
        for arguments in (["tests/test_a.py"], [file.stem], ["--request", str(file)])
    ]

    assert [(0, True)] * 3 == [(result.exit_code, f"answered by {file}" in result.output) for result in results]


def test_what_is_not_a_part_of_a_request_is_left_out(recordings: Path) -> None:
    """Arguments copied out of a program say how to call, too."""
    file = put(recordings, asks("Say hello."), base_url=BASE_URL)
    given = json.dumps(asks("Say hello.") | {"timeout": 3, "extra_headers": {"a": "b"}})
    result = run(recordings, "--request", "-", "--endpoint", CHAT, "--test", TEST, stdin=given)

    assert f"answered by {file}" in result.output


@pytest.mark.parametrize(
    ("arguments", "stdin", "reason"),
    [
        (["--request", "-"], "{", "--request is not valid JSON"),
        (["--request", "-"], "\x00", "--request is not valid JSON"),
        (["--request", "-"], "[" * 100_000, "--request is not valid JSON"),
        (["--request", "-"], "[]", "--request must hold an object, not a list"),
        (["--request", "-"], '{"model": "m"}', "add its --endpoint"),
        (["--request", "no such file"], "", "no such file"),
        (["--endpoint", "x"], "", "Missing option '--request'"),
        ([], "", "Missing option '--request'"),
    ],
    ids=["broken", "binary", "too deep", "a list", "no endpoint", "no file", "endpoint alone", "none"],
)
def test_what_cannot_be_read_is_a_usage_error(arguments: list[str], stdin: str, reason: str, recordings: Path) -> None:
    """Exit code 1 means that something has no recording."""
    result = run(recordings, *arguments, stdin=stdin)

    assert 2 == result.exit_code
    assert reason in result.output


def test_a_large_directory_is_read_to_its_end(
    client: openai.OpenAI, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error itself stops after two seconds; this is the command that it names."""
    for number in range(3):
        put(recordings, asks(f"Number {number}."), "other")
    os.utime(recordings, (1, 1))
    monkeypatch.setattr("inference_recorder.diagnosis.index.MOST_SECONDS", -1)

    error = miss(client, recordings, **HELLO)
    arguments = ("--request", "-", "--endpoint", CHAT, "--test", TEST)
    result = run(recordings, *arguments, stdin=json.dumps(HELLO))

    advice = "`inference-recorder explain --request FILE` compares a request given as JSON with all of them"
    assert f"compared with only 0 of the 3 recordings; {advice}" in str(error)
    assert "nearest: " not in str(error)
    assert "nearest: " in result.output
    assert "compared with only" not in result.output


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not a readable recording"),
        ('{"model": "m"}', "is not a recorded request; if it holds the arguments of a call, add --request {file} and"),
        ('{"version": 1, "interactions": []}', "is not a recorded request"),
    ],
    ids=["broken", "arguments", "a cassette"],
)
def test_a_file_that_holds_no_recording_is_named(content: str, reason: str, recordings: Path, tmp_path: Path) -> None:
    """Exit code 1 would say that a request has no recording."""
    file = tmp_path / "file.json"
    file.write_text(content)
    result = run(recordings, str(file))

    assert 2 == result.exit_code
    assert reason.format(file=file) in result.output.replace("\n", " ")
