"""Fixtures of the tests of the commands."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _without_plugin(without_plugin: None) -> None:
    pass


@pytest.fixture
def signals() -> Iterator[None]:
    """Puts back what handles signals in this process, where a command that handles them is run."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
