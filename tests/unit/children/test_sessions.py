"""The directory in which child processes find the sessions of a process, and report their calls."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from inference_recorder.children.origin import Origin, variable
from inference_recorder.children.sessions import ChildCall, Sessions


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_end_of_a_fork_removes_nothing() -> None:
    """It runs the functions that its parent has registered with atexit; other processes still need the directory."""
    program = """
import os, sys
from inference_recorder.children.sessions import sessions
directory = sessions().directory
process = os.fork()
if not process:
    sys.exit()
os.waitpid(process, 0)
print(os.path.isdir(directory), directory)
"""
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert ("True", False) == (printed[0], os.path.isdir(printed[1]))


def test_only_whole_reports_are_taken(tmp_path: Path) -> None:
    """A process may be killed while it writes, and the directory removed: neither is an error of the session."""
    calls: list[ChildCall] = []
    sessions = Sessions(str(tmp_path))
    number = sessions.add({}, calls.append)
    (tmp_path / "1.jsonl").write_text('{"session": 0, "outc\n')
    origin = Origin(variable(sessions.path, number, "replay"))

    origin.report("replayed", {}, 1)
    sessions.collect()
    origin.report("replayed", {}, 2)
    sessions.collect()
    for path in tmp_path.iterdir():
        path.unlink()
    tmp_path.rmdir()
    sessions.end(number)

    assert [1, 2] == [call["position"] for call in calls]


def test_a_live_call_keeps_its_test(tmp_path: Path) -> None:
    """A server may make it for another test than the one that started it; one without a test is that one's."""
    calls: list[ChildCall] = []
    sessions = Sessions(str(tmp_path))
    origin = Origin(variable(sessions.path, sessions.add({}, calls.append), "record"), "session@server")

    origin.report("live", {"test_id": "test_a.py::test_it"})
    origin.report("live", {"test_id": None})
    sessions.collect()

    assert ["test_a.py::test_it", "session@server"] == [call["call"]["test_id"] for call in calls]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_does_not_wait_for_a_thread_of_its_parent(tmp_path: Path) -> None:
    """The thread that holds the guard is not in the fork."""
    sessions = Sessions(str(tmp_path))
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with sessions._guard:
            is_held.set()
            may_end.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    is_held.wait()
    process = os.fork()
    if not process:
        signal.alarm(5)
        sessions.collect()
        os._exit(0)
    status = os.waitpid(process, 0)[1]
    may_end.set()
    thread.join()

    assert 0 == status
