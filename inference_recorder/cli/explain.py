"""`inference-recorder explain`: why a request has no recording, after the test that missed it is long gone."""

from __future__ import annotations

import json
import sys
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

import click

from ..diagnosis.index import Index
from ..diagnosis.miss import explained
from ..diagnosis.nearest import Question, explanation_of
from ..diagnosis.notes import notes_in
from ..engine.series import Series
from ..errors import CorruptRecording, MissingRecording, RecorderError, UnrecordableValue
from ..redaction.requests import RequestRules, with_literals, without_numbers
from ..request.jsonable import JsonValue, plain_arguments
from ..request.keys import request_key
from ..request.request import Request, recorded_url
from ..storage.directories import Directories
from ..storage.store import Store
from .configured import configured_table, directory_for
from .console import remarks, show_json
from .difference_report import DifferenceReport

_OPENAI = "https://api.openai.com/v1"


@click.command()
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path), help="The folder, else where the session would look."
)
@click.option("--last", default=10, show_default=True, type=click.IntRange(1), help="How many misses at most.")
@click.option("--request", "file", type=click.File("rb"), help="A request to explain, in JSON; - reads it from stdin.")
@click.option("--endpoint", help="Of a request given as arguments only, such as /v1/chat/completions.")
@click.option("--base-url", default=_OPENAI, show_default=True, help="Of a request that does not hold its url.")
@click.option("--test", "test_id", help="The test that asks the request.")
@click.option("--json", "is_json", is_flag=True, help="A JSON array, as described above.")
def explain(
    directory: Path | None,
    last: int,
    file: IO[bytes] | None,
    endpoint: str | None,
    base_url: str,
    test_id: str | None,
    is_json: bool,
) -> None:
    """Say why a request has no recording.

    Shows what comes nearest to the last misses of this folder, or to a --request, and where they differ; the
    recordings are looked at as they are now. --request takes a whole recording, the "request" of one, or the keyword
    arguments of a call, these with --endpoint.

    \b
    --json gives one object a miss:
      key, test_id, endpoint, model    of the request
      missed_at       when, in ISO 8601 and UTC; null with --request
      answered_by     the recording that answers it now, else null
      nearest         null, or path, test_id, reason and differences (path, recorded, asked, only_in, lines)
      recorded_for    the tests that the same request is recorded for
      renamed_from    the id that the test probably had, else null
      dropped         null, or made_at, mode, failure and message of the last time
                      that it was made while recording, failed, and was not recorded
      remarks, command

    \b
    Exit codes:
      0  all is recorded, or nothing was missed
      1  something has no recording
      2  the options are wrong, or the request cannot be read
    """
    directories, _ = directory_for(directory)
    if file is None and (endpoint or test_id):
        raise click.UsageError("--endpoint and --test say more of a --request, which is not given")
    asked: list[tuple[Question, str | None, float | None]]
    if file is None:
        noted = list(notes_in(directories.written))[:last]
        asked = [(note.question, note.node_id, note.time) for note in noted]
    else:
        asked = [(_question(file.read(), endpoint, base_url, test_id), None, None)]
    with remarks().status("Reading recordings"):
        index = Index(directories.read if asked else ())
    report = DifferenceReport()
    if not asked and not is_json:
        report.line(f"No call is known that found no recording in {directories.written}.")
    told, missing = [], 0
    for question, node_id, missed_at in asked:
        error = explained(question, directories, node_id, explanation_of(question, index))
        answered_by = _answered_by(question, directories)
        missing += answered_by is None
        if is_json:
            told.append(_as_json(question, error, answered_by, missed_at))
        else:
            _show(report, question, error, answered_by, missed_at)
    if is_json:
        show_json(told)
    sys.exit(1 if missing else 0)


def _question(content: bytes, endpoint: str | None, base_url: str, test_id: str | None) -> Question:
    """Return the question that is put in JSON. Raises click.UsageError."""
    try:
        value: JsonValue = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"--request is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise click.UsageError(f"--request must hold an object, not a {type(value).__name__}")
    if isinstance(value.get("request"), dict):
        known = value.get("test_id")
        test_id = test_id or (known if isinstance(known, str) else None)
        value = value["request"]
    is_request = isinstance(value.get("body"), dict) and isinstance(value.get("endpoint"), str)
    path = endpoint or (value["endpoint"] if is_request else None)
    if path is None:
        raise click.UsageError("--request holds the arguments of a call; name its --endpoint, as /v1/chat/completions")
    if not path.startswith("/"):
        path = f"/v1/{path}"
    try:
        body, text, _ = plain_arguments(value["body"] if is_request else value)
    except UnrecordableValue as error:
        raise click.UsageError(f"--request: {error}") from None
    known = value if is_request else {}
    method, url, declared = known.get("method"), known.get("url"), known.get("normalize")
    request = Request(
        method if isinstance(method, str) else "POST",
        path,
        url if isinstance(url, str) and endpoint is None else recorded_url(base_url, path),
        body,
        text,
    )
    try:
        configuration = configured_table()
        normalize = configuration.normalize if declared is None else declared
        rules = RequestRules(configuration.redact, normalize or (), secret_env=configuration.secret_env)
        asked = rules.asked(without_numbers(request))
        asked = with_literals(asked) if is_request else asked
    except (RecorderError, TypeError) as error:
        raise click.UsageError(f"--request: {error}") from None
    return Question(asked, request_key(asked, test_id), test_id, 1, rules.normalizers)


def _answered_by(question: Question, directories: Directories) -> Path | None:
    """Return the recording that answers by now; one that cannot be read answers nothing."""
    row = Series(question.key, threading.RLock())
    said = configured_table()
    rules = RequestRules(said.redact, question.normalizers.declared, question.version, said.secret_env)
    try:
        store, request = Store(directories), question.request
        found = row.find(store, request, question.test_id, question.position, rules, may_grow=False)
    except CorruptRecording:
        return None
    return None if found is None else Path(found.path)


def _show(
    report: DifferenceReport,
    question: Question,
    error: MissingRecording,
    answered_by: Path | None,
    missed_at: float | None,
) -> None:
    when = "" if missed_at is None else f", missed {_iso(missed_at)}"
    if answered_by is not None:
        report.line(f"{question.request.summary}{when}", "bold")
        report.values([f"  test: {question.test_id or '(outside a test)'}", f"  answered by {answered_by}"])
    else:
        first, *rest = str(error).split("\n")
        report.line(f"{first}{when}", "bold")
        report.values(rest)
    report.line()


def _as_json(
    question: Question, error: MissingRecording, answered_by: Path | None, missed_at: float | None
) -> dict[str, object]:
    explanation, nearest = error.explanation, error.nearest
    return {
        "key": question.key,
        "test_id": question.test_id,
        "endpoint": question.request.endpoint,
        "model": question.request.model,
        "missed_at": None if missed_at is None else _iso(missed_at),
        "answered_by": None if answered_by is None else str(answered_by),
        "nearest": nearest
        and {
            **nearest._asdict(),
            "path": str(nearest.path),
            "differences": [difference._asdict() for difference in nearest.differences],
        },
        "recorded_for": explanation.recorded_for,
        "renamed_from": explanation.renamed_from,
        "dropped": explanation.dropped
        and {**explanation.dropped._asdict(), "made_at": _iso(explanation.dropped.made_at)},
        "remarks": explanation.remarks,
        "command": error.command,
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")
