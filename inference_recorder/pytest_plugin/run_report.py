"""What a test run saw, as plain data: each process makes a report, the controller of pytest-xdist merges them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from ..children.usage import Use
    from ..engine.call_log import Call
    from ..json_tree import JsonObject
    from ..recording.usage import Usage
    from ..request.request import Request
    from ..session import Session

OUTCOMES = ("replayed", "recorded", "missed", "dropped", "live")


class CallEntry(TypedDict):
    """One call. Times in seconds, `started` since 1970, `chunk_seconds` since `started`."""

    outcome: str
    """One of OUTCOMES."""
    test_id: str | None
    endpoint: str
    model: str
    host: str
    """The host of a live or missed call that went past the SDK; "" for any other."""
    key: str
    path: str | None
    started: float
    seconds: float
    chunk_seconds: list[float]
    tokens_in: int | None
    tokens_out: int | None
    failure: str
    """How a recorded or dropped call failed, such as "429 RateLimitError"; "" for one that succeeded."""
    cause: tuple[list[str], list[str], str] | None
    """The lines, the command and its target of the `Advice` for a missed call, if others may miss for that reason."""
    explanation: str
    """The text of the error that a missed or dropped call raised; "" for another."""
    request: JsonObject | None
    """For the page: endpoint and body of a missed or dropped call, without secrets; None for another."""


@dataclass(slots=True)
class RunReport:
    """What one process saw, or several together."""

    calls: list[CallEntry] = field(default_factory=list)
    directories: list[str] = field(default_factory=list)
    """The directories that sessions read."""
    written: list[str] = field(default_factory=list)
    """The directories that sessions write to."""
    roots: dict[str, str] = field(default_factory=dict)
    """The directories with recordings of another rootdir -> what the test ids in them are relative to."""
    used: list[Use] = field(default_factory=list)
    """The recordings used by processes that tests started, and by earlier attempts of tests that ran again."""
    proven: dict[str, list[str]] = field(default_factory=dict)
    """Each test that ran and passed and whose uses are all known -> the directories of its sessions."""
    unproven: dict[str, str] = field(default_factory=dict)
    """Each other test that ran -> why its uses are not all known, as a clause about several tests."""
    outcomes: dict[str, str] = field(default_factory=dict)
    """For the page: each test that ran -> "passed", "failed", "skipped" or "xfailed"."""
    collected: list[str] = field(default_factory=list)
    """The tests that exist, deselected or not."""
    live: list[str] = field(default_factory=list)
    """The tests with a live session, whose calls are not counted."""
    failed_recordings: list[str] = field(default_factory=list)
    """Where the new recordings of failed tests were moved."""
    kept_recordings: list[str] = field(default_factory=list)
    """The test of each recording that stays in place although its test failed."""
    failed_but_kept: list[str] = field(default_factory=list)
    """The failed tests whose new recordings stay, since the old ones cannot be reached any more."""
    not_recorded_again: list[str] = field(default_factory=list)
    """The wider fixtures whose recordings were kept in mode record, since not all of their tests ran."""
    outside: list[str] = field(default_factory=list)
    """What made each call of the SDK that went out outside every session, as a clause."""
    refused_outside: list[str] = field(default_factory=list)
    """The same of each call that was refused there."""
    blocked_outside: list[tuple[str | None, str]] = field(default_factory=list)
    """Test and host of each other connection that was refused there; in a report from JSON a list of lists."""
    troubles: list[str] = field(default_factory=list)
    """What could not be done, as sentences."""
    crashed_workers: list[str] = field(default_factory=list)
    silent_workers: list[str] = field(default_factory=list)
    """The workers that had not reported when the run ended early."""

    def to_json(self) -> str:
        """Return the report as a text that execnet can send, also one with lone surrogates in it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> RunReport:
        """Return the report that `to_json` was made of."""
        return cls(**json.loads(text))

    def merge(self, report: RunReport) -> None:
        """Add the report of another process."""
        for each in fields(self):
            values, more = getattr(self, each.name), getattr(report, each.name)
            if isinstance(values, dict):
                values.update(more)
            else:
                values.extend(more)

    def doubt_tests_without_answers(self) -> None:
        """Mark tests as unproven that went on without an answer: with one, they might have made further calls.

        A call under an id that is not a test's is made by a wider fixture or is shared: that puts all tests in doubt.
        """
        tests = {*self.proven, *self.unproven}
        if not {call["test_id"] for call in self.calls_with("dropped")} <= tests:
            self.unproven |= dict.fromkeys(self.proven, "a call that tests share failed and was not recorded")
        missed_in = {call["test_id"] for call in self.calls_with("missed")}
        if not missed_in <= tests:
            self.unproven |= dict.fromkeys(self.proven, "a call that tests share had no recording")
        for test_id in self.proven.keys() & missed_in:
            self.unproven.setdefault(test_id, "their tests made calls that had no recording")

    def calls_with(self, outcome: str) -> list[CallEntry]:
        """Return the calls with this outcome."""
        return [call for call in self.calls if call["outcome"] == outcome]


