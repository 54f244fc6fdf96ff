"""The running test, and the test run as recorders see it.

Holds state: the test run that the pytest plugin sets, and the sessions opened before it; no lock guards either, since
the plugin reads and sets them between tests. The environment variable is pytest's own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from .config import Config

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Protocol

    class TestRun(Protocol):
        """A test run under the pytest plugin, as recorders see it."""

        config: Config
        call_log: Any
        """The RunLog of this run."""

        @property
        def test_id(self) -> str | None:
            """The id of the test that runs now, or of the fixture that several tests share; None between tests."""

        @property
        def test_directory(self) -> Path | None:
            """The directory of the running test's file."""

        @property
        def attempt_series(self) -> Any:
            """The AttemptSeries that counts the calls of the running attempt or wider fixture; None between tests."""

        def about_to_open(self, mode: Any, source: str, directory: Path, /) -> None:
            """Note that a session that writes to `directory` is about to be opened; may refuse it."""

        def opened(self, session: Any, /) -> None:
            """Note that a session has been opened."""

        def is_wide(self, test_id: str | None, is_given: bool, /) -> bool:
            """Return whether other tests make requests under this test id too."""

        def is_kept(self) -> bool:
            """Return whether recordings of earlier runs answer now, since not all tests that need them run."""

        def answered_from_kept(self, test_id: str | None, /) -> None:
            """Note that a recording of an earlier run has answered."""

        def about_to_record(self, store: Any, decision: Any, name: str, /) -> None:
            """Note that the recording `name` is about to be written or removed."""


PYTEST_VARIABLE = "PYTEST_CURRENT_TEST"

_test_run: TestRun | None = None
opened_outside: WeakSet[Any] = WeakSet()
"""The engines of sessions opened while there was no test run, as by a conftest.py that is imported before it."""


def running_test_id() -> str | None:
    """Return the id of the test that runs now, None outside a test.

    The pytest plugin knows it: the node id, or the id of a fixture (see `fixture_ids`) that several tests share, while
    it is set up or torn down. Without the plugin it is `running_node_id()`.
    """
    return running_node_id() if _test_run is None else _test_run.test_id


def running_node_id() -> str | None:
    """Return pytest's own id of the test that runs now, None outside a test.

    Source: pytest sets PYTEST_CURRENT_TEST to "<node id> (<phase>)"; the phase is cut off, since a call keeps its
    recording when it moves from a test into one of the test's fixtures.
    """
    current = os.environ.get(PYTEST_VARIABLE)
    if not current:
        return None
    node_id, _, phase = current.rpartition(" ")
    return node_id if phase in ("(setup)", "(call)", "(teardown)") else current


def current_test_run() -> TestRun | None:
    """Return the current test run, None without the pytest plugin."""
    return _test_run


def current_config() -> Config:
    """Return the configuration of the test run; without the plugin only arguments and environment count."""
    return Config() if _test_run is None else _test_run.config


def set_test_run(new: TestRun | None) -> Callable[[], None]:
    """Make `new` the current test run; returns a function that restores the previous one."""
    global _test_run
    before, _test_run = _test_run, new

    def undo() -> None:
        global _test_run
        _test_run = before

    return undo


@contextmanager
def within_test_run(new: TestRun | None) -> Iterator[None]:
    """Make `new` the current test run in the block; None stands for no plugin."""
    undo = set_test_run(new)
    try:
        yield
    finally:
        undo()
