"""Why a request has no recording, as plain values: the nearest recording and the differences from it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal, NamedTuple

from .fixture_ids import parsed_fixture_id
from .test_files import file_of_test
from .text import visible

RECORD_COMMAND = ("pytest", "--inference-mode=record-if-missing")
MOST_DIFFERENCES_SHOWN = 5
_LONGEST_VALUE = 160

Reason = Literal["other request", "other test", "other url", "other normalizers", "used up", "gap", "other name"]
"""Why the nearest recording does not answer; see `Nearest.reason`."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between a request and a recording."""

    path: str
    """A JSON path in the body ("$.messages[1].content"), or "url", "method", "endpoint", "normalize" or "test_id".

    List positions are those of the request, or of the recording if only the recording has the value.
    """
    recorded: object
    """The value in the recording, as in its key: with placeholders for secrets and what a normalizer replaces."""
    asked: object
    """The value in the request, in the same form."""
    only_in: Literal["recording", "request"] | None = None
    """The only side that has the path; the value of the other side is then None."""
    lines: tuple[str, ...] = ()
    """For two long texts, a small unified diff; each line begins with "- ", "+ " or "  "."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """The recording that is nearest to a request."""

    path: Path
    """The recording's file."""
    reason: Reason
    """Why it does not answer.

    "other request": its body differs; "other test", "other url", "other normalizers": its body is the same, and this is
    not; "used up": the same request was made more often than it was recorded; "gap": a later answer to the same
    request is there and the one before it is not; "other name": the same request, in a file not named after its key.
    """
    test_id: str | None
    """The test in which it was recorded; None outside a test."""
    differences: tuple[Difference, ...]
    """The first 100 differences; those that explain the miss come first."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A failed call that was not recorded."""

    made_at: float
    """In seconds since 1970."""
    mode: str
    failure: str
    """Such as "429 RateLimitError"."""
    message: str
    """Its first 300 characters, without secrets."""


class Advice(NamedTuple):
    """What a miss comes of and how to end it, in words that are the same for all misses of that cause."""

    lines: tuple[str, ...]
    command: tuple[str, ...] = ()
    """The arguments of a shell command; () where only a setting is to be changed."""
    target: str = ""
    """The last argument of the command, if it is this test or its file."""

    @property
    def shell_command(self) -> str:
        """The command as it is pasted into a shell, "" for none."""
        return shlex.join([*self.command, *([self.target] if self.target else [])])


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the recordings of some directories do not answer a request."""

    nearest: Nearest | None = None
    """The recording that is nearest to the request."""
    recorded_for: tuple[str | None, ...] = ()
    """Other tests with a recording of the same request, the most similar id first; None stands for no test."""
    renamed_from: str | None = None
    """The test id that this test probably had before."""
    renamed_in: Path | None = None
    """The directory in which its recording was found."""
    advice: Advice | None = None
    """What answers the request without a call, as far as that is certain: its `lines` and its `shell_command`."""
    is_file_renamed: bool = False
    """Whether the file of `renamed_from` had several recorded tests and none of them exists any more."""
    is_shared: bool = False
    """Whether the request is made under no test's id because of scope="shared"."""
    remarks: tuple[str, ...] = ()
    """What limits the explanation, such as unreadable files, and other likely causes."""
    dropped: Dropped | None = None
    """The last time that the request was made while recording, if it failed then and was not recorded.

    It has `made_at` (seconds since 1970), `mode`, `failure` (such as "429 RateLimitError") and `message`.
    """


Refusal = Literal["replay", "network", "unmarked"]
"""Why a connection is refused: its session replays; the network is blocked; the SDK is called without a session."""
REFUSED: Mapping[Refusal, str] = {
    "replay": """\
  nothing reaches a model in replay, and only calls made through certain packages are answered from recordings:
  {sdks}
  make the call through one of them, mock it, or let it out, in the marker, inference_recording() or
  [tool.inference_recorder]: allow_hosts=["{host}"]""",
    "network": """\
  block_network (or --inference-block-network) refuses every connection to another machine
  let this one out, in the marker, inference_recording() or [tool.inference_recorder]: allow_hosts=["{host}"]""",
    "unmarked": """\
  a package whose calls are recorded was called without a session, which unmarked = "error" refuses
  to record and replay the calls of a test, mark it:
    @pytest.mark.inference_recording
  or let this host be called, in [tool.inference_recorder]: allow_hosts = ["{host}"]""",
}


def lines_of(
    explanation: Explanation, test_id: str | None, directory: Path, *, has_scope: bool = True
) -> Iterator[str]:
    """Yield the explanation as unindented lines; `directory` is the first one searched.

    `has_scope`: whether the session can share its recordings.
    """
    nearest = explanation.nearest
    if nearest is not None:
        yield f"nearest: {nearest.path}"
        yield f"  {_reason_text(nearest, test_id, is_shared=explanation.is_shared)}"
        # Its test has been named.
        differences = [one for one in nearest.differences if one.path != "test_id"]
        if differences:
            yield "  - the recording, + this request:"
        for difference in differences[:MOST_DIFFERENCES_SHOWN]:
            yield from (f"  {line}" for line in difference_lines(difference))
        if len(differences) > MOST_DIFFERENCES_SHOWN:
            yield f"  and {len(differences) - MOST_DIFFERENCES_SHOWN} more"
    if explanation.advice is not None:
        yield from explanation.advice.lines
        yield from (f"  {line}" for line in [explanation.advice.shell_command] if line)
    elif explanation.renamed_from is not None and test_id is not None:
        files = _renamed_file(explanation, test_id)
        kind = "file" if files else "test" if parsed_fixture_id(test_id) is None else "fixture"
        old_and_new = files or (explanation.renamed_from, test_id)
        yield f"recorded for {old_and_new[0]}: was this {kind} renamed? Then give it its recordings:"
        found_in = str(explanation.renamed_in or directory)
        yield f"  {shlex.join(('inference-recorder', 'rename-test', *old_and_new, found_in))}"
    elif explanation.dropped is not None:
        yield from _dropped_lines(explanation.dropped)
    elif explanation.recorded_for and (nearest is None or nearest.reason in ("other request", "other test")):
        yield from _lines_of_tests(explanation, has_scope=has_scope)
    yield from explanation.remarks


