"""`inference-recorder diff`: what changed between two recordings, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest
from click.testing import CliRunner, Result

from inference_recorder import inference_recording
from inference_recorder.cli import console
from inference_recorder.cli.answers import joined
from inference_recorder.cli.main import main

from ..conftest import HELLO, Colour
from ..support.openai_server import OpenAIServer, Reply, chunks
from ..unit.diagnosis.directories import asks, put, question


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["diff", *map(str, arguments)])


def recorded(sdk: Colour, directory: Path, test_id: str = "t", **arguments: Any) -> Path:
    """Return the file of a recorded call."""
    known = set(directory.glob("*.json"))
    with inference_recording("record", directory, test_id=test_id):
        sdk.items(sdk.call("chat.completions.create", **HELLO, **arguments, stream=True))
    (path,) = set(directory.glob("*.json")) - known
    return path


def test_it_shows_where_requests_and_joined_streams_differ(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Nobody can compare forty chunks, but anybody can compare two texts."""
    server.answers("/v1/chat/completions", Reply(events=chunks("Hel", "lo!")), Reply(events=chunks("Good ", "bye!")))
    one, other = recorded(sdk, recordings), recorded(sdk, recordings, temperature=0.5)
    result = run(one, other)
    expected = f"""\
- {one}
+ {other}
request
  $.temperature (only in {other.stem[:12]})
    + 0.5
response
  $.body.choices[0].message.content
    - "Hello!"
    + "Good bye!"
"""

    assert expected == result.output
    assert 1 == result.exit_code


def test_different_chunk_boundaries_are_not_a_difference(sdk: Colour, server: OpenAIServer, tmp_path: Path) -> None:
    """The same answer arrives in different chunks each time."""
    server.answers("/v1/chat/completions", Reply(events=chunks("Hel", "lo!")), Reply(events=chunks("H", "ello!")))
    one, other = recorded(sdk, tmp_path / "a"), recorded(sdk, tmp_path / "b")
    result = run(one, other)

    assert one.read_bytes() != other.read_bytes()
    assert (0, ["request: the same", "response: the same"]) == (result.exit_code, result.output.splitlines()[2:])


def test_the_id_made_from_the_key_is_not_a_difference(client: openai.OpenAI, recordings: Path) -> None:
    """It differs wherever the request does."""
    for seed in (1, 2):
        with inference_recording("record", recordings):
            client.chat.completions.create(**HELLO, seed=seed)
    one, other = recordings.glob("*.json")
    differences = json.loads(run(one, other, "--json").output)

    assert ["$.seed"] == [difference["path"] for difference in differences["request"]]
    assert "$.body.id" not in [difference["path"] for difference in differences["response"]]


def test_json_is_as_the_help_describes_it(recordings: Path) -> None:
    """Scripts rely on it."""
    one = put(recordings, asks("Say hello."), "t.py::one", answer={"text": "Hello."})
    other = put(recordings, asks("Say hello.", stop="x"), "t.py::other", answer={"text": "Hi."})
    result = run(one, other, "--json")
    expected = {
        "a": str(one),
        "b": str(other),
        "is_same": False,
        "request": [
            {"path": "test_id", "a": "t.py::one", "b": "t.py::other", "only_in": None},
            {"path": "$.stop", "a": None, "b": "x", "only_in": "b"},
        ],
        "response": [{"path": "$.body.text", "a": "Hello.", "b": "Hi.", "only_in": None}],
    }

    assert expected == json.loads(result.output)
    assert 1 == result.exit_code


def test_a_recording_is_named_by_its_key_or_first_digits(recordings: Path) -> None:
    """Nobody types 64 digits; a key stands for the first answer of its series."""
    one = put(recordings, asks("Say hello."), "one")
    put(recordings, asks("Say hello."), "one", name=f"{one.stem}.2", answer="Hi!")
    put(recordings, asks("Say hello."), "one", name=f"{one.stem}0", answer="Of another key.")
    for name in (one.stem, one.name, str(one)):
        assert 0 == run(name, one, "--dir", recordings).exit_code, name
    for name in (f"{one.stem}.2", f"{one.stem}.2.json"):
        assert 1 == run(name, one, "--dir", recordings).exit_code, name
    (recordings / f"{one.stem}0.json").unlink()
    assert 0 == run(one.stem[:8], one, "--dir", recordings).exit_code
    assert 1 == run(f"{one.stem[:8]}.2", one, "--dir", recordings).exit_code


