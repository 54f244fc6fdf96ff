"""The error for a request without a recording, with its explanation."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..errors import MissingRecording
from ..explanation import Advice, Dropped, Explanation
from ..network import host_and_port
from ..recording.answer import Failure, reason_of
from ..recording.layout import file_of, recording_name
from ..request.request import Request
from ..storage.directories import Directories
from ..storage.dropped import dropped_call
from ..storage.rollback import FAILED_DIRECTORY
from .index import index_of
from .nearest import explanation_of
from .question import Question


def missing_recording(
    question: Question,
    directories: Directories,
    node_id: str | None,
    plain: Request,
    has_test: Callable[[str, Path], bool],
    elsewhere: Advice | None,
    is_without_plugin: bool,
    record_command: str,
) -> MissingRecording:
    """Return the error to raise for a miss in a session of these directories. Raises nothing itself.

    `node_id` is the running test's, as pytest takes it where it was started; `plain` is the request with the
    environment's secrets, used only for comparison; `has_test` tells whether a test with a recording in a directory
    still exists; `elsewhere` says where the recording is, if another project has it.
    """
    try:
        explanation = explanation_of(question, index_of(directories.read), plain, has_test)
    except Exception as error:  # a fault in the explanation must not hide the miss
        explanation = Explanation(
            remarks=(f"the nearest recording is unknown: {type(error).__name__}: {error}",),
            is_shared=question.is_shared,
        )
    if elsewhere is not None:
        explanation = replace(explanation, advice=elsewhere)
    return explained(question, directories, explanation, node_id, is_without_plugin, record_command)


def explained(
    question: Question,
    directories: Directories,
    explanation: Explanation,
    node_id: str | None = None,
    is_without_plugin: bool = False,
    record_command: str = "",
) -> MissingRecording:
    """Return the error with this explanation, completed by what earlier runs made of the request and did not keep."""
    call = dropped_call(directories.read, question.test_id, question.key)
    if call is not None:
        failure = reason_of(Failure(call.type, call.message, call.status_code))
        explanation = replace(explanation, dropped=Dropped(call.made_at, call.mode, failure, call.message))
    name = recording_name(question.key, question.position)
    has_failed = (each for each in directories.read if os.path.lexists(each / FAILED_DIRECTORY / file_of(name)))
    if (directory := next(has_failed, None)) is not None:
        cause = "the test recorded the answer and failed, so it was set aside; to keep it:"
        command = ("inference-recorder", "keep", "--dir", str(directory))
        explanation = replace(explanation, advice=Advice((cause,), command, question.test_id or ""))
    return MissingRecording(
        key=question.key,
        summary=question.request.summary,
        test_id=question.test_id,
        looked_in=directories.read,
        absent=tuple(directory for directory in directories.read if not os.path.isdir(directory)),
        node_id=node_id,
        explanation=explanation,
        is_without_plugin=is_without_plugin,
        host=host_and_port(question.request.url)[0],
        record_command=record_command,
    )
