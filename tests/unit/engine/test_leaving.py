"""What a session leaves in the context that entered it."""

from __future__ import annotations

import contextvars
from pathlib import Path

from inference_recorder import inference_recording


def session_variable() -> object:
    """Return the value of the ContextVar that holds the session, None if it is not set."""
    values = {variable.name: value for variable, value in contextvars.copy_context().items()}
    return values.get("inference_recorder_session")


def test_leaving_restores_the_session_around_it(recordings: Path) -> None:
    """A context that kept a closed session would keep it alive, and look through it for every call."""
    with inference_recording("replay", recordings):
        before = session_variable()
        with inference_recording("replay", recordings):
            during = session_variable()
        after = session_variable()

    assert before is not None
    assert before is after is not during


def test_leaving_clears_an_empty_context(recordings: Path) -> None:
    """A thread begins with one."""

    def enter_and_leave() -> object:
        with inference_recording("replay", recordings):
            assert session_variable() is not None
        return session_variable()

    assert contextvars.Context().run(enter_and_leave) is None
