"""The test run as recorders see it: which test or fixture runs, and what the run keeps of each test."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..config import LLAMA_STACK_COMMON, Config, absolute
from ..engine.run_log import RunLog
from ..engine.test_run import TestRun, opened_outside
from ..errors import RecorderError
from ..modes import InferenceMode
from ..session import Session
from ..storage.unsettled import Unsettled
from . import failed_runs
from .attempt import Attempt
from .configuration import check_may_record
from .marker import arguments_of, is_marked, open_session
from .outside import OutsideSessions
from .processes import Processes
from .run_report import RunReport, add_late_calls, calls_of
from .scopes import RunningTest, WideFixture, directory_of, id_of, search_start
from .selection import Selection
from .terminal import from_here

if TYPE_CHECKING:
    from ..engine.attempt_series import AttemptSeries
    from ..engine.decisions import Record
    from ..engine.engine import Engine
    from ..storage.projects import Projects
    from ..storage.store import Store

RUN = pytest.StashKey["Run"]()


class Run(TestRun):
    """The `TestRun` of all tests of this process, and the hooks by which it follows them."""

    has_plugin = True

    def __init__(
        self,
        pytest_config: pytest.Config,
        config: Config,
        run_log: RunLog,
        processes: Processes,
        unsettled: Unsettled | None,
    ) -> None:
        super().__init__()
        self.config, self.run_log = config, run_log
        self.lets_clients_lack_keys = config.mode().value.reads
        self.selection = Selection(pytest_config)
        self.item: pytest.Item | None = None
        """The test that runs."""
        self.running: list[RunningTest | WideFixture] = [RunningTest()]
        """The test, then the wider fixtures that it waits for, the innermost last."""
        self.attempt: Attempt | None = None
        """Of the test that runs."""
        self.fixture_engines: list[Engine] = []
        """Of the sessions that the plugin opened for wider fixtures."""
        self.outside = OutsideSessions(self, config)
        self._pytest_config = pytest_config
        self._processes = processes
        self._unsettled = unsettled
        """What processes that the running test started have overwritten; None without a shared directory."""
        self._defaults = (config.directory().value, absolute(LLAMA_STACK_COMMON, config.root))
        """Where recorders write that were given no directory, when the run began; the second if llama_stack's."""
        self._guard = threading.Lock()
        """Held while an AttemptSeries is made: calls in several threads may be the first."""
        self._ended: dict[tuple[str, Path | None], Attempt] = {}
        self._other_sessions: list[tuple[Session, str | None]] = []
        """Sessions that belong to no attempt of a test, and the test that ran when they were opened."""
        self._not_recorded_again: dict[str, None] = {}
        """The wider fixtures that were answered from older recordings while this run records."""
        self._for_page = bool(pytest_config.getoption("inference_recorder_report"))
        self._prunes = bool(pytest_config.getoption("inference_recorder_prune"))

    # Called by recorders: see TestRun.

    @property
    def test_id(self) -> str | None:
        return self.running[-1].test_id

    @property
    def test_directory(self) -> Path | None:
        return self.running[-1].directory

    def directory_of_project(self, is_shared: bool, /) -> Path | None:
        start = search_start(self.running[-1])
        is_shared = is_shared or self.test_directory is None
        return None if start is None else self._projects.nearest(start, is_shared=is_shared)

    def root_of(self, directory: Path, /) -> Path:
        return self._projects.root_of(directory)

    def elsewhere(self, directories: Sequence[Path], /) -> Iterator[tuple[Path, Path]]:
        start = search_start(self.running[-1])
        return iter(()) if start is None else self._projects.elsewhere(start, directories)

    @cached_property
    def _projects(self) -> Projects:
        from ..storage.projects import Projects

        return Projects(self._pytest_config.rootpath)

    @property
    def attempt_series(self) -> AttemptSeries | None:
        running = self.running[-1]
        counter = running if isinstance(running, WideFixture) else self.attempt
        if counter is not None and counter.attempt_series is None:
            from ..engine.attempt_series import AttemptSeries

            with self._guard:
                counter.attempt_series = counter.attempt_series or AttemptSeries()
        return None if counter is None else counter.attempt_series

    @property
    def overwritten(self) -> str | None:
        return None if self._unsettled is None or self.attempt is None else str(self._unsettled.file)

    def from_here(self, node_id: str, /) -> str:
        return from_here(node_id, self._pytest_config)

    def about_to_open(self, mode: InferenceMode, source: str, directory: Path, /) -> None:
        # A test that records into a directory of its own tests recording.
        is_beside = self.config.table.recordings_beside_tests and directory.parent == self.test_directory
        if directory not in self._defaults and not is_beside and not self._projects.holds(directory):
            return
        try:
            check_may_record(self._pytest_config, mode, "inference_recording()" if source == "mode" else source)
        except pytest.UsageError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None

    def opened(self, engine: Engine, /) -> None:
        self._processes.watch()
        self.directories |= {each.store.directories: None for each in engine.in_directories()}
        if self.attempt is None or isinstance(self.running[-1], WideFixture):
            self._other_sessions.append((Session(engine), self.test_id))
        else:
            self.attempt.sessions.append(Session(engine))

    def is_wide(self, test_id: str | None, is_given: bool, /) -> bool:
        if isinstance(self.running[-1], WideFixture):
            return True
        return is_given if self.attempt is None else test_id != self.attempt.test_id

    def is_kept(self, /) -> bool:
        running = self.running[-1]
        return isinstance(running, WideFixture) and not self.selection.holds_all_of(running.node)

    def has_test(self, test_id: str, directory: Path, /) -> bool:
        return self.selection.has_test(test_id, self.root_of(directory))

    def answered_from_kept(self, test_id: str | None, /) -> None:
        self._not_recorded_again[test_id or ""] = None

    def about_to_record(self, store: Store, decision: Record, name: str, /) -> None:
        # A recording of a wider fixture, or a shared one, does not depend on the outcome of one test.
        if self.attempt is not None and self.attempt.counts(decision.series):
            is_worker = hasattr(self._pytest_config, "workerinput")  # its controller needs the notes if it crashes
            self.attempt.remember(store, decision, name, self._unsettled, is_noted=is_worker)

    # Hooks of pytest.

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        for engine in list(opened_outside):
            if engine.is_open:
                engine.join(self)
                self.opened(engine)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self.item, self.running = item, [RunningTest(id_of(item), directory_of(item))]
        try:
            return (yield)
        finally:
            self.item, self.running = None, [RunningTest()]

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Begin an attempt, with a session if the test is to have one."""
        # This runs after pytest has evaluated skip marks and before it sets up fixtures.
        self.attempt = Attempt(id_of(item), item.path)
        if (earlier := self._ended.pop(self.attempt.test, None)) is not None:
            self.attempt.follow(earlier)
        if self._prunes:
            self._processes.watch()
        self._processes.end()  # what has ended before the attempt does not count
        self.scope_has_changed()
        if self.config.table.auto or is_marked(item) or "inference_session" in getattr(item, "fixturenames", ()):
            self.session_of_test(item)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        try:
            result = yield
        finally:
            if self.attempt is not None:
                self.attempt.close_session()
        if self.attempt is not None:
            self.attempt.fail_for_errors()
            if not self.attempt.has_failed:
                self.attempt.finish_series(may_cut=not self.run_log.has_dropped)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        attempt = self._attempt_of(item)
        attempt.note_phase(report)
        if report.when == "call":  # by the teardown, a session of a wider fixture may be closed
            attempt.note_directories(session for session, _ in self._other_sessions if session.is_open)
        sessions = [*attempt.sessions, *(session for session, _ in self._other_sessions if session.is_open)]
        if report.failed:
            remarks = failed_runs.remarks(
                sessions, attempt.server_errors, item.nodeid, self._pytest_config, call.excinfo
            )
            report.sections += [(failed_runs.SECTION, remark) for remark in remarks]
        if report.when == "teardown":
            if attempt.has_passed or attempt.has_failed_as_expected:
                failed_runs.forget(sessions)
            self._settle(attempt)
        return report

    # Called by other parts of the plugin.

    def scope_has_changed(self, ended: AttemptSeries | None = None) -> None:
        """Let processes that are started now belong to what runs now, and those of what has ended make no calls."""
        if self.directories:  # otherwise there was no session
            from .. import exported

            if ended is not None:
                exported.end(attempt_series=ended)
            exported.refresh()

    def session_of_test(self, item: pytest.Item) -> Session:
        """Return the plugin's session of the running attempt, opened if necessary."""
        attempt = self._attempt_of(item)
        if attempt.session is None:
            attempt.allows_misses = arguments_of(item).get("allow_misses", False)
            attempt.session = open_session(item, self.config)
        return attempt.session

    def finish(self) -> RunReport | None:
        """Return the report of this process, None if it has nothing to say. An interrupted test counts as failed."""
        if not self.directories and not self._prunes and not self.outside.has_seen_any:
            return None
        if self.attempt is not None:
            self.attempt.has_failed = True
            try:
                self.attempt.close_session()
            except RecorderError as error:
                self.attempt.troubles.append(f"{self.attempt.test_id}: {error}")
            self._settle(self.attempt)
        report = RunReport(
            directories=list({str(path): None for each in self.directories for path in each.read}),
            written=list({str(each.written): None for each in self.directories}),
            roots={str(each.written): str(each.roots.of_recordings[0]) for each in self.directories if each.roots},
            collected=self.selection.collected_ids if self._prunes else [],
            not_recorded_again=list(self._not_recorded_again),
            outside=self.outside.calls,
            refused_outside=self.outside.refused,
            blocked_outside=self.outside.blocked,
        )
        has_live_session = any(
            session.is_live and session.engine not in self.fixture_engines for session, _ in self._other_sessions
        )
        for attempt in self._ended.values():
            attempt.add_to(report, beside_live_session=has_live_session)
        for session, opened_in in self._other_sessions:
            report.calls += calls_of(session, opened_in, {}, for_page=self._for_page)
        add_late_calls(report, self.outside.late_requests)
        return report

    def _attempt_of(self, item: pytest.Item) -> Attempt:
        self.attempt = self.attempt or Attempt(id_of(item), item.path)  # a new one for what is skipped before it begins
        return self.attempt

    def _settle(self, attempt: Attempt) -> None:
        self.attempt = None
        self.outside.note_threads(attempt.test_id)
        self.scope_has_changed(attempt.attempt_series)
        attempt.unreported = self._processes.end() or attempt.unreported
        attempt.directories |= self._processes.directories
        attempt.note_directories(attempt.sessions)
        keeps_failed = self._pytest_config.getoption("inference_recorder_keep_failed")
        attempt.take_over(self._unsettled)
        still_open = attempt.settle(self.run_log, keeps_failed=keeps_failed, for_page=self._for_page)
        if self._unsettled is not None:
            self._unsettled.settle()
        self._other_sessions += [(session, attempt.test_id) for session in still_open]
        self._ended[attempt.test] = attempt
