"""What the engine and the test run need to know of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..test_run import running_node_id
from .run_log import RunLog

if TYPE_CHECKING:
    from ..storage.store import Store
    from .attempt_series import AttemptSeries
    from .decisions import Record


class RunObserver(Protocol):
    """A test run as the engine sees it; the pytest plugin's `Run` is one."""

    call_log: RunLog

    @property
    def attempt_series(self) -> AttemptSeries | None:
        """The series of the running attempt or wider fixture; None between tests."""

    @property
    def test_id(self) -> str | None:
        """The id of the running test, or of the wider fixture being set up; None between tests."""

    def is_wide(self, test_id: str | None, is_given: bool, /) -> bool:
        """Return whether other tests make requests under this test id too; `is_given`: the session was given it."""

    def is_kept(self) -> bool:
        """Return whether recordings of earlier runs answer now, since not all tests that need them run."""

    def answered_from_kept(self, test_id: str | None, /) -> None:
        """Note that a recording of an earlier run has answered."""

    def about_to_record(self, store: Store, decision: Record, name: str, /) -> None:
        """Note that the recording `name` is about to be written or removed."""


class NoRun:
    """The observer of a session outside a test run of the plugin."""

    attempt_series: AttemptSeries | None = None

    def __init__(self) -> None:
        self.call_log = RunLog()

    @property
    def test_id(self) -> str | None:
        """pytest's own id of the running test."""
        return running_node_id()

    def is_wide(self, test_id: str | None, is_given: bool, /) -> bool:
        """Return False: without the plugin, every test id is one test's."""
        return False

    def is_kept(self) -> bool:
        """Return False."""
        return False

    def answered_from_kept(self, test_id: str | None, /) -> None:
        """Do nothing."""

    def about_to_record(self, store: Store, decision: Record, name: str, /) -> None:
        """Do nothing."""
