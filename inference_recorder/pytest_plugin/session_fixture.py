"""The fixture `inference_session`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .run import RUN

if TYPE_CHECKING:
    from ..session import Session


@pytest.fixture
def inference_session(request: pytest.FixtureRequest) -> Session:
    """The session of this test: LLM calls are answered from recordings, or recorded.

    Ask it for `counts`, `requests`, `replayed`, `recorded`, `missed`, `dropped` and `usage`. It is open while the
    test's fixtures are set up and torn down too; the marker `inference_recording` says how.
    """
    return request.config.stash[RUN].session_of_test(request.node)
