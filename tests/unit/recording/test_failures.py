"""Recorded failures become exceptions of the classes that we know, and of no others."""

from __future__ import annotations

import httpx
import pytest

from inference_recorder.recording.answer import Failed, Failure
from inference_recorder.recording.failures import revive_failure

REQUEST = httpx.Request("POST", "http://host/v1/chat/completions")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("httpx.ReadTimeout", httpx.ReadTimeout),
        ("httpx2.ConnectError", httpx.ConnectError),
        ("httpx.Client", httpx.TransportError),
        ("httpx.HTTPStatusError", httpx.TransportError),
        ("httpx.NoSuchName", httpx.TransportError),
        ("httpx.codes", httpx.TransportError),
        ("os.system", httpx.TransportError),
    ],
)
def test_a_transport_failure_revives_as_a_transport_error(name: str, kind: type[Exception]) -> None:
    """A hostile file could otherwise name any class of the HTTP library, or any function."""
    failure = Failure(name, "gone", category="transport", provider="httpx")

    error = revive_failure(Failed(failure), "a.json", httpx, REQUEST)

    assert kind is type(error)
    assert ("gone",) == error.args
