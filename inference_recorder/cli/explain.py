"""`inference-recorder explain`: why a request, given as JSON or by a recording, has no recording."""

from __future__ import annotations

import json
import shlex
import sys
import threading
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import IO, cast

import click

from ..diagnosis.index import Index
from ..diagnosis.miss import explained
from ..diagnosis.nearest import explanation_of
from ..diagnosis.question import Question
from ..engine.lookup import Lookup
from ..engine.series import Series
from ..errors import CorruptRecording, MissingRecording, RecorderError
from ..explanation import Difference, Dropped, Explanation, Nearest
from ..json_tree import JsonObject, JsonValue, object_in
from ..redaction.requests import RequestRules, with_literals, without_numbers
from ..request.jsonable import plain_arguments
from ..request.keys import request_key
from ..request.normalizers import Normalizers
from ..request.request import Request, recorded_url
from ..storage.catalogue import entry_of
from ..storage.directories import Directories
from ..storage.store import Store
from ..test_files import is_in_its_file
from ..views.parts import text_in
from .amounts import iso_time
from .configured import configured
from .console import OUTSIDE_A_TEST, output, remarks, show_json, show_lines, show_text
from .directories import shown, takes_dir
from .named_recordings import recordings_named
from .suite_directories import directories_of_sessions, root_of_suite

_OPENAI = "https://api.openai.com/v1"
_REQUEST = "--request"


@click.command()
@click.argument("name", metavar="[FILE|KEY|NODEID]", required=False)
@takes_dir
@click.option(_REQUEST, "file", type=click.File("rb"), help="The request, a JSON file; - reads standard input.")
@click.option("--endpoint", help="The endpoint, such as /v1/chat/completions, if the file holds only arguments.")
@click.option("--base-url", default=_OPENAI, show_default=True, help="The base URL, if the file holds no URL.")
@click.option("--test", "test_id", help="The id of the test that makes the request.")
@click.option("--json", "is_json", is_flag=True, help="Print a JSON object, as described above.")
def explain(
    name: str | None,
    directory: Path | None,
    file: IO[bytes] | None,
    endpoint: str | None,
    base_url: str,
    test_id: str | None,
    is_json: bool,
) -> None:
    """Explain why a request has no recording, or which one answers it.

    Shows the nearest recording and how the request differs from it. --request takes a whole recording, the "request"
    object of one, or the keyword arguments of a call; arguments also need --endpoint. FILE, KEY and NODEID stand for
    the requests of recordings, as in `show`: are they still found, and under --test also by another test?

    \b
    --json prints an object, or for several recordings a list of objects:
      key, test_id, endpoint, model    of the request
      answered_by     the recording that answers it, or null
      nearest         null, or path, test_id, reason and differences (path, recorded, asked, only_in, lines; the
                      values are those in the keys)
      recorded_for    the tests for which the same request is recorded
      renamed_from    the id that the test probably had before, or null
      dropped         null, or made_at, mode, failure and message of the last time
                      that the request failed while recording and was not recorded
      remarks         what limits the explanation, and what else may be the cause

    \b
    Exit codes:
      0  a recording answers the request, or each of them
      1  no recording answers it
      2  the options are wrong, or the request cannot be read
    """
    questions = [
        _question_in(source, content, position, endpoint, base_url, test_id)
        for source, content, position in _contents(name, file, directory)
    ]
    directories = directories_of_sessions(directory, {question.test_id or "" for question, _ in questions} - {""})
    with remarks().status("Reading recordings"):
        index = Index(directories.read)
    rootdir = root_of_suite()
    documents = []
    for question, rules in questions:
        explanation = explanation_of(question, index, has_test=lambda test_id, _: is_in_its_file(test_id, rootdir))
        error = explained(question, directories, explanation)
        answered_by = _answered_by(question, rules, directories)
        documents.append(_as_json(question, error, answered_by))
        if not is_json:
            _show(question, error, answered_by)
    if is_json:
        show_json(documents[0] if len(documents) == 1 else documents)
    sys.exit(0 if all(document["answered_by"] for document in documents) else 1)


def _contents(name: str | None, file: IO[bytes] | None, directory: Path | None) -> list[tuple[str, bytes, int]]:
    """Return (source, JSON, position in the series of its key) of what to explain; raises click.UsageError."""
    if (name is None) is (file is None):
        raise click.UsageError("Missing option '--request', or else FILE, KEY or NODEID: one of them, not both")
    if name is None:
        return [] if file is None else [(_REQUEST, file.read(), 1)]
    ((paths, _),) = recordings_named((name,), () if directory is None else (directory,), "explain")
    try:
        return [(shown(entry.path), entry.content, entry.position) for entry in map(entry_of, paths)]
    except CorruptRecording as error:
        raise click.UsageError(str(error)) from None


