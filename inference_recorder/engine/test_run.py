"""The test run as recorders see it: the pytest plugin's, or none.

Holds state: the test run that the plugin sets, and the sessions opened before it; no lock guards either, since the
plugin reads and sets them between tests. The environment variable is pytest's own.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakSet

from ..config import Config
from ..test_files import is_in_its_file
from .given_test import GivenTest, given_test
from .run_log import RunLog

if TYPE_CHECKING:
    from ..modes import InferenceMode
    from ..storage.directories import Directories
    from ..storage.store import Store
    from .attempt_series import AttemptSeries
    from .decisions import Record
    from .engine import Engine


class TestRun:
    """A test run as recorders and engines see it: without the plugin, a run of its own. The plugin's is `Run`."""

    __test__ = False  # pytest would take it for a class of tests

    config = Config()
    """Without the plugin, only arguments and environment count."""
    lets_clients_lack_keys = False
    """Whether a client that is made outside sessions needs no key, since recordings may answer its calls."""
    has_plugin = False
    """Whether it is the pytest plugin's."""
    record_command = ""
    """The shell command that records what is missing, if it is not pytest's."""

    def __init__(self) -> None:
        self.run_log = RunLog()
        self.directories: dict[Directories, None] = {}
        """Of all sessions."""
        self._given: dict[str | None, AttemptSeries] = {}
        """Given test -> where its calls are counted, for its latest attempt. Guarded by `_given_guard`."""
        self._given_guard = threading.Lock()

    @property
    def test_id(self) -> str | None:
        """The id of the running test, or of the wider fixture being set up or torn down; None between tests."""
        return running_node_id()

    def test_id_here(self) -> str | None:
        """Return the id of the test that a call made here belongs to: the given one, otherwise the running one."""
        given = given_test.get()
        return self.test_id if given is None else given.test_id

    @property
    def test_directory(self) -> Path | None:
        """The directory of the running test's file."""
        return None

    @property
    def attempt_series(self) -> AttemptSeries | None:
        """The series of the running attempt or wider fixture; None between tests."""
        return None

    def series_of(self, given: GivenTest, running: AttemptSeries, /) -> AttemptSeries:
        """Return the series of a given test; `running` are those that a call of no given test uses now.

        Each attempt of a test in another process begins at the first position. A call that comes late, when another
        test runs, is counted on from its own test's; under an id that no test has had, it counts as one of `running`.
        """
        is_running = given.attempt == running.token or (not given.attempt and given.test_id == self.test_id)
        with self._given_guard:
            series = running if is_running else self._given.get(given.test_id)
            if given.attempt and (series is None or series.token != given.attempt):
                from .attempt_series import AttemptSeries

                series = AttemptSeries(given.attempt)
            if series is None:
                return running
            self._given[given.test_id] = series
            return series

    def given_series(self) -> list[AttemptSeries]:
        """Return the series of the tests that were given."""
        with self._given_guard:
            return list(self._given.values())

    @property
    def overwritten(self) -> str | None:
        """Where processes that are started now note the recordings that they overwrite."""
        return None

    def directory_of_project(self, is_shared: bool, /) -> Path | None:
        """Return the directory that runs with another rootdir use for the running test; None for the default."""
        return None  # nobody knows the rootdir

    def root_of(self, directory: Path, /) -> Path:
        """Return what the test ids in a directory of recordings are relative to."""
        return Path.cwd()  # nobody asks

    def elsewhere(self, directories: Sequence[Path], /) -> Iterator[tuple[Path, Path]]:
        """Yield other directories of the running test's projects than these, and what the test ids in each are to."""
        return iter(())

    def from_here(self, node_id: str, /) -> str:
        """Return a node id as pytest takes it where it was started."""
        return node_id  # nobody knows the rootdir

    def about_to_open(self, mode: InferenceMode, source: str, directory: Path, /) -> None:
        """Note that a session that writes to `directory` is about to be opened; may refuse it."""

    def opened(self, engine: Engine, /) -> None:
        """Note that a session has been opened: a test run may begin while it is open."""
        opened_outside.add(engine)

    def is_wide(self, test_id: str | None, is_given: bool, /) -> bool:
        """Return whether other tests make requests under this test id too; `is_given`: the session was given it."""
        return False  # every test id is one test's

    def is_kept(self) -> bool:
        """Return whether recordings of earlier runs answer now, since not all tests that need them run."""
        return False

    def has_test(self, test_id: str, directory: Path, /) -> bool:
        """Return whether a test that has a recording in this directory still exists."""
        return is_in_its_file(test_id, Path.cwd())

    def answered_from_kept(self, test_id: str | None, /) -> None:
        """Note that a recording of an earlier run has answered."""

    def about_to_record(self, store: Store, decision: Record, name: str, /) -> None:
        """Note that the recording `name` is about to be written or removed."""


class UnconfiguredRun(TestRun):
    """The test run of the plugin before it is configured, while the first conftest.py files are imported."""

    lets_clients_lack_keys = True


PYTEST_VARIABLE = "PYTEST_CURRENT_TEST"
_ENCODED_VARIABLE = os.fsencode(PYTEST_VARIABLE) if os.name == "posix" else None
"""The name as it is stored behind `os.environ`; None on Windows, where names are not encoded."""

_test_run: TestRun | None = None
opened_outside: WeakSet[Engine] = WeakSet()
"""The engines of sessions opened while there was no test run, as by a conftest.py that is imported before it."""


def current_test_run() -> TestRun:
    """Return the plugin's test run; without the plugin, a new one for one session."""
    return TestRun() if _test_run is None else _test_run


def running_test_id() -> str | None:
    """Return the id of the test that a call made here belongs to, None outside a test.

    That is the given test's. Otherwise the pytest plugin knows it: the node id, or the id of a fixture (see
    `fixture_ids`) that several tests share, while it is set up or torn down. Without the plugin it is
    `running_node_id()`.
    """
    return current_test_run().test_id_here()


def running_node_id() -> str | None:
    """Return pytest's own id of the test that runs now, None outside a test.

    Source: pytest sets PYTEST_CURRENT_TEST to "<node id> (<phase>)"; the phase is cut off, since a call keeps its
    recording when it moves from a test into one of the test's fixtures.
    """
    # `os.environ.get` raises and catches two errors for a missing variable, which takes 1 of the 27 us of a replay.
    known = getattr(os.environ, "_data", None)
    if _ENCODED_VARIABLE is not None and known is not None and _ENCODED_VARIABLE not in known:
        return None
    current = os.environ.get(PYTEST_VARIABLE)
    if not current:
        return None
    node_id, _, phase = current.rpartition(" ")
    return node_id if phase in ("(setup)", "(call)", "(teardown)") else current


def set_test_run(test_run: TestRun | None) -> Callable[[], None]:
    """Make `test_run` the current one, None for no plugin; returns a function that restores the previous one."""
    global _test_run
    previous, _test_run = _test_run, test_run

    def restore() -> None:
        global _test_run
        _test_run = previous

    return restore


@contextmanager
def without_test_run() -> Iterator[None]:
    """Hide the plugin from recorders in the block."""
    restore = set_test_run(None)
    try:
        yield
    finally:
        restore()
