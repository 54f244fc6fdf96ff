"""A request that is in flight: releasing its lock ends nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inference_recorder.storage.locks import Locks

TRY = """
import sys
from pathlib import Path
from inference_recorder.storage.locks import Locks
print(Locks(Path(sys.argv[1])).try_in_flight("key", "another process") is not None)
"""


def can_be_taken_elsewhere(directory: Path) -> bool:
    """Return whether another process gets the lock of the request."""
    command = [sys.executable, "-c", TRY, str(directory)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"


def test_releasing_twice_leaves_the_next_holder_alone(tmp_path: Path) -> None:
    """A call may end in two ways at once: its stream is closed, and its session too."""
    locks = Locks(tmp_path)
    first = locks.try_in_flight("key", "first")
    assert first is not None
    first.release()
    second = locks.try_in_flight("key", "second")

    first.release()

    assert second is not None
    assert locks.is_in_flight_here("key")
    assert not can_be_taken_elsewhere(tmp_path)
    second.release()
    assert can_be_taken_elsewhere(tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_releasing_in_a_forked_child_leaves_the_parent_alone(tmp_path: Path) -> None:
    """A pre-forking server under test ends its copy of a call."""
    in_flight = Locks(tmp_path).try_in_flight("key", "parent")
    assert in_flight is not None

    child = os.fork()
    if child == 0:
        try:
            in_flight.release()
        finally:
            os._exit(0)
    os.waitpid(child, 0)

    assert not can_be_taken_elsewhere(tmp_path)
    in_flight.release()
    assert can_be_taken_elsewhere(tmp_path)