def _question_in(
    source: str, content: bytes, position: int, endpoint: str | None, base_url: str, test_id: str | None
) -> tuple[Question, RequestRules]:
    """Return the question that a JSON text holds, and the rules of its key; raises click.UsageError with its source."""
    try:
        document: JsonValue = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{source} is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise click.UsageError(f"{source} must hold an object, not a {type(document).__name__}")
    if isinstance(recorded := document.get("request"), dict):
        test_id = test_id or text_in(document, "test_id") or None
        document = recorded
    is_recorded = isinstance(document.get("body"), dict) and isinstance(document.get("endpoint"), str)
    table = configured().table
    try:
        request = _request(source, document if is_recorded else {"body": document}, endpoint, base_url)
        declared = document.get("normalize") if is_recorded else None
        normalize = cast("Sequence[object]", declared or ())  # RequestRules checks it
        if declared is None:
            normalize = table.normalize or ()
        rules = RequestRules(table.redact, normalize, secret_env=table.secret_env)
        keyed = rules.asked(without_numbers(request))
        keyed = with_literals(keyed) if is_recorded else keyed
    except (RecorderError, TypeError) as error:
        raise click.UsageError(f"{source}: {error}") from None
    is_configured = declared is None or [*normalize] == Normalizers(table.normalize or ()).declared
    question = Question(
        keyed,
        request_key(keyed, test_id),
        test_id,
        position,
        normalizers=rules.normalizers,
        is_configured=is_configured,
    )
    return question, rules


def _request(source: str, recorded: JsonObject, endpoint: str | None, base_url: str) -> Request:
    """Return the request of a recording, or of arguments alone; raises click.UsageError or UnrecordableValue."""
    path = endpoint or text_in(recorded, "endpoint")
    if not path:
        option = "its" if source == _REQUEST else f"--request {shlex.quote(source)} and"
        raise click.UsageError(
            f"{source} is not a recorded request; if it holds the arguments of a call, add {option} --endpoint, "
            "such as /v1/chat/completions"
        )
    if not path.startswith("/"):
        path = f"/v1/{path}"
    url = "" if endpoint else text_in(recorded, "url")
    body, text, _ = plain_arguments(object_in(recorded, "body"))
    return Request(text_in(recorded, "method") or "POST", path, url or recorded_url(base_url, path), body, text)


def _answered_by(question: Question, rules: RequestRules, directories: Directories) -> Path | None:
    """Return the recording that answers now; one that cannot be read answers nothing."""
    lookup, series = Lookup(Store(directories), rules), Series(question.key, threading.Condition())
    try:
        recording = lookup.find(series, question.request, question.test_id, question.position, may_grow=False)
    except CorruptRecording:
        return None
    return None if recording is None else Path(recording.path)


def _show(question: Question, error: MissingRecording, answered_by: Path | None) -> None:
    summary, *details = str(error).split("\n")
    if answered_by is not None:
        summary = question.request.summary
        details = [f"  test: {question.test_id or OUTSIDE_A_TEST}", f"  answered by {answered_by}"]
    show_text(output(), summary, style="bold")
    show_lines([*details, ""])


def _as_json(question: Question, error: MissingRecording, answered_by: Path | None) -> dict[str, object]:
    explanation, nearest, dropped = error.explanation, error.nearest, error.explanation.dropped
    return {
        "key": question.key,
        "test_id": question.test_id,
        "endpoint": question.request.endpoint,
        "model": question.request.model,
        "answered_by": None if answered_by is None else str(answered_by),
        "nearest": nearest
        and {
            **_members(nearest),
            "path": str(nearest.path),
            "differences": [_members(difference) for difference in nearest.differences],
        },
        "recorded_for": explanation.recorded_for,
        "renamed_from": explanation.renamed_from,
        "dropped": dropped and {**_members(dropped), "made_at": iso_time(dropped.made_at)},
        "remarks": [*_advised(explanation), *explanation.remarks],
    }


def _advised(explanation: Explanation) -> list[str]:
    advice = explanation.advice
    return [] if advice is None else [line for line in (*advice.lines, advice.shell_command) if line]


def _members(value: Nearest | Difference | Dropped) -> dict[str, object]:
    # `asdict` would copy the JSON in it too, and not get to the bottom of a deep one.
    return {field.name: getattr(value, field.name) for field in fields(value)}
