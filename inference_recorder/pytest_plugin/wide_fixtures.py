"""Fixtures wider than a test while they are set up and torn down: their calls belong to the fixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .scopes import Running, Scope, ScopeSession

if TYPE_CHECKING:
    from ..engine.attempt_series import AttemptSeries
    from .run import Run


class WideFixtures:
    """The wider fixtures of one run. A scope gets a session when its first fixture is set up for a test with one."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._sessions: dict[str, ScopeSession] = {}
        self._series: dict[str, AttemptSeries] = {}
        """Where the calls of each fixture are counted, from its setup to its teardown."""

    def enter(self, scope: Scope, *, is_setup: bool) -> None:
        """Run a fixture of this scope, in the scope's session if there is one."""
        if is_setup:
            self._series.pop(scope.id, None)
        self._run.enter(Running(scope.id, scope.directory, self._series.get(scope.id), scope.node))
        try:
            if scope.id in self._sessions:
                self._sessions[scope.id].enter()
            elif is_setup and self._run.has_test_session:
                _, session = self._run.open_session(scope.node)
                self._run.fixture_engines.append(session.engine)
                self._sessions[scope.id] = ScopeSession(session)
                scope.node.addfinalizer(lambda: self._sessions.pop(scope.id).session.engine.close())
        except BaseException:
            self._leave(scope)
            raise

    def leave(self, scope: Scope) -> None:
        if scope.id in self._sessions:
            self._sessions[scope.id].leave()
        self._leave(scope)

    def end(self, scope: Scope) -> None:
        """Leave a fixture that has been torn down. Raises UnwritableRecording."""
        self.leave(scope)
        series = self._series.pop(scope.id, None)
        if series is not None and (errors := series.finish(is_cut=False)):
            raise errors[0]

    def count_of_misses(self, scope: Scope) -> int:
        """Return how many calls the fixtures of a scope have missed so far."""
        return len(self._sessions[scope.id].session.missed) if scope.id in self._sessions else 0

    def note_misses(self, scope: Scope, since: int) -> None:
        """Note what a fixture missed in a setup that did not fail for it."""
        if scope.id in self._sessions:
            self._run.note_fixture_misses(self._sessions[scope.id].session.missed[since:])

    def _leave(self, scope: Scope) -> None:
        left = self._run.leave()
        if left.attempt_series is not None:
            self._series[scope.id] = left.attempt_series
