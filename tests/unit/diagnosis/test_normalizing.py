"""A miss names the normalizers that end it, only if they do, and what it says to do with the recordings helps."""

from __future__ import annotations

import json
import re
import shlex
import tempfile
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import MissingRecording, inference_recording

from ...cli.recorded import run
from .directories import TEST, asks

pytestmark = pytest.mark.usefixtures("without_plugin")
ONE, OTHER = "6fa459ea-ee8a-3ca4-894e-db77e160355e", "16fd2706-8baf-433b-82eb-8c7fada847da"
CALL = {"id": "call_one", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def answer(client: openai.OpenAI, body: dict[str, Any]) -> str:
    return str(client.chat.completions.create(**body).choices[0].message.content)


def record(client: openai.OpenAI, recordings: Path, *bodies: dict[str, Any], test_id: str = TEST) -> None:
    with inference_recording("record", recordings, test_id=test_id):
        for body in bodies:
            answer(client, body)


def miss(client: openai.OpenAI, recordings: Path, body: dict[str, Any], **options: Any) -> MissingRecording:
    with inference_recording("replay", recordings, test_id=TEST, **options):
        with pytest.raises(MissingRecording) as caught:
            answer(client, body)
    return caught.value


def turns(call_id: str) -> dict[str, Any]:
    call = {"role": "assistant", "tool_calls": [CALL | {"id": call_id}]}
    result = {"role": "tool", "tool_call_id": call_id, "content": "4"}
    return {"model": "gpt-4o", "messages": [call, result]}


SAME_BUT_FOR = {
    "uuids": (asks(f"Look up {ONE}."), asks(f"Look up {OTHER}.")),
    "dates": (asks("It is 2026-11-23 12:30."), asks("It is 2026-11-24 09:00.")),
    "hashes": (asks(f"At {'a1' * 20}."), asks(f"At {'b2' * 20}.")),
    "tmp_path": (asks("Read {tmp}/pytest-of-me/pytest-7/x."), asks("Read {tmp}/pytest-of-me/pytest-8/x.")),
    "tool_call_ids": (turns("call_abc"), turns("call_def")),
    "dates, uuids": (asks(f"{ONE} on 2026-11-23"), asks(f"{OTHER} on 2026-11-24")),
}


@pytest.mark.parametrize(("names", "bodies"), SAME_BUT_FOR.items())
def test_the_advice_is_followed_and_the_request_replays(
    names: str, bodies: Any, client: openai.OpenAI, recordings: Path
) -> None:
    """Ids and times in prompts are why most suites cannot replay."""
    text = json.dumps(bodies).replace("{tmp}", tempfile.gettempdir())
    first, second = json.loads(text)
    record(client, recordings, first)

    error = miss(client, recordings, second)
    [setting] = re.findall(r"^ *normalize=(\[.*\])  \(in the marker or in code\)$", str(error), re.MULTILINE)
    [command] = re.findall(r"^ *inference-recorder (rekey .*)$", str(error), re.MULTILINE)
    renamed = run(*shlex.split(command))

    assert names.split(", ") == json.loads(setting)
    assert 0 == renamed.exit_code
    with inference_recording("replay", recordings, test_id=TEST, normalize=json.loads(setting)):
        assert answer(client, second)
    without_it = str(miss(client, recordings, second))
    assert (f"normalize={setting}" in without_it, "rekey" in without_it) == (True, False)


@pytest.mark.parametrize("other", ["Look up {} twice.", "Look for {}.", "Look up 12."])
def test_no_normalizer_is_advised_where_more_differs(other: str, client: openai.OpenAI, recordings: Path) -> None:
    """Advice that cannot help is worse than none."""
    record(client, recordings, asks(f"Look up {ONE}."))

    error = miss(client, recordings, asks(other.format(OTHER)))

    assert "normalize=" not in str(error)
    assert error.explanation.advice is None


@pytest.mark.parametrize("rival", ["of the same test", "of another test"])
def test_where_renaming_cannot_help_it_is_recorded_again(rival: str, client: openai.OpenAI, recordings: Path) -> None:
    """Two calls of a test become one request, with two answers; or other tests there declare other normalizers."""
    bodies = [asks(f"Look up {uuid}.") for uuid in (ONE, OTHER)]
    record(client, recordings, bodies[0])
    record(client, recordings, bodies[1], test_id=TEST if rival == "of the same test" else "t.py::test_b")

    missed = asks(f"Look up {ONE[:-1]}a.")

    error = miss(client, recordings, missed)

    assert "rekey" not in str(error)
    [setting] = re.findall(r"^ *normalize=(\[.*\])  ", str(error), re.MULTILINE)
    assert "Declare it and record again:" in str(error)
    with inference_recording("record-if-missing", recordings, test_id=TEST, normalize=json.loads(setting)):
        answer(client, missed)
    with inference_recording("replay", recordings, test_id=TEST, normalize=json.loads(setting)):
        assert answer(client, asks(f"Look up {ONE[:-1]}b."))
