"""What a diagnosis needs to know of the session in which a request missed."""

from __future__ import annotations

from ..diagnosis import miss
from ..diagnosis.question import Question
from ..errors import MissingRecording
from ..redaction.requests import RequestRules
from ..request.normalizers import Normalizers
from ..request.request import Request
from ..storage.directories import Directories
from .test_run import NoTestRun, TestRun, running_node_id


def missing_recording(
    question: Question, request: Request, rules: RequestRules, test_run: TestRun, directories: Directories
) -> MissingRecording:
    """Return the error to raise; `request` is the one with its secrets."""
    has_plugin = not isinstance(test_run, NoTestRun)
    configured = Normalizers(test_run.config.table.normalize or ())
    question = question._replace(
        normalizers=rules.normalizers,
        version=rules.key_version,
        variables=rules.variables_in(request),
        is_configured=has_plugin and configured.declared == rules.normalizers.declared,
    )
    node_id, has_test = rules.scope(running_node_id(), request.credential), test_run.has_test
    plain = rules.without_environment(request)
    return miss.missing_recording(question, directories, node_id, plain, has_test, is_without_plugin=not has_plugin)
