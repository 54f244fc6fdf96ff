"""The error of a call that no recording answers, with its explanation."""

from __future__ import annotations

from ..errors import MissingRecording
from ..explanation import Dropped, Explanation
from ..recording.recording import Failure, reason_of
from ..request.request import Request
from ..storage.directories import Directories
from ..storage.dropped import dropped_call
from ..test_run import current_test_run, running_node_id
from .index import index_of
from .nearest import Question, explanation_of
from .notes import note


def missing_recording(
    question: Question, directories: Directories, node_id: str | None, plain: Request
) -> MissingRecording:
    """Return the error to raise in a session of these places, in the test that pytest calls `node_id`.

    `plain` is the request with the secrets of the environment in it; it is only compared.

    The miss is noted for `inference-recorder explain`. Raises nothing itself: whatever goes wrong here, the miss is
    what the caller has to hear of.
    """
    try:
        explanation = explanation_of(question, index_of(directories.read), plain)
    except Exception as error:  # said in the text; the miss must not be hidden by it
        explanation = Explanation(remarks=(f"what came nearest is not known: {type(error).__name__}: {error}",))
    try:
        note(directories.written, question, node_id)
    except Exception:  # the note is a convenience, and a system without a temporary folder has none
        pass
    return explained(question, directories, node_id, explanation)


def explained(
    question: Question, directories: Directories, node_id: str | None, explanation: Explanation
) -> MissingRecording:
    """Return the error with this explanation, and with what is remembered of a call that was not recorded."""
    call = dropped_call(directories.read, question.test_id, question.key)
    if call is not None:
        failure = reason_of(Failure(call.type, call.message, call.status_code))
        explanation = explanation._replace(dropped=Dropped(call.made_at, call.mode, failure, call.message))
    return MissingRecording(
        key=question.key,
        summary=question.request.summary,
        test_id=question.test_id,
        looked_in=directories.read,
        node_id=node_id,
        explanation=explanation,
        is_without_plugin=current_test_run() is None and running_node_id() is not None,
    )
