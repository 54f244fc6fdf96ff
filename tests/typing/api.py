"""The face as a type checker sees it from outside; run by `mypy --strict`, never imported by a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from typing_extensions import assert_type

from inference_recorder import Call, InferenceMode, MissingRecording, Nearest, Session, inference_recording

with inference_recording() as session:
    assert_type(session, Session)
    assert_type(session.mode, InferenceMode)
    assert_type(session.recorded, tuple[Call, ...])
    assert_type(session.dropped, tuple[Call, ...])
    assert_type(session.counts["recorded"], int)
    assert_type(session.usage["gpt-4o"].tokens_in, int)
    assert_type(session.requests[0].model, str)
    assert_type(session.recorded[0].path, str | None)

with inference_recording("replay", Path("recordings"), test_id="mine", record_errors=True):
    pass

with inference_recording(scope="shared"):
    pass

inference_recording("reply")  # type: ignore[arg-type]  # it is not a mode


@inference_recording(mode=InferenceMode.REPLAY)
def function(number: int) -> str:
    return str(number)


@inference_recording("record")
async def coroutine(number: int) -> str:
    return str(number)


async def coroutine_with_a_session() -> None:
    async with inference_recording() as session:
        assert_type(session, Session)


@inference_recording("record")
def fixture() -> Iterator[int]:
    yield 1


assert_type(function(1), str)

try:
    pass
except MissingRecording as error:
    assert_type(error.nearest, Nearest | None)
    assert_type(error.renamed_from, str | None)
    assert_type(error.command, str | None)
