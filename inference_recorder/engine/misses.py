"""What a diagnosis needs to know of the session in which a request missed."""

from __future__ import annotations

import os
import shlex

from ..diagnosis import miss
from ..diagnosis.question import Question
from ..errors import MissingRecording
from ..explanation import Advice
from ..fixture_ids import moved_id
from ..recording.layout import file_of
from ..redaction.requests import RequestRules
from ..request.normalizers import Normalizers
from ..request.request import Request
from ..storage.directories import Directories
from .given_test import given_test
from .test_run import TestRun, running_node_id


def missing_recording(
    question: Question, request: Request, rules: RequestRules, test_run: TestRun, directories: Directories
) -> MissingRecording:
    """Return the error to raise; `request` is the one with its secrets."""
    has_plugin = test_run.has_plugin
    configured = Normalizers(test_run.config.table.normalize or ())
    question = question._replace(
        normalizers=rules.normalizers,
        version=rules.key_version,
        variables=rules.variables_in(request),
        is_configured=has_plugin and configured.declared == rules.normalizers.declared,
    )
    given, has_test = given_test.get(), test_run.has_test
    node_id = rules.scope(running_node_id() if given is None else given.test_id, request.credential)
    node_id = node_id and test_run.from_here(node_id)
    plain = rules.without_environment(request)
    elsewhere = None if question.is_shared else _elsewhere(request, rules, test_run, directories)
    return miss.missing_recording(
        question, directories, node_id, plain, has_test, elsewhere, not has_plugin, test_run.record_command
    )


def _elsewhere(request: Request, rules: RequestRules, test_run: TestRun, directories: Directories) -> Advice | None:
    """Return where a run that is started in another project of the repository would find the request."""
    test_id, rootdir = test_run.test_id_here(), test_run.config.root
    if test_id is None or rootdir is None:
        return None
    for directory, root in test_run.elsewhere(directories.read):
        recorded_id = moved_id(test_id, rootdir, root)
        _, key = rules.keyed(request, rules.scope(recorded_id, request.credential))
        if recorded_id is not None and os.path.exists(directory / file_of(key)):
            command = f"  cd {shlex.quote(str(root))} && pytest --rootdir=."
            return Advice((f"recorded in {directory}, which pytest finds if it is started in its project:", command))
    return None
