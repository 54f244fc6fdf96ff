"""What has arrived of a call so far."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from inference_recorder.engine.capture_state import CaptureState
from inference_recorder.engine.decisions import Record
from inference_recorder.engine.engine import Engine
from inference_recorder.engine.series import Series
from inference_recorder.modes import InferenceMode
from inference_recorder.request.request import Request
from inference_recorder.sdk.capture import Capture
from inference_recorder.storage.directories import Directories
from inference_recorder.storage.store import Store


def capture_in(directory: Path) -> Capture:
    engine = Engine(InferenceMode.RECORD, Store(Directories(written=directory, read=(directory,))))
    request = Request("POST", "/v1/chat/completions", "https://host/v1/chat/completions", {"stream": True}, "{}")
    series = Series("key", threading.Condition())
    return Capture(engine, Record(request, {}, "key", None, series, None, CaptureState(1)))


def test_what_was_received_so_far_does_not_grow(tmp_path: Path) -> None:
    """A session is closed while a thread reads on: a chunk that came meanwhile was written without being looked at."""
    capture = capture_in(tmp_path)

    capture.add({"delta": "a"})
    answer = capture.complete()
    capture.add({"delta": "b"})

    assert [{"delta": "a"}] == answer.chunks


@pytest.mark.parametrize("cause", [KeyboardInterrupt(), None], ids=["an interruption", "nothing"])
def test_an_error_that_an_interruption_became_replaces_no_recording(
    cause: BaseException | None, tmp_path: Path
) -> None:
    """An HTTP library, or asyncio.timeout, may raise its own error in the place of a Ctrl-C or a cancellation."""
    capture, error = capture_in(tmp_path), TimeoutError()
    error.__context__ = cause

    capture.broken(error)

    assert (cause is None) == capture.decision.state.may_replace