def test_keys_are_searched_in_the_directories_below(tmp_path: Path) -> None:
    """What `show` finds can be compared too."""
    one = put(tmp_path / "unit", asks("Say hello."), name="ab" * 32)

    assert 0 == run("ab", one.stem, "--dir", tmp_path).exit_code
    assert "does not exist" in run("ab", "ab", "--dir", tmp_path / "none").output


def test_digits_that_match_several_keys_are_refused(recordings: Path) -> None:
    """Choosing one silently would compare the wrong recordings."""
    for number in range(12):
        put(recordings, asks("Say hello."), name=f"ab{number:02}" + "0" * 60)
    result = run("ab", "ab01", "--dir", recordings)

    assert 2 == result.exit_code
    assert "'ab' matches 12 recordings; give more digits:" in result.output
    assert "and 2 more" in result.output


@pytest.mark.parametrize("name", ["fff", "", "../x", "a/b.json"])
def test_an_unknown_name_is_refused(name: str, recordings: Path) -> None:
    """The error names the directory, which is usually what is wrong."""
    put(recordings, asks("Say hello."), name="a" * 64)
    result = run(name, "aaa", "--dir", recordings)

    assert 2 == result.exit_code
    assert str(recordings) in result.output.replace("\n", "")


def test_the_calls_of_two_tests_are_compared_in_their_order(recordings: Path) -> None:
    """Two parameters of a test ask nearly the same; their keys have nothing in common."""
    for test_id, name in (("t.py::t[x]", "Bo"), ("t.py::t[y]", "Al")):
        put(recordings, asks(f"Say hello to {name}."), test_id, answer={"text": "Hello."})
        put(recordings, asks("Say goodbye."), test_id, answer={"text": "Bye."})
    put(recordings, asks("Who are you?"), "t.py::t[y]")
    result = run("t.py::t[x]", "t.py::t[y]", "--dir", recordings, "--json")
    goodbye, hello, who = json.loads(result.output)

    assert 1 == result.exit_code
    assert (True, [], []) == (goodbye["is_same"], goodbye["request"], goodbye["response"])
    assert (["$.messages[0].content"], []) == ([one["path"] for one in hello["request"]], hello["response"])
    assert (None, False) == (who["a"], who["is_same"])
    assert "no such call" in run("t.py::t[x]", "t.py::t[y]", "--dir", recordings).output
    assert 0 == run("t.py::t[x]", "t.py::t[x]", "--dir", recordings).exit_code


def test_with_one_name_the_answer_is_compared_with_that_of_a_failed_run(recordings: Path) -> None:
    """Before it is kept, one wants to see what it would change."""
    one = put(recordings, asks("Say hello."), "t.py::t", answer={"text": "Hello."})
    alone = run("t.py::t", "--dir", recordings)
    put(recordings / ".failed", asks("Say hello."), "t.py::t", answer={"text": "Hi."})
    both = run("t.py::t", "--dir", recordings)

    assert 2 == alone.exit_code
    assert "no failed run has set an answer of t.py::t aside; name what to compare it with as B" in alone.output
    assert (1, [f"- {one}", f"+ {recordings / '.failed' / one.name}"]) == (both.exit_code, both.output.splitlines()[:2])


def test_where_no_run_failed_a_second_name_is_asked_for_and_suffices(recordings: Path) -> None:
    """The command takes one name or two; what it says with one shows how to go on."""
    one, other = (put(recordings, asks("Say hello."), test_id, answer="Hello.") for test_id in ("t.py::a", "t.py::b"))
    alone = run("t.py::a", "--dir", recordings)
    second = alone.output.split()[-1]
    usage = run("--help").output

    assert (2, "B") == (alone.exit_code, second)
    assert f" A [{second}]\n" in usage
    both = run("t.py::a", "t.py::b", "--dir", recordings)
    assert (0, [f"- {one}", f"+ {other}"]) == (both.exit_code, both.output.splitlines()[:2])


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"request": {}}', b'{"request": {}, "response": {"is_streaming": true}}']
)
def test_an_unreadable_file_has_its_own_exit_code(content: bytes, recordings: Path) -> None:
    """Exit code 1 means that they differ."""
    one = put(recordings, asks("Say hello."))
    (recordings / "broken.json").write_bytes(content)
    result = run(one, recordings / "broken.json")

    assert 2 == result.exit_code
    assert "broken.json" in result.output


