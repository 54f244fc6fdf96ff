"""What a helper of the tests needs of the operating system; it skips its test elsewhere, and says why."""

from __future__ import annotations

import os
import shutil
import sys

import pytest


def needs_signals() -> None:
    """Skip a test that lets a process react to a signal."""
    if sys.platform == "win32":
        pytest.skip("Windows ends a process without letting it react to a signal")


def needs_shell() -> None:
    """Skip a test that runs a line of a POSIX shell."""
    if sys.platform == "win32" or shutil.which("sh") is None:
        pytest.skip("needs a shell of POSIX")


def needs_rights() -> None:
    """Skip a test that takes rights to files away."""
    if not hasattr(os, "geteuid"):
        pytest.skip("needs the rights to files of POSIX")


def needs_inherited_sockets() -> None:
    """Skip a test that passes a socket on to another process."""
    if sys.platform == "win32":
        pytest.skip("Windows passes no sockets on to other processes")


def needs_ends_of_processes() -> None:
    """Skip a test that asks which processes have ended."""
    if os.name != "posix":
        pytest.skip("only POSIX says whether another process has ended")
