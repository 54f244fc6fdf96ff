"""What a server changes in its process, and for how long."""

from __future__ import annotations

import logging

import pytest

from inference_recorder.server.app import RecordingServer
from inference_recorder.server.running import serving


def test_the_warnings_of_other_event_loops_are_shown(caplog: pytest.LogCaptureFixture) -> None:
    """The server hides asyncio's warning of a client that left, but only that of its own clients."""
    with serving(RecordingServer()):
        logging.getLogger("asyncio").warning("socket.send() raised exception.")

    assert caplog.messages == ["socket.send() raised exception."]
