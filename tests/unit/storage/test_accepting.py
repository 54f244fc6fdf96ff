"""What failed tests have set aside comes into place, and nothing is lost on the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inference_recorder.storage.catalogue import paths_in
from inference_recorder.storage.locks import Locks
from inference_recorder.storage.trash import Deletion, last_deletion
from inference_recorder.storage.undo import undo

from ...cli.recorded import record
from .test_trash import ATTACHED, SOUND, assert_whole, is_killed_at


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill -9")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("kind", ["accept", "undo"])
def test_a_kill_at_any_step_loses_nothing(kind: str, tmp_path: Path) -> None:
    """The old answer and the new one are somewhere, whole, and the same command, run again, ends what was begun."""
    Locks.prepare()
    step = 1
    while True:
        directory = tmp_path / str(step)
        path, failed = record(directory), record(directory / ".failed", answer=ATTACHED, attachment=SOUND)
        old, new = path.read_bytes(), failed.read_bytes()

        def accept(failed: Path = failed) -> None:
            if failed.exists():
                Deletion().accept(failed)

        def revert(directory: Path = directory) -> None:
            undo(last_deletion([directory]))

        if kind == "undo":
            accept()
        is_killed = is_killed_at(step, accept if kind == "accept" else revert)

        places = [directory, directory / ".failed", *(found := [*(directory / ".trash").glob("*-*")])]
        there = list(paths_in([*places, *(entry / "accepted" for entry in found)]))
        for each in there:
            assert_whole(each)
        assert {old, new} <= {each.read_bytes() for each in there}, f"step {step}"
        assert kind == "undo" or path.exists(), f"step {step}"
        accept() if kind == "accept" else revert()
        assert (new if kind == "accept" else old) == path.read_bytes()
        assert (kind == "accept") != failed.exists()
        if not is_killed:
            break
        step += 1
    assert step > 10