def calls_of(session: Session, test_id: str | None, moved: Mapping[Path, Path], *, for_page: bool) -> list[CallEntry]:
    """Return the calls of a session that was opened in this test, in the order they were made.

    `moved` maps the paths of recordings that were moved to their new ones. The page shows tokens and requests too.
    """
    in_run = session.engine.ids.in_run
    calls = [(outcome, call) for outcome in OUTCOMES for call in getattr(session, outcome)]
    requests = session.engine.call_log.unanswered(session.engine.rules) if for_page else {}
    return [
        _entry(
            outcome, call, test_id if _is_of_session(outcome, call) else in_run(call.test_id), moved, for_page, requests
        )
        for outcome, call in sorted(calls, key=lambda outcome_and_call: outcome_and_call[1].number)
    ]


def _is_of_session(outcome: str, call: Call) -> bool:
    """Whether a call has no test id of its own: a live call of the SDK, which is not examined."""
    return outcome == "live" and not call.host


def add_late_calls(report: RunReport, refused: Counter[str]) -> None:
    """Add the calls that processes made after the end of the test or fixture that started them, and what to say.

    `refused` are those that the server of a test refused, by its id.
    """
    from ..children import sessions
    from ..engine.call_log import call_of

    late = [(reported["outcome"], call_of(reported)) for reported in sessions.late_calls()]
    started_by = refused + Counter(call.test_id or "outside a test" for _, call in late)
    report.calls += [_entry(outcome, call, call.test_id, {}, False, {}) for outcome, call in late]
    report.troubles += [
        f"{test_id}: a process that it started made {'a call' if count == 1 else f'{count} calls'} after its end; "
        "end the process before"
        for test_id, count in started_by.items()
    ]


def _entry(
    outcome: str,
    call: Call,
    test_id: str | None,
    moved: Mapping[Path, Path],
    for_page: bool,
    requests: Mapping[int, Request],
) -> CallEntry:
    path = None if call.path is None else str(moved.get(Path(call.path), call.path))
    usage = _usage(path) if for_page and path is not None else None
    request = requests.get(call.number)
    return CallEntry(
        outcome=outcome,
        test_id=test_id,
        endpoint=call.endpoint,
        model=call.model,
        host=call.host,
        key=call.key,
        path=path,
        started=call.started,
        seconds=call.seconds,
        chunk_seconds=list(call.chunk_seconds),
        tokens_in=None if usage is None else usage.tokens_in,
        tokens_out=None if usage is None else usage.tokens_out,
        failure=call.failure,
        cause=None if call.cause is None else (list(call.cause.lines), list(call.cause.command), call.cause.target),
        explanation=call.explanation,
        request=None if request is None else {"endpoint": request.endpoint, "body": request.body},
    )


def _usage(path: str) -> Usage | None:
    from ..errors import CorruptRecording
    from ..recording.usage import usage_of
    from ..storage.catalogue import entry_of

    try:
        return usage_of(entry_of(Path(path)).recording())
    except CorruptRecording:  # removed since, with the test's own directory
        return None
