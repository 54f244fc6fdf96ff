"""The plugin's run, as calls in several threads see it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from inference_recorder.config import Config
from inference_recorder.engine.attempt_series import AttemptSeries
from inference_recorder.engine.run_log import RunLog
from inference_recorder.pytest_plugin.attempt import Attempt
from inference_recorder.pytest_plugin.processes import Processes
from inference_recorder.pytest_plugin.run import Run

THREADS = 8


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Makes threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager_threads")
def test_the_first_calls_of_an_attempt_are_counted_together(pytestconfig: pytest.Config) -> None:
    """If two threads each made a series, both calls would be recorded at position 1."""
    run = Run(pytestconfig, Config(), RunLog(), Processes(), None)
    barrier, all_found = threading.Barrier(THREADS), []

    def first_call(found: list[AttemptSeries | None]) -> None:
        barrier.wait()
        found.append(run.attempt_series)

    for number in range(100):
        run.attempt = Attempt(f"test[{number}]")
        found: list[AttemptSeries | None] = []
        threads = [threading.Thread(target=first_call, args=(found,)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        all_found.append(found)

    assert all(THREADS == len(found) and 1 == len(set(found)) and None not in found for found in all_found)
