"""One run of one test: the sessions opened in it, what it was about to overwrite, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..errors import RecorderError

if TYPE_CHECKING:
    from ..children.usage import Use
    from ..engine.attempt_series import AttemptSeries
    from ..engine.decisions import Call, Record
    from ..engine.run_log import RunLog
    from ..engine.series import Series
    from ..recorder import inference_recording
    from ..request.jsonable import JsonObject
    from ..session import Session
    from ..storage.rollback import Before
    from ..storage.store import Store
    from .journal import CallEntry
    from .unsettled import Unsettled


class Attempt:
    """One run of one test; a rerun is another."""

    def __init__(self, test_id: str) -> None:
        self.test_id = test_id
        self.sessions: list[Session] = []
        """All that were opened in it, by whomever."""
        self.recorder: inference_recording | None = None
        self.session: Session | None = None
        """The plugin's own, where the test has one."""
        self.allows_misses = False
        self.missed_in_fixtures: list[Call] = []
        """What wider fixtures missed and went on without."""
        self.has_failed = False
        self.has_failed_as_expected = False
        self.has_called = False
        """Whether the test itself has run, and not only its fixtures (--setup-only)."""
        self.is_whole = True
        """Whether no phase was skipped, and no failure expected."""
        self.used_before: list[Use] = []
        """What earlier attempts of the same test used."""
        self.directories: set[str] = set()
        """Where its sessions looked for recordings, in this process or another."""
        self.unheard: str | None = None
        """Why nobody knows what the processes that it started have used."""
        self.has_dropped = False
        """Whether a call failed and was not recorded: with its answer, it might have asked for more."""
        self.was_live = False
        """Whether a session let calls out unseen: then nobody knows which recordings the test needs."""
        self.attempt_series: AttemptSeries | None = None
        """Where its calls are counted, once there is a session."""
        self._before: dict[Path, Before] = {}
        self._new_requests: list[JsonObject] = []
        """The requests that it recorded and that had no recording before."""
        self.has_stayed = False
        """Whether it failed and its new recordings stay all the same."""
        self.calls: list[CallEntry] = []
        self.set_back: list[str] = []
        self.troubles: list[str] = []

    def heard(self, report: pytest.TestReport) -> None:
        """Take note of how a phase ended."""
        self.has_failed = self.has_failed or report.failed
        self.has_failed_as_expected = self.has_failed_as_expected or (report.skipped and hasattr(report, "wasxfail"))
        self.is_whole = self.is_whole and report.passed
        self.has_called = self.has_called or report.when == "call"

    def looked_in(self, sessions: Iterable[Session]) -> None:
        """Take note that these sessions were there for the test's calls."""
        self.directories.update(str(directory) for session in sessions for directory in session.store.directories.read)

    @property
    def has_passed(self) -> bool:
        """Whether the test ran as far as was heard, and nothing of it failed, was skipped or expected to fail."""
        return self.has_called and self.is_whole and not self.has_failed

    def reason_against(self) -> str | None:
        """Return why this attempt does not tell which recordings its test needs; None where it does."""
        if not self.has_passed:
            return "their tests did not run and pass"
        if self.was_live:
            return "their tests had a live session"
        if self.has_dropped:
            return "their tests made calls that failed and were not recorded"
        if self.unheard is None and not self.directories:
            return "their tests had no session"
        return self.unheard

    def follow(self, earlier: Attempt) -> None:
        """Have this be a rerun: what the earlier attempt used is needed too, and what is not known stays unknown."""
        from .journal import uses_in

        self.used_before = [*earlier.used_before, *uses_in(earlier.calls)]
        self.was_live, self.unheard, self.has_dropped = earlier.was_live, earlier.unheard, earlier.has_dropped

    def counts(self, series: Series) -> bool:
        """Whether a series is this attempt's own: its recordings are judged by the attempt's end."""
        return self.attempt_series is not None and not series.is_wide and self.attempt_series.guard is series.guard

    def remember(self, store: Store, decision: Record, name: str, unsettled: Unsettled | None) -> None:
        """Remember what this store is about to overwrite, also where another process finds it."""
        from ..storage.rollback import Before

        directory = store.directories.written
        if directory not in self._before:
            self._before[directory] = Before(store)
        remembered = self._before[directory].remember(decision.key, name)
        if unsettled is not None:
            unsettled.note(directory, remembered)
        if self._before[directory].is_new(decision.key):
            self._new_requests.append(decision.body)

    def swallowed_misses(self) -> list[Call]:
        """Return the misses of the plugin's sessions that nobody has heard of yet: the test did not fail."""
        if self.session is None or self.allows_misses or self.has_failed or self.has_failed_as_expected:
            return []
        return [*self.missed_in_fixtures, *self.session.missed]

    def close_session(self) -> None:
        """Close the plugin's session; raises what `Session.close` does."""
        recorder, self.recorder = self.recorder, None
        if recorder is not None:
            recorder.__exit__(None, None, None)

    def finish_series(self, *, is_set_back: bool = False, may_cut: bool = True) -> None:
        """Close the gaps of what was recorded and stays, and cut it to its length where the test passed.

        Raises UnwritableRecording.
        """
        is_cut = may_cut and self.has_passed
        if self.attempt_series is not None and (
            errors := self.attempt_series.finish(is_cut=is_cut, is_set_back=is_set_back)
        ):
            raise errors[0]

    def settle(self, call_log: RunLog, *, keeps_failed: bool, with_tokens: bool) -> list[Session]:
        """Have the attempt over: set aside what it recorded where it failed, and write down its calls.

        Returns the sessions that are still open; they are not written down yet.
        """
        moved: dict[Path, Path] = {}
        self.has_stayed = self.has_failed and not keeps_failed and self._depends_on_new_answers(call_log)
        stays = keeps_failed or self.has_stayed
        for before in self._before.values():
            try:
                if not self.has_failed:
                    before.drop_set_back()
                elif not stays:
                    moved |= before.set_back()
            except (RecorderError, OSError) as error:
                self.troubles.append(f"{self.test_id} failed, and its recordings are not set aside: {error}")
        if self.has_failed:
            try:
                self.finish_series(is_set_back=not stays)
            except (RecorderError, OSError) as error:
                self.troubles.append(f"{self.test_id}: {error}")
        self.set_back = [str(path) for path in moved.values()]
        if self.sessions:
            self._write_down(moved, with_tokens=with_tokens)
        still_open = [session for session in self.sessions if session.is_open]
        self._let_go()
        return still_open

    def _depends_on_new_answers(self, call_log: RunLog) -> bool:
        """Whether a request of it is new because a wider answer is: what it replaced cannot be reached any more."""
        call_log.refresh()
        if not call_log.texts:
            return False
        from ..recording.texts import repeats_one

        return any(repeats_one(request, call_log.texts) for request in self._new_requests)

    def superseded(self) -> None:
        """Remove what was set aside, and what stayed: the test runs again."""
        for before in self._before.values():
            try:
                if self.has_stayed:
                    before.set_back()
                before.drop_set_back()
            except (RecorderError, OSError):
                pass  # it lies where git does not see it, and the next attempt replaces it

    def _write_down(self, moved: dict[Path, Path], *, with_tokens: bool) -> None:
        from .journal import calls_of

        for session in self.sessions:
            if not session.is_open:
                self.calls += calls_of(session, self.test_id, moved, with_tokens=with_tokens)

    def _let_go(self) -> None:
        """Keep no session, and no recording that will not come back: a run has many tests."""
        self.was_live = self.was_live or any(session.is_live for session in self.sessions)
        self.has_dropped = self.has_dropped or (self.attempt_series is not None and self.attempt_series.has_dropped)
        self.sessions, self.session, self.attempt_series = [], None, None
        self._new_requests = []
        if not self.set_back and not self.has_stayed:
            self._before = {}
