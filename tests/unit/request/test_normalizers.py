"""What the caller declares to differ from run to run is not part of the key; everything else is."""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import MissingRecording, Normalizer, RecorderError, inference_recording
from inference_recorder.engine.test_run import running_test_id
from inference_recorder.redaction.requests import recorded_request
from inference_recorder.request.json_path import JsonPath
from inference_recorder.request.keys import request_key
from inference_recorder.request.normalizers import BUILT_IN_NAMES, Normalizers

from ...support.openai_server import OpenAIServer, Reply, completion


def asking(text: str) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}


def with_call_ids(first: str, second: str) -> dict[str, Any]:
    def call(call_id: str) -> dict[str, Any]:
        return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}

    return {
        "messages": [
            {"role": "assistant", "tool_calls": [call(first), call(second)]},
            {"role": "tool", "tool_call_id": second, "content": "2"},
            {"role": "tool", "tool_call_id": first, "content": "1"},
        ],
        "input": [
            {"type": "function_call", "id": f"fc_{first}", "call_id": first, "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": first, "output": "1"},
            {"type": "server_tool_use", "id": f"srv_{first}", "name": "web_search", "input": {}},
        ],
    }


BUILT_IN = {
    "uuids": (asking("id 123e4567-e89b-12d3-a456-426614174000."), asking("id 00000000-e89b-12d3-a456-426614174fff.")),
    "hashes": (asking(f"commit {'a1' * 20}, {'b' * 64}"), asking(f"commit {'c3' * 20}, {'d' * 64}")),
    "dates": (
        asking("It is 2026-11-23T08:36:23.123456+00:00, or 2026-11-23, or 08:36:23."),
        asking("It is 2027-01-02T10:00:00Z, or 2027-01-02, or 10:00:00."),
    ),
    "cwd": (asking(f"Read {os.getcwd()}/a.txt and {os.getcwd()}."), None),
    "tmp_path": (
        asking("TMP/pytest-of-me/pytest-12/popen-gw0/test_a0/x.txt"),
        asking("TMP/pytest-of-you/pytest-3/test_a0/x.txt"),
    ),
    "tool_call_ids": (with_call_ids("call_a", "call_b"), with_call_ids("call_x", "call_y")),
}


@pytest.mark.parametrize("name", BUILT_IN_NAMES)
def test_a_built_in_rule_makes_two_runs_one(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them is why somebody's recordings were missed on another machine, or the next day."""
    one, other = json.loads(json.dumps(BUILT_IN[name]).replace("TMP", tempfile.gettempdir()))
    normalised = Normalizers([name]).applied(one)
    if other is None:
        monkeypatch.chdir(tmp_path)
        other = asking(f"Read {tmp_path}/a.txt and {tmp_path}.")

    assert one != other
    assert Normalizers([name]).applied(other) == normalised


def test_tool_call_ids_keep_their_order() -> None:
    """Which call a result belongs to is part of the question."""
    calls = with_call_ids("a", "b")
    swapped = {**calls, "messages": [calls["messages"][0], *reversed(calls["messages"][1:])]}

    assert Normalizers(["tool_call_ids"]).applied(calls) != Normalizers(["tool_call_ids"]).applied(swapped)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", "X"),
        ("$.a", {"a": "X", "b": [{"a": 2}, {"a": 3, "c": {"a": 4}}], "d-e": 5}),
        ("$.b[0].a", {"a": 1, "b": [{"a": "X"}, {"a": 3, "c": {"a": 4}}], "d-e": 5}),
        ("$.b[-1].a", {"a": 1, "b": [{"a": 2}, {"a": "X", "c": {"a": 4}}], "d-e": 5}),
        ("$.b[*].a", {"a": 1, "b": [{"a": "X"}, {"a": "X", "c": {"a": 4}}], "d-e": 5}),
        ("$..a", {"a": "X", "b": [{"a": "X"}, {"a": "X", "c": {"a": "X"}}], "d-e": 5}),
        ("$.*", {"a": "X", "b": "X", "d-e": "X"}),
        ("$['d-e']", {"a": 1, "b": [{"a": 2}, {"a": 3, "c": {"a": 4}}], "d-e": "X"}),
        ("$.b[7].a", {"a": 1, "b": [{"a": 2}, {"a": 3, "c": {"a": 4}}], "d-e": 5}),
    ],
)
def test_a_path_names_its_places(path: str, expected: Any) -> None:
    """The notation is JSONPath's, since people know it."""
    value = {"a": 1, "b": [{"a": 2}, {"a": 3, "c": {"a": 4}}], "d-e": 5}

    assert expected == JsonPath(path).applied(value, lambda item: "X")