def _lines_of_tests(explanation: Explanation, *, has_scope: bool) -> Iterator[str]:
    yield "the same request is recorded for"
    first, *others = explanation.recorded_for
    yield f"  {first or 'no test: it is shared, or was recorded outside of one'}"
    if others:
        yield f"  and {len(others)} more"
    if not has_scope:
        return
    if explanation.is_shared:
        yield '  but scope="shared" has recordings of its own: record it once more, as below'
    elif None in explanation.recorded_for:
        yield '  scope="shared", in the marker or in code, answers this test from that one'
    else:
        yield '  to share one recording, set scope="shared" in the markers of all of them, or in code, and record it'


def _dropped_lines(dropped: Dropped) -> Iterator[str]:
    made_at = datetime.fromtimestamp(dropped.made_at, timezone.utc)
    yield (
        f"this request was made on {made_at:%Y-%m-%d at %H:%M} UTC in mode {dropped.mode}; it failed, "
        "and was not recorded:"
    )
    yield f"  {dropped.failure}: {dropped.message}"
    yield "  record it again, as below; or keep the failure, with record_errors=True beside that"


def cause_of(
    explanation: Explanation, test_id: str | None, node_id: str | None, directory: Path | None
) -> Advice | None:
    """Return what a miss may have in common with others.

    `node_id` is the test's, as pytest takes it where it was started; `directory` is the first one searched.
    """
    nearest = explanation.nearest
    if explanation.advice is not None:
        return explanation.advice
    if explanation.renamed_from is not None and test_id is not None:
        files = _renamed_file(explanation, test_id)
        if files is None:
            return None
        command = ("inference-recorder", "rename-test", *files, str(explanation.renamed_in))
        return Advice((f"recorded for {files[0]}: was the file renamed?",), command)
    lines: tuple[str, ...] = tuple(f"looked in {directory}: {remark}" for remark in explanation.remarks[:1])
    if explanation.dropped is not None:
        lines = (f"the calls failed with {explanation.dropped.failure} while recording, and were not recorded",)
    elif nearest is not None and (nearest.test_id != test_id or nearest.reason != "other request"):
        return None
    elif nearest is not None:
        shown_lines = [line for one in nearest.differences[:MOST_DIFFERENCES_SHOWN] for line in difference_lines(one)]
        lines = ("- the recording, + the request:", *(line for line in shown_lines if not line.startswith("    ")))
    return Advice(lines, RECORD_COMMAND, node_id) if node_id and lines else None


def _renamed_file(explanation: Explanation, test_id: str) -> tuple[str, str] | None:
    """Return the old and the new file if a test or fixture had the same name in a file that is gone."""
    old = explanation.renamed_from or ""
    old_file, file = file_of_test(old), file_of_test(test_id)
    if not explanation.is_file_renamed or old_file is None or file is None:
        return None
    return (old_file, file) if file + old.removeprefix(old_file) == test_id else None


def difference_lines(
    difference: Difference, only_in: Sequence[str] = ("the recording", "this request"), longest: int = _LONGEST_VALUE
) -> list[str]:
    """Return one difference for people: a line with its path, then those of both values, "- " and "+ " before them.

    `only_in` names the two sides; a value is cut to `longest` characters.
    """
    head = difference.path
    if difference.only_in is not None:
        head += f" (only in {only_in[difference.only_in == 'request']})"
    if difference.lines:
        values = list(difference.lines)
    else:
        values = [f"- {shown(difference.recorded, longest)}"] if difference.only_in != "request" else []
        values += [f"+ {shown(difference.asked, longest)}"] if difference.only_in != "recording" else []
    return [head, *(f"  {visible(line)}" for line in values)]


def shown(value: object, longest: int) -> str:
    """Return a JSON value on one line, cut to `longest` characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= longest else f"{text[: longest - 1]}… ({len(text):,} characters)"


def _reason_text(nearest: Nearest, test_id: str | None, *, is_shared: bool) -> str:
    if nearest.test_id is None:
        of_test = "shared" if is_shared else "recorded outside a test"
    else:
        of_test = "of this test" if nearest.test_id == test_id else f"of {nearest.test_id}"
    return {
        "other request": f"another request, {of_test}",
        "other test": f"the same request, {of_test}",
        "other url": f"the same request at another path, {of_test}",
        "other normalizers": f"the same request under other normalizers, {of_test}",
        "used up": "the same request, of which all recordings are used up: this call is one more than were recorded",
        "gap": "the same request, recorded as a later answer; the file of the first one is missing",
        "other name": f"the same request, {of_test}, but no look-up finds a file of this name",
    }[nearest.reason]
