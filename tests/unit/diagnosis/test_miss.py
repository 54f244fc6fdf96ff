"""A miss as its reader meets it: through real sessions, in both colours, under pytest, across processes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest

import inference_recorder.diagnosis.miss
from inference_recorder import MissingRecording, inference_recording
from inference_recorder.diagnosis.variables import _hidden_then
from inference_recorder.engine.test_run import PYTEST_VARIABLE
from inference_recorder.explanation import Difference, Dropped, Explanation, Nearest

from ...conftest import HELLO, Colour
from ...support.openai_server import OpenAIServer
from ...support.systems import needs_shell
from .directories import TEST, asks

GOODBYE = HELLO | {"messages": [{"role": "user", "content": "Say goodbye."}]}


def miss(sdk: Colour, recordings: Path, test_id: str | None = TEST, **arguments: Any) -> MissingRecording:
    with inference_recording("replay", recordings, test_id=test_id):
        with pytest.raises(MissingRecording) as caught:
            sdk.call("chat.completions.create", **arguments)
    return caught.value


def record(sdk: Colour, recordings: Path, test_id: str | None = TEST, **arguments: Any) -> None:
    with inference_recording("record", recordings, test_id=test_id):
        sdk.call("chat.completions.create", **arguments)


@pytest.mark.usefixtures("without_plugin")
def test_the_text_shows_what_came_nearest_and_ends_with_the_command(
    sdk: Colour, server: OpenAIServer, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hash and nothing else is what other tools print."""
    monkeypatch.setenv(PYTEST_VARIABLE, f"{TEST}[a b] (call)")
    record(sdk, recordings, None, **HELLO)
    error = miss(sdk, recordings, None, **GOODBYE, temperature=0.5)
    (file,) = recordings.glob("*.json")
    expected = f"""\
        Recording not found for POST /v1/chat/completions (model gpt-4o)
          test: {TEST}[a b]
          key: {error.key}
          looked in:
            {recordings}
          nearest: {file}
            another request, of this test
            - the recording, + this request:
            $.messages[0].content
              - "Say hello."
              + "Say goodbye."
            $.temperature (only in this request)
              + 0.5
          to record it, with a key and no other mode=... in the code:
            LLAMA_STACK_TEST_INFERENCE_MODE=record-if-missing pytest '{TEST}[a b]'"""

    assert textwrap.dedent(expected) == str(error)
    assert 1 == server.count