def test_a_rule_without_a_pattern_replaces_the_whole_value() -> None:
    """It may be a number, in which no pattern could be."""
    rules = Normalizers([{"path": "$.a", "placeholder": "X"}])

    assert {"a": "X", "b": 2} == rules.applied({"a": 1, "b": 2})


@pytest.mark.parametrize("path", ["a", "$a", "$.", "$.a[", "$.a[x]", "$.a b", "$[?(@.a)]"])
def test_an_invalid_path_is_refused(path: str) -> None:
    """A rule that never applies would be noticed as a miss, on another machine."""
    with pytest.raises(RecorderError, match="is not a JSON path"):
        JsonPath(path)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (["uuid"], "there is no normalizer 'uuid'; the built-in ones are cwd, dates, hashes, tmp_path"),
        ("uuids", "take lists"),
        ([{"pat": "x"}], "takes path, pattern and placeholder"),
        ([("$", "(")], "is invalid"),
        ([("$", "a", r"\2")], "is invalid"),
        ([("$",)], "needs a pattern"),
        ([[1, "x"]], "path is of type int; it must be a string"),
        ([{"pattern": re.compile("x")}], "pattern is of type Pattern; it must be a string"),
        ([{"pattern": "x", "placeholder": 3}], "placeholder is of type int; it must be a string"),
    ],
    ids=[
        *("unknown name", "a single text", "unknown part", "no pattern", "unknown group", "everything"),
        *("path of another type", "compiled pattern", "placeholder of another type"),
    ],
)
def test_an_invalid_rule_is_refused(rules: Any, expected: str) -> None:
    """At the place where it is written down, not at the first miss."""
    with pytest.raises(RecorderError, match=expected):
        inference_recording("replay", normalize=rules)


def test_what_is_left_out_of_the_key_is_in_the_file(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """A person who reads the recording wants to see what was asked; the rules are named beside it."""
    rules = ["uuids", Normalizer("$.messages[*].content", r"run \d+", "run N")]
    one, other = (asking(f"run {run}, id 123e4567-e89b-12d3-a456-4266141740{run:02}") for run in (1, 22))
    with inference_recording("record", recordings, normalize=rules):
        client.chat.completions.create(**one)

    with inference_recording("replay", recordings, normalize=rules) as session:
        client.chat.completions.create(**other)

    [path] = recordings.glob("*.json")
    written = json.loads(path.read_bytes())["request"]
    assert {"replayed": 1} == session.counts
    assert one == written["body"]
    assert path.stem == request_key(recorded_request(written), running_test_id())
    assert ["uuids", asdict(rules[1])] == written["normalize"]  # type: ignore[call-overload]


def test_a_difference_that_is_not_declared_is_a_miss(client: openai.OpenAI, recordings: Path) -> None:
    """There is no fuzzy match: an answer to another question is worse than none."""
    with inference_recording("record", recordings, normalize=["uuids"]):
        client.chat.completions.create(**asking("id 123e4567-e89b-12d3-a456-426614174000"))

    with inference_recording("replay", recordings, normalize=["uuids"]), pytest.raises(MissingRecording):
        client.chat.completions.create(**asking("ID 123e4567-e89b-12d3-a456-426614174000"))


def test_recordings_without_what_a_rule_hides_stay_where_they_are(client: openai.OpenAI, recordings: Path) -> None:
    """Declaring a rule must not orphan a suite's other recordings."""
    with inference_recording("record", recordings):
        client.chat.completions.create(**asking("id 123e4567-e89b-12d3-a456-426614174000"))
        client.chat.completions.create(**asking("no id"))

    with inference_recording("replay", recordings, normalize=["uuids"]) as session:
        client.chat.completions.create(**asking("id 123e4567-e89b-12d3-a456-426614174000"))
        client.chat.completions.create(**asking("no id"))

    assert {"replayed": 2} == session.counts


def test_a_tool_loop_with_random_ids_replays_to_its_end(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """Frameworks that make up call ids themselves ask something new in every run."""
    server.answers("/v1/chat/completions", Reply(completion("one")), Reply(completion("two")))

    def loop(ids: str) -> list[str]:
        messages = with_call_ids(f"{ids}1", f"{ids}2")["messages"]
        return [
            client.chat.completions.create(model="gpt-4o", messages=messages[: count + 1]).choices[0].message.content
            or ""
            for count in range(2)
        ]

    with inference_recording("record", recordings, normalize=["tool_call_ids"]):
        recorded = loop("a")
    with inference_recording("replay", recordings, normalize=["tool_call_ids"]):
        replayed = loop("b")

    assert ["one", "two"] == recorded == replayed
