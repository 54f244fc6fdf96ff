"""`inference-recorder diff`: where two recordings differ, in their requests and in their answers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from ..diagnosis.differences import differences
from ..diagnosis.nearest import differences_from, question_in
from ..diagnosis.text_diff import small_diff
from ..errors import CorruptRecording
from ..explanation import Difference, difference_lines
from ..json_tree import JsonObject
from ..storage.catalogue import Entry, entry_of
from ..text import visible
from .answers import readable_answer
from .console import output, show_json, show_lines, show_text
from .directories import takes_dir
from .named_recordings import series_named

_MOST_LINES = 500
_LONGEST_VALUE = 2_000


class _UnreadableRecording(click.ClickException):
    exit_code = 2  # 1 means that they differ


@click.command()
@click.argument("a")
@click.argument("b")
@takes_dir
@click.option("--json", "is_json", is_flag=True, help="Print a JSON object, as described above.")
def diff(a: str, b: str, directory: Path | None, is_json: bool) -> None:
    """Show where two recordings differ.

    A and B are files, keys, or the first digits of keys. A key stands for its first answer, KEY.2 for the second one.
    Requests are compared as in their keys, and answers as people read them, with the chunks of a stream joined.

    \b
    --json gives {"a", "b"} (paths), "is_same", and "request" and "response", lists of one object a difference:
      path       a JSON path, or url, method, endpoint, normalize, test_id, key_version
      a, b       the two values, or null
      only_in    "a" or "b" if only one has the path, or null

    \b
    Exit codes:
      0  they are the same
      1  they differ
      2  a recording does not exist or cannot be read
    """
    first, second = (_entry(series[0]) for series in series_named((a, b), directory))
    if first.is_sdk_call and second.is_sdk_call:
        in_request = [*differences_from(first, question_in(second)), *_key_version_difference(first, second)]
    else:  # llama-stack's recorder also records other calls, whose requests have other members
        in_request = list(differences(first.request, second.request))
    in_response = list(differences(_answer(first), _answer(second)))
    is_same = not in_request and not in_response
    if is_json:
        lists = {"request": list(map(_as_json, in_request)), "response": list(map(_as_json, in_response))}
        show_json({"a": str(first.path), "b": str(second.path), "is_same": is_same} | lists)
    else:
        _show(first, second, in_request, in_response)
    sys.exit(0 if is_same else 1)


def _entry(path: Path) -> Entry:
    try:
        return entry_of(path)
    except CorruptRecording as error:
        raise _UnreadableRecording(visible(str(error))) from None


def _answer(entry: Entry) -> JsonObject:
    try:
        return readable_answer(entry.recording())
    except CorruptRecording as error:
        raise _UnreadableRecording(visible(str(error))) from None
    except (ValueError, RecursionError) as error:
        raise _UnreadableRecording(visible(f"{entry.path} has a chunk that is not JSON: {error}")) from None


def _show(first: Entry, second: Entry, in_request: list[Difference], in_response: list[Difference]) -> None:
    show_lines([f"- {first.path}", f"+ {second.path}"])
    for title, differing in (("request", in_request), ("response", in_response)):
        show_text(output(), title if differing else f"{title}: the same", style="bold")
        for difference in differing:
            if difference.lines:  # more of them than an error shows
                lines = small_diff(str(difference.recorded), str(difference.asked), _MOST_LINES)
                difference = replace(difference, lines=lines)
            show_lines(difference_lines(difference, (first.name[:12], second.name[:12]), _LONGEST_VALUE), "  ")


def _key_version_difference(first: Entry, second: Entry) -> Iterator[Difference]:
    """Yield a difference if only one of them answers requests that llama-stack treats as equal to its own."""
    if first.is_exact != second.is_exact:
        yield Difference("key_version", first.request.get("key_version"), second.request.get("key_version"))


def _as_json(difference: Difference) -> dict[str, object]:
    only_in = {"recording": "a", "request": "b", None: None}[difference.only_in]
    return {"path": difference.path, "a": difference.recorded, "b": difference.asked, "only_in": only_in}
