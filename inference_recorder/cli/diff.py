"""`inference-recorder diff`: where recordings differ, in their requests and in their answers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

import click

from ..diagnosis.differences import differences
from ..diagnosis.nearest import differences_from, question_in
from ..diagnosis.text_diff import small_diff
from ..errors import CorruptRecording
from ..explanation import Difference, difference_lines
from ..json_tree import JsonObject
from ..storage.catalogue import Entry, entry_of
from ..storage.rollback import FAILED_DIRECTORY
from ..text import visible
from .answers import readable_answer
from .console import output, show_json, show_lines, show_text
from .directories import takes_dirs
from .named_recordings import recordings_named

_MOST_LINES = 500
_LONGEST_VALUE = 2_000


class _UnreadableRecording(click.ClickException):
    exit_code = 2  # 1 means that they differ


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Two recordings and where they differ; one of them is None if a test has no such call."""

    a: Entry | None
    b: Entry | None
    request: list[Difference]
    response: list[Difference]

    @property
    def is_same(self) -> bool:
        return self.a is not None and self.b is not None and not self.request and not self.response

    def as_json(self) -> dict[str, object]:
        return {
            "a": self.a and str(self.a.path),
            "b": self.b and str(self.b.path),
            "is_same": self.is_same,
            "request": list(map(_as_json, self.request)),
            "response": list(map(_as_json, self.response)),
        }


@click.command()
@click.argument("a")
@click.argument("b", required=False)
@takes_dirs
@click.option("--json", "is_json", is_flag=True, help="Print a JSON object, as described above.")
def diff(a: str, b: str | None, dirs: tuple[Path, ...], is_json: bool) -> None:
    """Show where two recordings, or the calls of two tests, differ.

    A and B are files, keys, the first digits of keys, or node ids of tests. A key stands for its first answer, KEY.2
    for the second one. The calls of two tests are compared one after the other, in the order of `show`. Requests are
    compared as in their keys, and answers as people read them, with the chunks of a stream joined.

    Without B, the recordings of A are compared with those that a failed run set aside (in .failed).

    \b
    --json gives {"a", "b"} (paths, or null for a call that only the other test has), "is_same", and "request" and
    "response", lists of one object a difference; if there are several calls to compare, a list of such objects:
      path       a JSON path, or url, method, endpoint, normalize, test_id, key_version
      a, b       the two values, or null
      only_in    "a" or "b" if only one has the path, or null

    \b
    Exit codes:
      0  they are the same
      1  they differ
      2  a recording does not exist or cannot be read, there is nothing to compare, or the options are wrong
    """
    comparisons = [_compared(*pair) for pair in _pairs(a, b, dirs)]
    if is_json:
        documents = [comparison.as_json() for comparison in comparisons]
        show_json(documents[0] if len(documents) == 1 else documents)
    else:
        for index, comparison in enumerate(comparisons):
            show_lines([""] if index else [])
            _show(comparison)
    sys.exit(0 if all(comparison.is_same for comparison in comparisons) else 1)


def _pairs(a: str, b: str | None, dirs: Sequence[Path]) -> Iterator[tuple[Path | None, Path | None, bool]]:
    """Yield the recordings to compare, and whether both are known to be of different tests."""
    # "show" is the command that finds a test elsewhere: it needs no second name.
    if b is None:
        ((paths, _),) = recordings_named((a,), dirs, "show")
        set_aside = [(path, path.parent / FAILED_DIRECTORY / path.name, False) for path in paths]
        pairs = [pair for pair in set_aside if pair[1].is_file()]
        if not pairs:
            raise click.UsageError(f"no failed run has set an answer of {a} aside; name what to compare it with as B")
        yield from pairs
        return
    first, second = recordings_named((a, b), dirs, "show")
    if first.is_test or second.is_test:
        yield from ((*pair, True) for pair in zip_longest(first.paths, second.paths))
    else:
        yield first.paths[0], second.paths[0], False


def _compared(a: Path | None, b: Path | None, are_tests: bool) -> _Comparison:
    first, second = (None if path is None else _entry(path) for path in (a, b))
    if first is None or second is None:
        return _Comparison(first, second, [], [])
    if first.is_sdk_call and second.is_sdk_call:
        in_request = [*differences_from(first, question_in(second)), *_key_version_difference(first, second)]
    else:  # llama-stack's recorder also records other calls, whose requests have other members
        in_request = list(differences(first.request, second.request))
    if are_tests:
        in_request = [difference for difference in in_request if difference.path != "test_id"]
    return _Comparison(first, second, in_request, list(differences(_answer(first), _answer(second))))


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


def _show(comparison: _Comparison) -> None:
    first, second = comparison.a, comparison.b
    show_lines([f"- {first.path if first else 'no such call'}", f"+ {second.path if second else 'no such call'}"])
    if first is None or second is None:
        return
    for title, differing in (("request", comparison.request), ("response", comparison.response)):
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
