"""Arguments of `inference_recording()`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from openai.resources.chat.completions import Completions

from inference_recorder import inference_recording
from inference_recorder.sdk.context import innermost_engines


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"block_network": "yes"}, "block_network is 'yes'; it must be True or False"),
        ({"children": "no"}, "children is 'no'; it must be True or False"),
        ({"record_errors": 1}, "record_errors is 1; it must be True or False"),
        ({"test_id": 5}, "test_id is of type int; it must be a string"),
        ({"storage_dir": 5}, "storage_dir is of type int; it must be a path"),
        ({"redact": 123456}, "redact is of type int; it must be a list"),
        ({"normalize": 5}, "normalize is of type int; it must be a list"),
        ({"secret_env": None}, "secret_env is of type NoneType; it must be a list"),
    ],
)
def test_an_argument_of_another_type_is_refused(argument: dict[str, Any], message: str) -> None:
    """What the configuration refuses is refused in code too: "no" would count as true."""
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        inference_recording(**argument)


def test_a_session_that_could_not_be_entered_is_not_open(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C at that moment, it would answer later calls of the process, and the SDK would stay patched."""

    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    before = innermost_engines(), vars(Completions)["create"]
    monkeypatch.setattr("inference_recorder.children.sessions._sessions", None)  # it needs a directory again
    monkeypatch.setattr(os, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt):
        inference_recording("replay", recordings).__enter__()

    assert before == (innermost_engines(), vars(Completions)["create"])