def test_a_chunk_that_is_not_json_is_corrupt(sdk: Colour, recordings: Path) -> None:
    """The chunks of a stream are parsed only when needed."""
    one = recorded(sdk, recordings)
    one.write_text(one.read_text().replace('"delta":', '"delta"', 1))
    result = run(one, one)

    assert 2 == result.exit_code
    assert one.name in result.output


def test_calls_outside_the_sdk_can_be_compared(tmp_path: Path) -> None:
    """llama-stack's recorder records calls of tools, whose requests have other members."""
    for name, query in (("a", "x"), ("b", "y")):
        request = {"test_id": "t", "provider": "p", "tool_name": "search", "kwargs": {"query": query}}
        (tmp_path / f"{name}.json").write_text(json.dumps({"request": request, "response": {"body": {"a": 1}}}))
    result = run(tmp_path / "a.json", tmp_path / "b.json", "--json")

    assert ["$.kwargs.query"] == [difference["path"] for difference in json.loads(result.output)["request"]]


def test_long_texts_are_shown_to_their_end(recordings: Path) -> None:
    """An error shows only a few lines; this command shows the rest."""
    one = put(recordings, asks("\n".join(f"old {number}" for number in range(60))))
    other = put(recordings, asks("\n".join(f"new {number}" for number in range(60))))
    output = run(one, other).output

    assert "- old 59" in output
    assert "+ new 59" in output


def test_colours_are_for_terminals_only(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe with escape codes is useless to grep."""
    one, other = put(recordings, asks("Say [red]hello[/red].")), put(recordings, asks("Say \x1b[2Jhi."))
    piped = run(one, other).output
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    coloured = run(one, other).output

    assert "\x1b" not in piped
    assert "[red]hello[/red]" in piped
    assert '\x1b[32m    + "Say \\u001b[2Jhi."\x1b[0m' in coloured
    assert console._DIFF_STYLES == {"- ": "red", "+ ": "green"}


def delta(**members: Any) -> dict[str, Any]:
    return {
        "id": "rec-1",
        "object": "chat.completion.chunk",
        "system_fingerprint": "fp",
        "choices": [{"index": 0, "delta": members}],
    }


def call(**members: Any) -> dict[str, Any]:
    return delta(tool_calls=[{"index": 0, **members}]) | {"obfuscation": "xYz"}


def test_the_arguments_of_tool_calls_are_joined() -> None:
    """They arrive in chunks, as texts do."""
    deltas = [
        delta(role="assistant", content=None),
        call(id="call_1", type="function", function={"name": "add", "arguments": ""}),
        call(function={"arguments": '{"a":'}),
        call(function={"arguments": "1}"}),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        {"choices": [], "usage": {"total_tokens": 3}},
    ]
    function = {"name": "add", "arguments": '{"a":1}'}
    calls = [{"index": 0, "id": "call_1", "type": "function", "function": function}]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}

    assert {"choices": [choice], "system_fingerprint": "fp", "usage": {"total_tokens": 3}} == joined(deltas)


def test_a_stream_of_events_is_joined_to_its_last_response() -> None:
    """The last event of the Responses API has the whole response."""
    events = [
        {"type": "response.output_text.delta", "delta": "a"},
        {"type": "response.completed", "response": {"a": 1}},
    ]

    assert {"a": 1} == joined(events)
    assert events[:1] == joined(events[:1])
    assert [1, {}] == joined([1, {}])


def test_two_answers_to_one_request_differ_only_in_the_answer(recordings: Path) -> None:
    """A model answers differently the second time."""
    request = question(asks("Say hello."))
    one, other = (
        put(recordings, asks("Say hello.")),
        put(recordings, asks("Say hello."), name=f"{request.key}.2", answer="Hi"),
    )
    differences = json.loads(run(one, other, "--json").output)

    assert ([], ["$.body"]) == (differences["request"], [difference["path"] for difference in differences["response"]])
