"""The fixture `inference_server`: the session of a test over HTTP, for programs that the test starts."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from ..engine.given_test import GivenTest
from ..errors import UnrecordableCall
from .run import RUN

if TYPE_CHECKING:
    from ..session import Session
    from .attempt import Attempt

_SERVER = pytest.StashKey["_WorkerServer"]()


class InferenceServer:
    """What the fixture `inference_server` gives: a server that answers as the running test's session does."""

    def __init__(self, anthropic_url: str, session: Session) -> None:
        self.anthropic_url = anthropic_url
        """The base URL for clients of Anthropic's API. It names the test."""
        self.url = f"{anthropic_url}/v1"
        """The base URL for clients of OpenAI's API. It names the test."""
        self._session = session

    @property
    def env(self) -> dict[str, str]:
        """The environment of this process, with what makes SDKs ask this server: for `subprocess.run(…, env=…)`."""
        from ..server.environment import environment_of

        return environment_of(self.anthropic_url, may_lack_keys=self._session.mode.reads)


@pytest.fixture
def inference_server(request: pytest.FixtureRequest, inference_session: Session) -> InferenceServer:
    """A server for programs that this test starts: they replay and record as the test itself, in its session.

    Give them `.env`, or `.url` (for OpenAI's clients) or `.anthropic_url` as base url. Their calls count as the test's,
    and their misses fail it. What a program asks after the end of its test is refused.
    """
    stash = request.config.stash
    if _SERVER not in stash:
        stash[_SERVER] = _WorkerServer(request.config)
    return stash[_SERVER].serve(inference_session)


class _WorkerServer:
    """The server of this pytest process, from its first use to the end of the run. It answers the running test."""

    def __init__(self, config: pytest.Config) -> None:
        try:
            from ..server.app import RecordingServer
            from ..server.environment import base_urls
            from ..server.running import serving
        except ModuleNotFoundError as error:
            message = f"inference_server needs {error.name}: pip install 'inference-recorder[server]'"
            raise pytest.fail.Exception(message, pytrace=False) from None
        self._run = config.stash[RUN]
        self._session: Session | None = None
        """Of the last test that used it; the next four are that test's too."""
        self._attempt: Attempt | None = None
        self._test = GivenTest(None)
        self._ids: set[str | None] = set()
        """How a request may name it."""
        self._tests: dict[str, str] = {}
        """Attempt -> test id, of all tests that have used it."""
        stack = ExitStack()
        config.add_cleanup(stack.close)
        app = RecordingServer(base_urls(), report=self._report, test_of=self._test_of)
        self._url = stack.enter_context(serving(app))

    def serve(self, session: Session) -> InferenceServer:
        """Answer in this session, that of the test which is set up now."""
        from ..asgi import checked_id
        from ..server.paths import prefix

        engine, attempt = session.engine, session.engine.attempt_series.token
        test_id, unredacted = engine.current_test_id() or "", engine.unredacted_test_id()
        self._session, self._attempt, self._test = session, self._run.attempt, GivenTest(unredacted, attempt)
        self._ids = {test_id, unredacted, self._run.test_id}
        self._tests[attempt] = test_id
        try:
            checked_id(test_id.strip("."))
        except ValueError:  # no path can have it, and the attempt is enough
            test_id = ""
        return InferenceServer(self._url + prefix(test_id=test_id, run=attempt), session)

    def _test_of(self, named: GivenTest | None) -> GivenTest:
        """Return the running test if a request names it; raises UnrecordableCall."""
        test_id, attempt = named or GivenTest(None)
        is_running = attempt == self._test.attempt or (not attempt and test_id in self._ids)
        if self._session is not None and self._session.is_open and is_running:
            return self._test
        if ended := self._tests.get(attempt):
            self._run.outside.late_requests[ended] += 1
        raise UnrecordableCall(
            f"{ended or test_id or 'the test of this request'} has ended, or does not run here; nothing was sent\n"
            "  end the program before its test ends, and use the whole url of that test's inference_server"
        )

    def _report(self, error: Exception, test_id: str | None) -> None:
        if self._attempt is not None and (test_id is None or test_id in self._ids):
            self._attempt.server_errors.append(error)
