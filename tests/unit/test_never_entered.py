"""A recorder that is made and never used."""

from __future__ import annotations

import copy
import gc
import subprocess
import sys
import warnings
from pathlib import Path

import openai
import pytest

from inference_recorder import RecorderNotEntered, inference_recording
from inference_recorder.llama_stack import inference_recording as of_llama_stack

from ..conftest import HELLO


@pytest.mark.parametrize("kind", [inference_recording, of_llama_stack])
def test_a_line_without_its_with_warns_and_names_itself(
    kind: type[inference_recording], client: openai.OpenAI, recordings: Path
) -> None:
    """Its calls go to the model, and the test passes."""
    line = sys._getframe().f_lineno + 2
    with pytest.warns(RecorderNotEntered, match="write `with inference_recording") as caught:
        kind("record", recordings)
    client.chat.completions.create(**HELLO)
    with kind("record", recordings) as session:  # as it says
        client.chat.completions.create(**HELLO)

    assert [(__file__, line)] == [(warning.filename, warning.lineno) for warning in caught]
    assert {"recorded": 1} == session.counts


def test_what_is_used_kept_or_made_by_us_does_not_warn(recordings: Path) -> None:
    """Every warning is an error in this suite, and in many others."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recorder = inference_recording("replay", recordings)
        with recorder:
            pass
        copy.copy(recorder)
        decorated = inference_recording("replay", recordings)(lambda: None)
        decorated()
        with pytest.raises(ValueError, match="scope"):
            inference_recording(scope="module")  # type: ignore[arg-type]
        del recorder, decorated
        gc.collect()

    assert [] == [warning for warning in caught if issubclass(warning.category, RecorderNotEntered)]


def test_a_recorder_that_lives_as_long_as_the_process_does_not_warn() -> None:
    """A module may make one that only some of its functions use."""
    program = "from inference_recorder import inference_recording\nkept = inference_recording()\nlist_of = [kept]"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "" == done.stderr
