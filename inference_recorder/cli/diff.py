"""`inference-recorder diff`: where two recordings differ, in what was asked and in what came of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from ..diagnosis.differences import differences
from ..diagnosis.nearest import differences_from, question_in
from ..errors import CorruptRecording
from ..explanation import Difference
from ..request.jsonable import JsonObject
from ..storage.catalogue import Entry, entry_of
from ..text import visible
from .answers import as_read
from .console import show_json
from .difference_report import DifferenceReport
from .named_recordings import series_named, takes_dir


class _UnreadableRecording(click.ClickException):
    exit_code = 2  # 1 says that they differ


@click.command()
@click.argument("a")
@click.argument("b")
@takes_dir
@click.option("--json", "is_json", is_flag=True, help="One JSON object, as described above.")
def diff(a: str, b: str, directory: Path | None, is_json: bool) -> None:
    """Say where two recordings differ.

    A and B are files, keys, or first digits of keys. A key stands for its first answer, KEY.2 for the second one.
    Requests are compared as a key sees them, answers as they are read: the chunks of a stream joined to its text.

    \b
    --json gives {"a", "b"} (paths), "is_same", and "request" and "response", which hold one object a difference:
      path       a JSON path, or url, method, endpoint, normalize, test_id, key_version
      a, b       the two values; null where there is none
      only_in    "a" or "b" where only one has the path, else null

    \b
    Exit codes:
      0  they are the same
      1  they differ
      2  there is no such recording, or it cannot be read
    """
    one, other = (_entry(row[0]) for row in series_named((a, b), directory))
    if one.is_of_the_sdk and other.is_of_the_sdk:
        in_request = [*differences_from(one, question_in(other)), *_of_versions(one, other)]
    else:  # the ancestor's folders hold other calls too, whose requests have other members
        in_request = list(differences(one.request, other.request))
    in_response = list(differences(_answer(one), _answer(other)))
    is_same = not in_request and not in_response
    if is_json:
        found = {"request": list(map(_as_json, in_request)), "response": list(map(_as_json, in_response))}
        show_json({"a": str(one.path), "b": str(other.path), "is_same": is_same} | found)
    else:
        _show(one, other, in_request, in_response)
    sys.exit(0 if is_same else 1)


def _entry(path: Path) -> Entry:
    try:
        return entry_of(path)
    except CorruptRecording as error:
        raise _UnreadableRecording(visible(str(error))) from None


def _answer(entry: Entry) -> JsonObject:
    try:
        return as_read(entry.recording())
    except CorruptRecording as error:
        raise _UnreadableRecording(visible(str(error))) from None
    except (ValueError, RecursionError) as error:
        raise _UnreadableRecording(visible(f"{entry.path} holds a chunk that is no JSON: {error}")) from None


def _show(one: Entry, other: Entry, in_request: list[Difference], in_response: list[Difference]) -> None:
    report = DifferenceReport()
    for sign, style, entry in (("-", "red", one), ("+", "green", other)):
        report.line(f"{sign} {entry.path}", style)
    for title, found in (("request", in_request), ("response", in_response)):
        report.line(title if found else f"{title}: the same", "bold")
        report.differences(found, (one.name[:12], other.name[:12]))


def _of_versions(one: Entry, other: Entry) -> Iterator[Difference]:
    """Yield that only one of them answers requests that llama-stack's recorder treats as equal to its own."""
    if one.is_exact != other.is_exact:
        yield Difference("key_version", one.request.get("key_version"), other.request.get("key_version"))


def _as_json(difference: Difference) -> dict[str, object]:
    only_in = {"recording": "a", "request": "b", None: None}[difference.only_in]
    return {"path": difference.path, "a": difference.recorded, "b": difference.asked, "only_in": only_in}
