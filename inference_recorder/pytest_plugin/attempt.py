"""One run of one test: the sessions opened in it, the recordings that it replaces, and its outcome."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..errors import MissingRecording, RecorderError
from .run_report import CallEntry, RunReport, calls_of

if TYPE_CHECKING:
    from ..children.usage import Use
    from ..engine.attempt_series import AttemptSeries
    from ..engine.call_log import Call
    from ..engine.decisions import Record
    from ..engine.run_log import RunLog
    from ..engine.series import Series
    from ..json_tree import JsonObject
    from ..session import Session
    from ..storage.rollback import Rollback
    from ..storage.store import Store
    from ..storage.unsettled import Unsettled


class Attempt:
    """One run of one test; a rerun is another."""

    def __init__(self, test_id: str, file: Path | None = None) -> None:
        self.test_id = test_id
        self.test = test_id, file
        """What it is a run of: pytest may give two tests outside rootdir one id."""
        self.sessions: list[Session] = []
        """All that were opened in it, by the plugin or in code."""
        self.session: Session | None = None
        """The plugin's own, where the test has one."""
        self.allows_misses = False
        self.missed_in_fixtures: list[Call] = []
        """The calls that wider fixtures missed without failing."""
        self.server_errors: list[Exception] = []
        """What programs got from `inference_server` instead of answers, misses among it, or what was not stored."""
        self.has_failed = False
        self.has_failed_as_expected = False
        self.has_called = False
        """Whether the test itself has run, and not only its fixtures (--setup-only)."""
        self.is_whole = True
        """Whether no phase was skipped, and no failure expected."""
        self.used_before: list[Use] = []
        """What earlier attempts of the same test used."""
        self.directories: set[str] = set()
        """The directories that its sessions read, in this process or another."""
        self.unreported: str | None = None
        """Why it is not known which recordings the processes that it started have used."""
        self.has_dropped = False
        """Whether a call failed and was not recorded: with its answer, the test might have made more calls."""
        self.was_live = False
        """Whether a session was live: then it is not known which recordings the test needs."""
        self.attempt_series: AttemptSeries | None = None
        """Where its calls are counted, once there is a session."""
        self._replaced: dict[Path, Rollback] = {}
        """By directory, what it recorded in mode record: if it fails, that is rolled back."""
        self._added: dict[Path, Rollback] = {}
        """By directory, what it recorded in record-if-missing: that was paid for, replaces nothing, and stays."""
        self._superseded: list[Rollback] = []
        """What earlier attempts of the same test recorded."""
        self._recorded_as: str | None = None
        """Its test id as recordings have it, without secrets."""
        self._new_requests: list[JsonObject] = []
        """The requests that it recorded and that had no recording before."""
        self.keeps_new_recordings = False
        """Whether it failed and its new recordings stay all the same."""
        self.calls: list[CallEntry] = []
        self.failed_recordings: list[str] = []
        """Where its recordings were moved after it failed."""
        self.kept_recordings = 0
        """How many of its recordings stay in place although it failed."""
        self.troubles: list[str] = []

    def note_phase(self, report: pytest.TestReport) -> None:
        """Note how a phase ended."""
        self.has_failed |= report.failed
        self.has_failed_as_expected |= report.skipped and hasattr(report, "wasxfail")
        self.is_whole &= report.passed
        self.has_called |= report.when == "call"

    def note_directories(self, sessions: Iterable[Session]) -> None:
        """Note that the test's calls were in these sessions."""
        read = (session.engine.directories_at_call().read for session in sessions)
        self.directories.update(str(directory) for directories in read for directory in directories)

    @property
    def has_passed(self) -> bool:
        """Whether the test ran, with every phase passed: no failure, skip or expected failure."""
        return self.has_called and self.is_whole and not self.has_failed

    @property
    def outcome(self) -> str:
        """Its end in a word, for people."""
        if self.has_failed:
            return "failed"
        if self.has_failed_as_expected:
            return "xfailed"
        return "passed" if self.has_passed else "skipped"

    def reason_against(self) -> str | None:
        """Return why this attempt does not show which recordings its test needs; None if it does."""
        if not self.has_passed:
            return "their tests did not run and pass"
        if self.was_live:
            return "their tests had a live session"
        if self.has_dropped:
            return "their tests made calls that failed and were not recorded"
        if self.unreported is None and not self.directories:
            return "their tests had no session"
        return self.unreported

    def add_to(self, report: RunReport, *, beside_live_session: bool) -> None:
        """Add this attempt to the report of its process."""
        reason = self.reason_against()
        if reason is None and beside_live_session:
            reason = "a live session was open beside their tests"
        if reason is None:
            report.proven[self.test_id] = sorted(self.directories)
        else:
            report.unproven[self.test_id] = reason
        report.outcomes[self.test_id] = self.outcome
        report.used += self.used_before
        report.live += [self.test_id] if self.was_live else []
        report.calls += self.calls
        report.failed_recordings += self.failed_recordings
        report.kept_recordings += [] if self.keeps_new_recordings else [self.test_id] * self.kept_recordings
        report.failed_but_kept += [self.test_id] if self.keeps_new_recordings else []
        report.troubles += self.troubles

    def follow(self, earlier: Attempt) -> None:
        """Make this a rerun: what the earlier attempt used is needed too, and what is not known of it stays unknown.

        What it recorded moves to `.failed`, so that this attempt asks again.
        """
        self._superseded = [*earlier._superseded, *earlier._replaced.values(), *earlier._added.values()]
        self.failed_recordings = [*earlier.failed_recordings]
        for rollback in self._superseded:
            try:
                self.failed_recordings += map(str, rollback.roll_back().values())
            except (RecorderError, OSError):
                pass  # this attempt replaces what is still in place
        self.used_before = [*earlier.used_before, *(call for call in earlier.calls if call["path"] is not None)]
        self.was_live, self.unreported, self.has_dropped = earlier.was_live, earlier.unreported, earlier.has_dropped

    def counts(self, series: Series) -> bool:
        """Whether a series is this attempt's own, so that its recordings depend on the attempt's outcome."""
        return self.attempt_series is not None and not series.is_wide and self.attempt_series.holds(series)

    def remember(
        self, store: Store, decision: Record, name: str, unsettled: Unsettled | None, *, is_noted: bool
    ) -> None:
        """Remember what this store is about to overwrite; if `is_noted` in `unsettled`, for another process too."""
        from ..storage.rollback import Rollback

        directory, self._recorded_as = store.directories.written, decision.test_id
        if not decision.series.is_replaced:
            self._added.setdefault(directory, Rollback(store)).remember(decision.key, name)
            return
        self.take_over(unsettled)
        rollback = self._replaced.setdefault(directory, Rollback(store))
        remembered = rollback.remember(decision.key, name)
        if unsettled is not None and is_noted:
            unsettled.note(directory, remembered)
        if rollback.is_new(decision.key):
            self._new_requests.append(decision.body)

    def take_over(self, unsettled: Unsettled | None) -> None:
        """Remember what processes that the test started have overwritten."""
        for directory, rollback in ({} if unsettled is None else unsettled.rollbacks()).items():
            self._replaced.setdefault(directory, rollback).add(rollback)

    def close_session(self) -> None:
        """Close the plugin's session; raises what `Engine.close` does."""
        if self.session is not None and self.session.is_open:
            from ..recorder import close, suspend

            suspend(self.session)
            close(self.session.engine)

    def fail_for_errors(self) -> None:
        """Fail the test if the code under test went on after a miss that is not allowed, or an error of its server."""
        if self.session is None or self.has_failed or self.has_failed_as_expected:
            return
        if errors := [error for error in self.server_errors if not isinstance(error, MissingRecording)]:
            name, text = type(errors[0]).__name__, errors[0]
            pytest.fail(
                f"inference_server met an error, and the code under test went on:\n\n{name}: {text}", pytrace=False
            )
        if self.allows_misses:
            return
        misses = [*self.missed_in_fixtures, *self.session.missed]
        if misses:
            calls = "a call" if len(misses) == 1 else f"{len(misses)} calls"
            pytest.fail(
                f"{calls} had no recording, and the code under test went on without an answer "
                f"(allow_misses=True in the marker allows this):\n\n{misses[0].explanation}",
                pytrace=False,
            )

    def finish_series(self, *, is_rolled_back: bool = False, may_cut: bool = True) -> None:
        """Close the gaps in the recorded series and, if the test passed, remove older answers after their ends.

        Raises UnwritableRecording.
        """
        is_cut = may_cut and self.has_passed
        if self.attempt_series is not None and (
            errors := self.attempt_series.finish(is_cut=is_cut, is_rolled_back=is_rolled_back)
        ):
            raise errors[0]

    def settle(self, run_log: RunLog, *, keeps_failed: bool, for_page: bool) -> list[Session]:
        """End the attempt: if it failed, move what it recorded in mode record to .failed; and list its calls.

        Returns the sessions that are still open; their calls are not listed yet.
        """
        moved: dict[Path, Path] = {}
        self.keeps_new_recordings = self.has_failed and not keeps_failed and self._depends_on_new_answers(run_log)
        stays = keeps_failed or self.keeps_new_recordings
        rollbacks = [*self._replaced.values(), *self._added.values()]
        if rollbacks or not self.has_failed:  # otherwise the answers of the attempt before are the last ones
            self.failed_recordings = []
            for rollback in [*self._superseded, *rollbacks]:
                with self._noting_trouble("older recordings in .failed cannot be removed"):
                    rollback.remove_failed()
        if self.has_failed:
            for rollback in () if stays else self._replaced.values():
                with self._noting_trouble("it failed, and its recordings are still in place"):
                    moved |= rollback.roll_back()
            with self._noting_trouble("a gap in its recordings cannot be closed"):
                self.finish_series(is_rolled_back=not stays)
            self.kept_recordings = sum(rollback.note_failed(self._recorded_as) for rollback in rollbacks)
        self.failed_recordings += map(str, moved.values())
        for session in self.sessions:
            if not session.is_open:
                self.calls += calls_of(session, self.test_id, moved, for_page=for_page)
        still_open = [session for session in self.sessions if session.is_open]
        self._release_sessions(keeps_failed=keeps_failed)
        return still_open

    @contextmanager
    def _noting_trouble(self, what: str) -> Iterator[None]:
        try:
            yield
        except (RecorderError, OSError) as error:
            self.troubles.append(f"{self.test_id}: {what}: {error}")

    def _depends_on_new_answers(self, run_log: RunLog) -> bool:
        """Whether a request is new because it repeats a new shared answer, so that its old recording is unreachable."""
        run_log.refresh()
        if not run_log.texts:
            return False
        from ..recording.texts import repeats_one

        return any(repeats_one(request, run_log.texts) for request in self._new_requests)

    def _release_sessions(self, *, keeps_failed: bool) -> None:
        """Free the sessions, and the old recordings unless they may be restored: a run has many tests."""
        self.was_live = self.was_live or any(session.is_live for session in self.sessions)
        self.has_dropped = self.has_dropped or (self.attempt_series is not None and self.attempt_series.has_dropped)
        self.sessions, self.session, self.attempt_series = [], None, None
        self._new_requests = []
        if not self.failed_recordings and not self.keeps_new_recordings:
            self._replaced = {}
        if not self.has_failed or keeps_failed:
            self._added = {}
