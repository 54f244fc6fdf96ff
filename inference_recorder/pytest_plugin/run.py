"""The test run as recorders see it: which test runs, what they go by, and what the run keeps of each test."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..config import Config
from ..engine.run_log import RunLog
from ..errors import RecorderError
from ..modes import InferenceMode
from .attempt import Attempt
from .configuration import check_may_record
from .marker import arguments_of, is_marked, recorder_arguments
from .processes import Processes
from .scopes import Scope, ScopeSession, directory_of, id_of
from .selection import Selection
from .unsettled import Unsettled

if TYPE_CHECKING:
    from ..engine.attempt_series import AttemptSeries
    from ..recorder import inference_recording
    from ..session import Session
    from .journal import Journal

RUN = pytest.StashKey["Run"]()


class Run:
    """The surroundings (see `running_test`) of all tests of this process."""

    def __init__(self, pytest_config: pytest.Config, config: Config) -> None:
        self.config = config
        self.test_id: str | None = None
        self.test_directory: Path | None = None
        self.item: pytest.Item | None = None
        """The test that runs."""
        self.attempt_series: AttemptSeries | None = None
        self.call_log = RunLog()
        self.processes = Processes()
        self.shared_directory: Path | None = None
        """Where the processes of this run tell each other what they do; None in a worker of pytest-xdist."""
        self.unsettled: Unsettled | None = None
        """In a worker of pytest-xdist, what its controller needs to know if it dies."""
        self.selection = Selection(pytest_config)
        self.directory: Path | None = None
        """Where recorders write that were told no other folder when the run began."""
        self._pytest_config = pytest_config
        self._attempt: Attempt | None = None
        self._ended: dict[str, Attempt] = {}
        self._loose: list[tuple[Session, str | None]] = []
        """Sessions that are of no test's attempt, and the test that ran when they were opened."""
        self._directories: dict[Path, None] = {}
        self._written: dict[Path, None] = {}
        self._scopes: dict[str, ScopeSession] = {}
        self._of_scopes: list[Session] = []
        """All that the plugin opened for wider fixtures."""
        self._books: dict[str, AttemptSeries] = {}
        """Where the calls of each wider fixture are counted, from its setup to its teardown."""
        self._around: list[tuple[str | None, Path | None, AttemptSeries | None]] = []
        """What ran before the wider fixture that is set up or torn down now."""
        self._fixtures: list[Scope] = []
        """The wider fixtures that are set up or torn down now, the innermost last."""
        self._kept: dict[str, None] = {}
        """The wider fixtures that were answered from older recordings while this run records."""
        self._with_tokens = bool(pytest_config.getoption("inference_report"))
        self._prunes = bool(pytest_config.getoption("inference_prune"))

    # What recorders call.

    def about_to_open(self, mode: InferenceMode, source: str, directory: Path, /) -> None:
        # A test that records into a folder of its own tests recording.
        if directory != self.directory and not (
            self.config.table.recordings_beside_tests and directory.parent == self.test_directory
        ):
            return
        try:
            check_may_record(self._pytest_config, mode, "inference_recording()" if source == "mode" else source)
        except pytest.UsageError as error:
            pytest.fail(str(error), pytrace=False)

    def opened(self, session: Any, /) -> None:
        self.processes.watch()
        self._directories |= dict.fromkeys(session.store.directories.read)
        self._written[session.store.directories.written] = None
        self._open_attempt_series()
        if self._attempt is None or self._around:
            self._loose.append((session, self.test_id))
        else:
            self._attempt.sessions.append(session)

    def is_wide(self, test_id: str | None, is_given: bool, /) -> bool:
        if self._around:
            return True
        return is_given if self._attempt is None else test_id != self._attempt.test_id

    def is_kept(self, /) -> bool:
        return bool(self._fixtures) and not self.selection.holds_all_of(self._fixtures[-1].node)

    def answered_from_kept(self, test_id: str | None, /) -> None:
        self._kept[test_id or ""] = None

    def about_to_record(self, store: Any, decision: Any, name: str, /) -> None:
        # What is a wider fixture's, or shared, is not judged by one test's end.
        if self._attempt is not None and self._attempt.counts(decision.series):
            self._attempt.remember(store, decision, name, self.unsettled)

    # What the hooks call.

    def enter_test(self, item: pytest.Item) -> None:
        """Have this test be the one that runs."""
        self.item, self.test_id, self.test_directory = item, id_of(item), directory_of(item)

    def leave_test(self) -> None:
        self.item = self.test_id = self.test_directory = None

    def begin(self, item: pytest.Item) -> None:
        """Begin an attempt of the running test, with a session if it is to have one."""
        self.attempt_series, attempt = None, Attempt(id_of(item))
        self._attempt = attempt
        if (earlier := self._ended.pop(attempt.test_id, None)) is not None:
            earlier.superseded()
            attempt.follow(earlier)
        if self._prunes:
            self.processes.watch()
        self.processes.begin()
        if self.has_sessions:
            self._open_attempt_series()
        if self.config.table.auto or is_marked(item) or "inference_session" in getattr(item, "fixturenames", ()):
            self.session_of_the_test(item)

    def session_of_the_test(self, item: pytest.Item) -> Session:
        """Return the plugin's session of the attempt that runs, opened if need be."""
        attempt = self._attempt = self._attempt or Attempt(id_of(item))
        if attempt.session is None:
            arguments = arguments_of(item)
            attempt.allows_misses = arguments.get("allow_misses", False)
            attempt.recorder, attempt.session = self._opened(arguments)
        return attempt.session

    def close_session(self) -> None:
        """Close the session of the attempt, if it has one."""
        if self._attempt is not None:
            self._attempt.close_session()

    def finish_series(self) -> None:
        """Finish what the attempt has recorded, unless it failed; raises UnwritableRecording."""
        if self._attempt is not None and not self._attempt.has_failed:
            self._attempt.finish_series(may_cut=not self.call_log.has_dropped)

    def fail_for_misses(self) -> None:
        """Fail the test where the code under test went on without an answer."""
        misses = [] if self._attempt is None else self._attempt.swallowed_misses()
        if misses:
            calls = "a call" if len(misses) == 1 else f"{len(misses)} calls"
            pytest.fail(
                f"{calls} had no recording, and the code under test went on without an answer "
                f"(allow_misses=True in the marker lets it):\n\n{misses[0].explanation}",
                pytrace=False,
            )

    def heard(self, item: pytest.Item, report: pytest.TestReport) -> None:
        """Take note of how a phase of this test ended; the last one settles the attempt."""
        attempt = self._attempt = self._attempt or Attempt(id_of(item))  # skipped before it began
        attempt.heard(report)
        if report.when == "call":  # later, a session of a wider fixture may be closed
            attempt.looked_in(session for session, _ in self._loose if session.is_open)
        if report.when == "teardown":
            self._settle(attempt)

    def enter_scope(self, scope: Scope, *, is_setup: bool) -> None:
        """Have a fixture of this scope be what runs, in the scope's session.

        The scope gets one when the first of its fixtures is set up for a test that has one.
        """
        self._around.append((self.test_id, self.test_directory, self.attempt_series))
        self._fixtures.append(scope)
        if is_setup:
            self._books.pop(scope.id, None)
        self.test_id, self.test_directory, self.attempt_series = scope.id, scope.directory, self._books.get(scope.id)
        if self.has_sessions:
            self._open_attempt_series()
        try:
            if scope.id in self._scopes:
                self._scopes[scope.id].enter()
            elif is_setup and self._attempt is not None and self._attempt.session is not None:
                _, session = self._opened(arguments_of(scope.node))
                self._of_scopes.append(session)
                self._scopes[scope.id] = ScopeSession(session)
                scope.node.addfinalizer(lambda: self._scopes.pop(scope.id).session.engine.close())
        except BaseException:
            self._leave_fixture()
            raise

    def leave_scope(self, scope: Scope) -> None:
        if scope.id in self._scopes:
            self._scopes[scope.id].leave()
        self._leave_fixture()

    def end_scope(self, scope: Scope) -> None:
        """Leave a fixture that has been torn down; raises UnwritableRecording."""
        self.leave_scope(scope)
        attempt_series = self._books.pop(scope.id, None)
        if attempt_series is not None and (errors := attempt_series.finish(is_cut=False)):
            raise errors[0]

    def _leave_fixture(self) -> None:
        self.test_id, self.test_directory, self.attempt_series = self._around.pop()
        self._fixtures.pop()
        if self.has_sessions:
            self._open_attempt_series()

    def misses_of(self, scope: Scope) -> int:
        """Return how often the fixtures of a scope have missed so far."""
        found = self._scopes.get(scope.id)
        return 0 if found is None else len(found.session.missed)

    def went_on(self, scope: Scope, misses_before: int) -> None:
        """Take note that a fixture has been set up: what it missed since, nobody has heard of."""
        if self._attempt is not None and scope.id in self._scopes:
            self._attempt.missed_in_fixtures += self._scopes[scope.id].session.missed[misses_before:]

    @property
    def has_sessions(self) -> bool:
        """Whether there was any session so far, of the plugin's or of anybody's."""
        return bool(self._directories)

    def finish(self, collected: list[str]) -> Journal:
        """Return what this process saw. What was interrupted counts as failed."""
        from .journal import Journal, calls_of, misses_in

        if self._attempt is not None:
            self._attempt.has_failed = True
            try:
                self._attempt.close_session()
            except RecorderError as error:
                self._attempt.troubles.append(f"{self._attempt.test_id}: {error}")
            self._settle(self._attempt)
        journal = Journal(collected=collected)
        journal.has_sessions = self.has_sessions
        journal.kept = list(self._kept)
        journal.directories = [str(directory) for directory in self._directories]
        journal.written = [str(directory) for directory in self._written]
        is_live = any(session.is_live and session not in self._of_scopes for session, _ in self._loose)
        for test_id, attempt in self._ended.items():
            reason = attempt.reason_against() or ("a live session was open beside their tests" if is_live else None)
            if reason is None:
                journal.add_live(test_id, attempt.directories)
            else:
                journal.not_proven[test_id] = reason
            journal.used += attempt.used_before
            journal.live += [test_id] if attempt.was_live else []
            journal.calls += attempt.calls
            journal.set_back += attempt.set_back
            journal.stayed += [test_id] if attempt.has_stayed else []
            journal.troubles += attempt.troubles
        for session, opened_in in self._loose:
            journal.calls += calls_of(session, opened_in, {}, with_tokens=self._with_tokens)
        journal.misses = misses_in(journal.calls)
        return journal

    def _open_attempt_series(self) -> None:
        """Have the calls of what runs now, an attempt or a wider fixture, counted together."""
        if self.attempt_series is not None or not (self._around or self._attempt):
            return
        from ..engine.attempt_series import AttemptSeries

        self.attempt_series = AttemptSeries()
        if self._around:
            self._books[self.test_id or ""] = self.attempt_series
        elif self._attempt is not None:
            self._attempt.attempt_series = self.attempt_series

    def _settle(self, attempt: Attempt) -> None:
        self._attempt = self.attempt_series = None
        attempt.unheard = self.processes.end() or attempt.unheard
        attempt.directories |= self.processes.directories
        attempt.looked_in(attempt.sessions)
        keeps_failed = self._pytest_config.getoption("inference_keep_failed")
        still_open = attempt.settle(self.call_log, keeps_failed=keeps_failed, with_tokens=self._with_tokens)
        if self.unsettled is not None:
            self.unsettled.settle()
        self._loose += [(session, attempt.test_id) for session in still_open]
        self._ended[attempt.test_id] = attempt

    def _opened(self, arguments: dict[str, Any]) -> tuple[inference_recording, Session]:
        """Open a session as a marker has it; fails the test, without a traceback, where that cannot be."""
        from ..recorder import enter_process_wide, inference_recording

        options = recorder_arguments(arguments)
        if options.get("storage_dir"):
            if self.config.command_line_directory is not None:
                del options["storage_dir"]
            else:
                options["storage_dir"] = self._pytest_config.rootpath / os.path.expanduser(options["storage_dir"])
        try:
            mode = self.config.mode(options.get("mode"))
            source = "the marker" if mode.source == "mode" else mode.source
            check_may_record(self._pytest_config, mode.value, source)
            recorder = inference_recording(**options)
            return recorder, enter_process_wide(recorder)
        except (RecorderError, pytest.UsageError) as error:
            pytest.fail(str(error), pytrace=False)
