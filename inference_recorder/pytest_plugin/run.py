"""The test run as recorders see it: which test or fixture runs, and what the run keeps of each test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..config import Config
from ..engine.run_log import RunLog
from ..errors import RecorderError
from ..session import Session
from .attempt import Attempt
from .configuration import check_may_record
from .marker import arguments_of, is_marked, open_session
from .processes import Processes
from .run_report import RunReport, calls_of
from .scopes import Running, directory_of, id_of
from .selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..engine.attempt_series import AttemptSeries
    from ..engine.call_log import Call
    from ..engine.decisions import Record
    from ..engine.engine import Engine
    from ..modes import InferenceMode
    from ..recorder import inference_recording
    from ..storage.store import Store
    from .unsettled import Unsettled

RUN = pytest.StashKey["Run"]()


class Run:
    """The `TestRun` of all tests of this process."""

    def __init__(self, pytest_config: pytest.Config, config: Config) -> None:
        self.config = config
        self.run_log = RunLog()
        self.processes = Processes()
        self.unsettled: Unsettled | None = None
        """In a worker of pytest-xdist, what its controller needs if it crashes."""
        self.selection = Selection(pytest_config)
        self.directory = config.directory().value
        """Where recorders write that were given no directory, when the run began."""
        self.item: pytest.Item | None = None
        """The test that runs."""
        self.fixture_engines: list[Engine] = []
        """Of the sessions that the plugin opened for wider fixtures."""
        self._pytest_config = pytest_config
        self._running = [Running()]
        """The test, then the wider fixtures that it waits for, the innermost last."""
        self._attempt: Attempt | None = None
        self._ended: dict[str, Attempt] = {}
        self._other_sessions: list[tuple[Session, str | None]] = []
        """Sessions that belong to no attempt of a test, and the test that ran when they were opened."""
        self._read: dict[Path, None] = {}
        self._written: dict[Path, None] = {}
        self._not_recorded_again: dict[str, None] = {}
        """The wider fixtures that were answered from older recordings while this run records."""
        self._with_tokens = bool(pytest_config.getoption("inference_report"))
        self._prunes = bool(pytest_config.getoption("inference_prune"))

    # Called by recorders: see TestRun.

    @property
    def test_id(self) -> str | None:
        return self._running[-1].test_id

    @property
    def test_directory(self) -> Path | None:
        return self._running[-1].directory

    @property
    def attempt_series(self) -> AttemptSeries | None:
        return self._running[-1].attempt_series

    def about_to_open(self, mode: InferenceMode, source: str, directory: Path, /) -> None:
        # A test that records into a directory of its own tests recording.
        if directory != self.directory and not (
            self.config.table.recordings_beside_tests and directory.parent == self.test_directory
        ):
            return
        try:
            check_may_record(self._pytest_config, mode, "inference_recording()" if source == "mode" else source)
        except pytest.UsageError as error:
            pytest.fail(str(error), pytrace=False)

    def opened(self, engine: Engine, /) -> None:
        session = Session(engine)
        self.processes.watch()
        self._read |= dict.fromkeys(session.store.directories.read)
        self._written[session.store.directories.written] = None
        self._open_attempt_series()
        if self._attempt is None or self._is_in_fixture:
            self._other_sessions.append((session, self.test_id))
        else:
            self._attempt.sessions.append(session)

    def is_wide(self, test_id: str | None, is_given: bool, /) -> bool:
        if self._is_in_fixture:
            return True
        return is_given if self._attempt is None else test_id != self._attempt.test_id

    def is_kept(self, /) -> bool:
        node = self._running[-1].node
        return node is not None and not self.selection.holds_all_of(node)

    def answered_from_kept(self, test_id: str | None, /) -> None:
        self._not_recorded_again[test_id or ""] = None

    def about_to_record(self, store: Store, decision: Record, name: str, /) -> None:
        # A recording of a wider fixture, or a shared one, does not depend on the outcome of one test.
        if self._attempt is not None and self._attempt.counts(decision.series):
            self._attempt.remember(store, decision, name, self.unsettled)

    # Called by the hooks.

    def enter_test(self, item: pytest.Item) -> None:
        self.item, self._running = item, [Running(id_of(item), directory_of(item))]

    def leave_test(self) -> None:
        self.item, self._running = None, [Running()]

    def enter(self, fixture: Running) -> None:
        """Run a wider fixture until `leave`."""
        self._running.append(fixture)
        if self.has_sessions:
            self._open_attempt_series()

    def leave(self) -> Running:
        """Return the wider fixture that was left; what runs now is what waited for it."""
        left = self._running.pop()
        if self.has_sessions:
            self._open_attempt_series()
        return left

    def begin(self, item: pytest.Item) -> None:
        """Begin an attempt of the running test, with a session if it is to have one."""
        self._running[-1].attempt_series = None
        attempt = self._attempt = Attempt(id_of(item))
        if (earlier := self._ended.pop(attempt.test_id, None)) is not None:
            earlier.supersede()
            attempt.follow(earlier)
        if self._prunes:
            self.processes.watch()
        self.processes.begin()
        if self.has_sessions:
            self._open_attempt_series()
        if self.config.table.auto or is_marked(item) or "inference_session" in getattr(item, "fixturenames", ()):
            self.session_of_test(item)

    def session_of_test(self, item: pytest.Item) -> Session:
        """Return the plugin's session of the running attempt, opened if necessary."""
        attempt = self._attempt = self._attempt or Attempt(id_of(item))
        if attempt.session is None:
            attempt.allows_misses = arguments_of(item).get("allow_misses", False)
            attempt.recorder, attempt.session = self.open_session(item)
        return attempt.session

    @property
    def has_test_session(self) -> bool:
        """Whether the running attempt has a session of the plugin's."""
        return self._attempt is not None and self._attempt.session is not None

    def note_fixture_misses(self, missed: Iterable[Call]) -> None:
        """Note the calls that a wider fixture missed without failing."""
        if self._attempt is not None:
            self._attempt.missed_in_fixtures += missed

    def close_session(self) -> None:
        """Close the session of the attempt, if it has one."""
        if self._attempt is not None:
            self._attempt.close_session()

    def finish_series(self) -> None:
        """Finish what the attempt has recorded, unless it failed. Raises UnwritableRecording."""
        if self._attempt is not None and not self._attempt.has_failed:
            self._attempt.finish_series(may_cut=not self.run_log.has_dropped)

    def fail_for_misses(self) -> None:
        """Fail the test if the code under test continued after a miss."""
        misses = [] if self._attempt is None else self._attempt.swallowed_misses()
        if misses:
            calls = "a call" if len(misses) == 1 else f"{len(misses)} calls"
            pytest.fail(
                f"{calls} had no recording, and the code under test went on without an answer "
                f"(allow_misses=True in the marker allows this):\n\n{misses[0].explanation}",
                pytrace=False,
            )

    def note_phase(self, item: pytest.Item, report: pytest.TestReport) -> None:
        """Note how a phase of this test ended; the last one settles the attempt."""
        attempt = self._attempt = self._attempt or Attempt(id_of(item))  # skipped before it began
        attempt.note_phase(report)
        if report.when == "call":  # by the teardown, a session of a wider fixture may be closed
            attempt.note_directories(session for session, _ in self._other_sessions if session.is_open)
        if report.when == "teardown":
            self._settle(attempt)

    @property
    def has_sessions(self) -> bool:
        """Whether there was any session so far, opened by the plugin or in code."""
        return bool(self._read)

    def finish(self, collected: list[str]) -> RunReport:
        """Return the report of this process. A test that was interrupted counts as failed."""
        if self._attempt is not None:
            self._attempt.has_failed = True
            try:
                self._attempt.close_session()
            except RecorderError as error:
                self._attempt.troubles.append(f"{self._attempt.test_id}: {error}")
            self._settle(self._attempt)
        report = RunReport(
            directories=[str(directory) for directory in self._read],
            written=[str(directory) for directory in self._written],
            collected=collected,
            not_recorded_again=list(self._not_recorded_again),
        )
        has_live_session = any(
            session.is_live and session.engine not in self.fixture_engines for session, _ in self._other_sessions
        )
        for attempt in self._ended.values():
            attempt.add_to(report, beside_live_session=has_live_session)
        for session, opened_in in self._other_sessions:
            report.calls += calls_of(session, opened_in, {}, with_tokens=self._with_tokens)
        return report

    def open_session(self, node: pytest.Item | pytest.Collector) -> tuple[inference_recording, Session]:
        """Open a session with the marker's arguments; fails the test if that is impossible."""
        return open_session(arguments_of(node), self.config, self._pytest_config)

    @property
    def _is_in_fixture(self) -> bool:
        return len(self._running) > 1

    def _open_attempt_series(self) -> None:
        """Count the calls of the running attempt or wider fixture together."""
        running = self._running[-1]
        if running.attempt_series is not None or not (self._is_in_fixture or self._attempt):
            return
        from ..engine.attempt_series import AttemptSeries

        running.attempt_series = AttemptSeries()
        if self._attempt is not None and not self._is_in_fixture:
            self._attempt.attempt_series = running.attempt_series

    def _settle(self, attempt: Attempt) -> None:
        self._attempt = self._running[-1].attempt_series = None
        attempt.unreported = self.processes.end() or attempt.unreported
        attempt.directories |= self.processes.directories
        attempt.note_directories(attempt.sessions)
        keeps_failed = self._pytest_config.getoption("inference_keep_failed")
        still_open = attempt.settle(self.run_log, keeps_failed=keeps_failed, with_tokens=self._with_tokens)
        if self.unsettled is not None:
            self.unsettled.settle()
        self._other_sessions += [(session, attempt.test_id) for session in still_open]
        self._ended[attempt.test_id] = attempt
