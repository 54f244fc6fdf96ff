"""The fixture `inference_server`: the session of a test over HTTP, for programs that the test starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from ..errors import MissingRecording

if TYPE_CHECKING:
    from ..session import Session

_SERVER = pytest.StashKey["_WorkerServer"]()


class InferenceServer:
    """A server that answers as the running test's session does. The urls name the test."""

    def __init__(self, anthropic_url: str, session: Session) -> None:
        self.anthropic_url = anthropic_url
        """The base url for clients of Anthropic's API."""
        self.url = f"{anthropic_url}/v1"
        """The base url for clients of OpenAI's API."""
        self._session = session

    @property
    def env(self) -> dict[str, str]:
        """The environment of this process, with what makes SDKs ask this server: for `subprocess.run(…, env=…)`."""
        from ..modes import InferenceMode
        from ..server.environment import environment_of

        return environment_of(self.anthropic_url, is_replay=self._session.mode is InferenceMode.REPLAY)


@pytest.fixture
def inference_server(request: pytest.FixtureRequest, inference_session: Session) -> Iterator[InferenceServer]:
    """A server for programs that this test starts: they replay and record as the test itself, in its session.

    Give them `.env`, or `.url` (for OpenAI's clients) or `.anthropic_url` as base url. Their calls count as the test's,
    and their misses fail it.
    """
    from ..sdk.context import current_test
    from ..server.paths import prefix

    stash = request.config.stash
    if _SERVER not in stash:
        stash[_SERVER] = _WorkerServer(request.config)
    server, test = stash[_SERVER], current_test()
    server.errors.clear()
    path = prefix(test_id=test.test_id or "", run=test.attempt)
    yield InferenceServer(server.url + path, inference_session)
    if server.errors:
        raise server.errors[0]


class _WorkerServer:
    """The server of this pytest process, from its first use to the end of the run."""

    def __init__(self, config: pytest.Config) -> None:
        try:
            from ..server.app import RecordingServer
            from ..server.environment import base_urls
            from ..server.running import serving
        except ModuleNotFoundError as error:
            pytest.fail(f"inference_server needs {error.name}: pip install 'inference-recorder[server]'", pytrace=False)
        self.errors: list[Exception] = []
        """What the running test's programs got from it other than misses, which its session knows."""
        stack = ExitStack()
        config.add_cleanup(stack.close)
        self.url = stack.enter_context(serving(RecordingServer(base_urls(), report=self._report)))

    def _report(self, error: Exception, test_id: str | None) -> None:
        if not isinstance(error, MissingRecording):
            self.errors.append(error)
