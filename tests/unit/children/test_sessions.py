"""The directory in which child processes find the sessions of a process, and report their calls."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


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