def test_the_parts_are_attributes(sdk: Colour, recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent or a plugin reads them; parsing a text breaks with the next version."""
    record(sdk, recordings, "t.py::test_old", **HELLO)
    monkeypatch.delenv(PYTEST_VARIABLE)
    error = miss(sdk, recordings, "t.py::test_new", **HELLO)

    assert "t.py::test_old" == error.renamed_from
    assert error.nearest is not None
    assert ("other test", "t.py::test_old") == (error.nearest.reason, error.nearest.test_id)
    assert (Difference("test_id", "t.py::test_old", "t.py::test_new"),) == error.nearest.differences
    assert error.command is None
    assert str(error).endswith(
        "to record it, run once with a key and LLAMA_STACK_TEST_INFERENCE_MODE=record-if-missing (or mode=...)"
    )


def test_a_miss_names_the_host_that_the_call_was_meant_for(recordings: Path) -> None:
    """Where a base url comes from the environment, nothing else tells; for this machine, the text needs none."""
    with openai.OpenAI(api_key="sk-test", base_url="https://llm.example.org:8443/v1") as client:
        with inference_recording("replay", recordings), pytest.raises(MissingRecording) as caught:
            client.chat.completions.create(**HELLO)

    assert "llm.example.org" == caught.value.host
    assert "  host: llm.example.org" in str(caught.value).splitlines()


@pytest.mark.usefixtures("without_plugin")
def test_a_test_whose_file_still_has_it_was_not_renamed(
    sdk: Colour, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the plugin nobody knows what was collected; its file is there to be read."""
    monkeypatch.chdir(tmp_path)
    Path("test_it.py").write_text("def test_one(): pass\ndef test_one_more(): pass\n")
    record(sdk, recordings, "test_it.py::test_one", **HELLO)
    there = miss(sdk, recordings, "test_it.py::test_two", **HELLO)
    Path("test_it.py").write_text("def test_two(): pass\ndef test_one_more(): pass\n")
    gone = miss(sdk, recordings, "test_it.py::test_two", **HELLO)

    assert (None, "test_it.py::test_one") == (there.renamed_from, gone.renamed_from)
    assert 'set scope="shared" in the markers of all of them, or in code' in str(there)


def test_the_request_is_shown_as_it_was_asked(client: openai.OpenAI, recordings: Path) -> None:
    """Agents go on appending to the list of messages after a call failed."""
    record_with, messages = asks("Be brief.", "Hello."), asks("Be brief.", "Hi.")["messages"]
    with inference_recording("record", recordings, test_id=TEST):
        client.chat.completions.create(**record_with)
    with inference_recording("replay", recordings, test_id=TEST):
        with pytest.raises(MissingRecording) as caught:
            client.chat.completions.create(model="gpt-4o", messages=messages)
    messages.append({"role": "user", "content": "More."})

    assert caught.value.nearest is not None
    assert ["$.messages[1].content"] == [one.path for one in caught.value.nearest.differences]


def test_names_that_are_numbers_are_no_difference(sdk: Colour, recordings: Path) -> None:
    """A file has texts in their place."""
    record(sdk, recordings, **HELLO, logit_bias={9: 1, 10: 2}, temperature=0)
    error = miss(sdk, recordings, **HELLO, logit_bias={9: 1, 10: 2}, temperature=0.5)

    assert error.nearest is not None
    assert ["$.temperature"] == [difference.path for difference in error.nearest.differences]


def test_an_explanation_that_fails_hides_no_miss(
    sdk: Colour, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with a folder, the caller has to hear that the recording is missing."""

    def broken(directories: object) -> None:
        raise ArithmeticError("it broke")

    recordings.mkdir()
    monkeypatch.setattr(inference_recorder.diagnosis.miss, "index_of", broken)
    error = miss(sdk, recordings, **HELLO)

    assert "the nearest recording is unknown: ArithmeticError: it broke" in str(error)
    assert error.nearest is None


def test_an_answer_that_was_set_aside_is_named_with_the_command_that_keeps_it(sdk: Colour, recordings: Path) -> None:
    """It was paid for, in a run whose test failed for another reason."""
    record(sdk, recordings, **HELLO)
    (file,) = recordings.glob("*.json")
    (recordings / ".failed").mkdir()
    file.rename(recordings / ".failed" / file.name)
    error, other = miss(sdk, recordings, **HELLO), miss(sdk, recordings, **GOODBYE)

    assert f"so it was set aside; to keep it:\n    inference-recorder keep --dir {recordings} {TEST}\n" in str(error)
    assert "inference-recorder keep" not in str(other)


DIFFERENT = tuple(Difference(f"$.member_{number}", 1, 2) for number in range(9))
NEAREST = Nearest(Path("recordings/a.json"), "other request", TEST, DIFFERENT)
DROPPED = Dropped(0.0, "record", "429 RateLimitError", "Slow down.")
FULL = {
    "advice": Explanation(NEAREST, ("a", "b", "c"), advice=_hidden_then(["A", "B"]), dropped=DROPPED, remarks=("c",)),
    "renamed": Explanation(NEAREST, ("a", "b"), "t.py::test_old", dropped=DROPPED, remarks=("c",)),
    "recorded for others": Explanation(NEAREST, ("a", "b", "c", "d"), remarks=("c",)),
    "dropped": Explanation(NEAREST, ("a", "b", "c", "d"), dropped=DROPPED, remarks=("c",)),
}


@pytest.mark.parametrize("explanation", FULL.values(), ids=FULL.keys())
def test_a_miss_has_no_more_than_15_lines_beside_the_diff(explanation: Explanation) -> None:
    """Forty of them are read in a terminal."""
    directory = Path("recordings")
    error = MissingRecording(
        key="a",
        summary="POST /v1/x",
        host="a.com",
        test_id=TEST,
        looked_in=[directory],
        explanation=explanation,
        node_id=TEST,
    )
    lines = str(error).split("\n")
    start = lines.index("    - the recording, + this request:")
    end = lines.index("    and 4 more")

    assert 15 >= len(lines) - (end - start + 1)


def raise_a_miss(base_url: str, directory: str) -> None:
    with openai.OpenAI(base_url=base_url, api_key="x") as client:
        with inference_recording("replay", directory, test_id=TEST):
            client.chat.completions.create(**GOODBYE)


def test_a_miss_crosses_processes_with_all_its_parts(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """pytest-xdist and process pools hand errors on; one that cannot be pickled makes its caller wait for ever."""
    record(sdk, recordings, **HELLO)
    with ProcessPoolExecutor(1) as pool:
        crossed = pool.submit(raise_a_miss, server.base_url, str(recordings)).exception(timeout=60)
    here = miss(sdk, recordings, **GOODBYE)

    assert isinstance(crossed, MissingRecording)
    assert (here.nearest, here.explanation, here.key) == (crossed.nearest, crossed.explanation, crossed.key)
    assert pickle.dumps(here.nearest)
    assert '- "Say hello."' in str(crossed)


SUITE = """
    import openai, os, pytest
    from inference_recorder import inference_recording

    @pytest.mark.parametrize("greeting", ["hello", "good bye"])
    @inference_recording()
    def test_greeting(greeting):
        client = openai.OpenAI(base_url=os.environ["SERVER"], api_key="x")
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": greeting + PUNCTUATION}])
"""


@pytest.mark.slow
def test_the_command_of_a_miss_records_it(server: OpenAIServer, tmp_path: Path) -> None:
    """It is to be pasted into a shell as it stands, brackets and spaces of a parametrised id included."""
    needs_shell()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {"SERVER": server.base_url, "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}"}
    suite = tmp_path / "test_suite.py"

    def run(command: str) -> str:
        return subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        ).stdout

    def write(punctuation: str) -> None:
        suite.write_text(textwrap.dedent(SUITE) + f"PUNCTUATION = {punctuation!r}\n")

    pytest_command = "pytest -q -p no:cacheprovider"
    write("!")
    run(f"LLAMA_STACK_TEST_INFERENCE_MODE=record-if-missing {pytest_command}")
    write("?")
    missed = [run(pytest_command), run(f"{pytest_command} -n 2")]
    [commands, of_workers] = [
        {line.removeprefix("E").strip() for line in output.splitlines() if "pytest --inference-mode" in line}
        for output in missed
    ]
    for command in commands:
        run(command)

    for output in missed:
        assert '- "hello!"' in output
        assert '+ "good bye?"' in output
    assert 2 == len(commands), missed
    assert commands == of_workers
    assert {"passed": 2} == pytest.RunResult.parse_summary_nouns(run(pytest_command).splitlines())
