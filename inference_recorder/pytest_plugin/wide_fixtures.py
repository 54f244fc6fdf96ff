"""Fixtures wider than a test while they are set up and torn down: their calls belong to the fixture."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from .marker import open_session
from .parameters import ParameterIds
from .scopes import WideFixture, wide_fixture

if TYPE_CHECKING:
    from ..session import Session
    from .run import Run


class WideFixtures:
    """The hooks around wider fixtures. Each gets a session of its own when it is set up for a test with one."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._parameter_ids = ParameterIds()
        self._sessions: dict[str, Session] = {}
        """By the fixture's test id; active only while the fixture runs."""
        self._seen: dict[Session, int] = {}
        """How many of the missed calls of each are known."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> Generator[None, object, object]:
        self._parameter_ids.note(metafunc)
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        fixture = wide_fixture(fixturedef, request, self._run.item, self._parameter_ids)
        if fixture is None:
            return (yield)
        self._enter(fixture, is_setup=True)
        fixturedef.addfinalizer(lambda: self._end(fixture))
        session = self._sessions.get(fixture.test_id)
        missed_before = 0 if session is None else len(session.missed)
        try:
            result = yield
            if session is not None and self._run.attempt is not None:
                self._run.attempt.missed_in_fixtures += session.missed[missed_before:]
            return result
        finally:
            self._leave(fixture)
            # Finalizers run last to first: what the fixture does after its yield runs between these two.
            fixturedef.addfinalizer(lambda: self._enter(fixture, is_setup=False))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """Note what servers in other processes, started by wider fixtures, have missed for the running test."""
        sessions = list(self._sessions.values())  # some end with this test
        try:
            return (yield)
        finally:
            if (attempt := self._run.attempt) is not None:
                for session in sessions:
                    missed, seen, in_run = session.missed, self._seen.get(session, 0), session.engine.ids.in_run
                    self._seen[session] = len(missed)
                    of_test = [call for call in missed[seen:] if in_run(call.test_id) == attempt.test_id]
                    attempt.missed_in_fixtures += of_test

    def _enter(self, fixture: WideFixture, *, is_setup: bool) -> None:
        was_running = self._is_running(fixture)  # one that overrides another of the same plugin or file
        self._run.running.append(fixture)
        self._run.scope_has_changed()
        try:
            if fixture.test_id in self._sessions:
                if not was_running:
                    from ..recorder import resume

                    resume(self._sessions[fixture.test_id], is_process_wide=True)
            elif is_setup and self._run.attempt is not None and self._run.attempt.session is not None:
                session = self._sessions[fixture.test_id] = open_session(fixture.node, self._run.config)
                self._run.fixture_engines.append(session.engine)
                fixture.node.addfinalizer(lambda: self._close(self._sessions.pop(fixture.test_id)))
        except BaseException:
            self._run.running.pop()
            raise

    def _leave(self, fixture: WideFixture) -> None:
        self._run.running.pop()
        if fixture.test_id in self._sessions and not self._is_running(fixture):
            from ..recorder import suspend

            suspend(self._sessions[fixture.test_id])
        self._run.scope_has_changed()

    @staticmethod
    def _close(session: Session) -> None:
        from ..recorder import close

        close(session.engine)

    def _is_running(self, fixture: WideFixture) -> bool:
        return any(running.test_id == fixture.test_id for running in self._run.running)

    def _end(self, fixture: WideFixture) -> None:
        """Leave a fixture that has been torn down. Raises UnwritableRecording."""
        self._leave(fixture)
        self._run.scope_has_changed(fixture.attempt_series)
        if fixture.attempt_series is not None and (errors := fixture.attempt_series.finish(is_cut=False)):
            raise errors[0]
