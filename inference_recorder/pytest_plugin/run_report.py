"""What a test run saw, as plain data: each process makes a report, the controller of pytest-xdist merges them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar, cast

if TYPE_CHECKING:
    from ..children.usage import Use
    from ..engine.call_log import Call
    from ..recording.usage import Usage
    from ..session import Session

_T = TypeVar("_T")

OUTCOMES = ("replayed", "recorded", "missed", "dropped", "live")


class CallEntry(TypedDict):
    """One call. Times in seconds, `started` since 1970, `chunk_seconds` since `started`."""

    outcome: str
    """One of OUTCOMES."""
    test_id: str | None
    endpoint: str
    model: str
    key: str
    path: str | None
    started: float
    seconds: float
    chunk_seconds: list[float]
    tokens_in: int | None
    tokens_out: int | None
    failure: str
    """How a recorded or dropped call failed, such as "429 RateLimitError"; "" for one that succeeded."""


class Miss(CallEntry):
    """A call without a recording, or one that failed and was not recorded."""

    explanation: str
    """The text of the error that it raised."""


@dataclass(slots=True)
class RunReport:
    """What one process saw, or several together."""

    has_sessions: bool = False
    calls: list[CallEntry] = field(default_factory=list)
    misses: list[Miss] = field(default_factory=list)
    directories: list[str] = field(default_factory=list)
    """The directories that sessions read."""
    written: list[str] = field(default_factory=list)
    """The directories that sessions write to."""
    used: list[Use] = field(default_factory=list)
    """The recordings used by processes that tests started, and by earlier attempts of tests that ran again."""
    proven_in: dict[str, list[str]] = field(default_factory=dict)
    """Directories, joined by NUL -> the tests that ran and passed with sessions there, and whose uses are all known."""
    unproven: dict[str, str] = field(default_factory=dict)
    """Each other test that ran -> why its uses are not all known, as a clause about several tests."""
    collected: list[str] = field(default_factory=list)
    """The tests that exist, deselected or not."""
    live: list[str] = field(default_factory=list)
    """The tests with a live session, whose calls are not counted."""
    failed_recordings: list[str] = field(default_factory=list)
    """Where the new recordings of failed tests were moved."""
    failed_but_kept: list[str] = field(default_factory=list)
    """The failed tests whose new recordings stay, since the old ones cannot be reached any more."""
    not_recorded_again: list[str] = field(default_factory=list)
    """The wider fixtures whose recordings were kept in mode record, since not all of their tests ran."""
    troubles: list[str] = field(default_factory=list)
    """What could not be done, as sentences."""
    crashed_workers: list[str] = field(default_factory=list)
    silent_workers: list[str] = field(default_factory=list)
    """The workers that had not reported when the run ended early."""

    def to_plain(self) -> dict[str, object]:
        """Return the report as values that execnet can send."""
        return _sendable(asdict(self))

    @classmethod
    def from_plain(cls, plain: Mapping[str, object]) -> RunReport:
        """Return the report that `to_plain` was made of."""
        return cls(**plain)  # type: ignore[arg-type]  # as asdict() gave them

    @property
    def proven(self) -> set[str]:
        """The tests of which it is known which recordings they need."""
        return {test_id for tests in self.proven_in.values() for test_id in tests}

    def add_proven(self, test_id: str, directories: Iterable[str]) -> None:
        """Add a test that ran and passed with sessions in these directories, and whose uses are all known."""
        self.proven_in.setdefault("\0".join(sorted(directories)), []).append(test_id)

    def merge(self, report: RunReport) -> None:
        """Add the report of another process."""
        self.has_sessions = self.has_sessions or report.has_sessions
        self.unproven |= report.unproven
        for joined, tests in report.proven_in.items():
            self.proven_in.setdefault(joined, []).extend(tests)
        for each in fields(self):
            if isinstance(values := getattr(report, each.name), list):
                getattr(self, each.name).extend(values)

    def doubt_tests_without_answers(self) -> None:
        """Mark tests as unproven that went on without an answer: with one, they might have made further calls.

        A call under an id that is not a test's is made by a wider fixture or is shared: that puts all tests in doubt.
        """
        tests = {*self.proven, *self.unproven}
        if not {call["test_id"] for call in self.calls if call["outcome"] == "dropped"} <= tests:
            self.unproven |= dict.fromkeys(self.proven, "a call that tests share failed and was not recorded")
        missed_in = {miss["test_id"] for miss in self.misses}
        if not missed_in <= tests:
            self.unproven |= dict.fromkeys(self.proven, "a call that tests share had no recording")
        for test_id in self.proven & missed_in:
            self.unproven.setdefault(test_id, "their tests made calls that had no recording")

    def count(self, outcome: str) -> int:
        """Return the number of calls with this outcome."""
        return sum(call["outcome"] == outcome for call in self.calls)


def _sendable(value: _T) -> _T:
    """Return a value whose texts can be encoded as UTF-8: a lone surrogate would end the worker that sends it."""
    sendable: object = value
    if isinstance(value, str):
        sendable = value if value.isascii() else value.encode(errors="backslashreplace").decode()
    elif isinstance(value, dict):
        sendable = {_sendable(name): _sendable(item) for name, item in value.items()}
    elif isinstance(value, list):
        sendable = [_sendable(item) for item in value]
    return cast(_T, sendable)


def calls_of(
    session: Session, test_id: str | None, moved: Mapping[Path, Path], *, with_tokens: bool
) -> list[CallEntry]:
    """Return the calls of a session that was opened in this test, in the order they were made.

    `moved` maps the paths of recordings that were moved to their new ones. Missed and dropped calls are `Miss`es.
    """
    calls = [(outcome, call) for outcome in OUTCOMES for call in getattr(session, outcome)]
    new_paths = {str(old): str(new) for old, new in moved.items()}
    return [
        _entry(outcome, call, test_id, new_paths, with_tokens=with_tokens)
        for outcome, call in sorted(calls, key=lambda outcome_and_call: outcome_and_call[1].number)
    ]


def misses_in(calls: Iterable[CallEntry]) -> list[Miss]:
    return [cast(Miss, call) for call in calls if call["outcome"] == "missed"]


def uses_in(calls: Iterable[CallEntry]) -> list[Use]:
    """Return which recordings these calls used."""
    return [
        {"outcome": call["outcome"], "test_id": call["test_id"], "key": call["key"], "path": call["path"]}
        for call in calls
        if call["path"] is not None
    ]


def _entry(
    outcome: str, call: Call, test_id: str | None, new_paths: Mapping[str, str], *, with_tokens: bool
) -> CallEntry:
    path = new_paths.get(call.path or "", call.path)
    usage = _usage(path) if with_tokens and path is not None else None
    entry = CallEntry(
        outcome=outcome,
        test_id=test_id if outcome == "live" else call.test_id,
        endpoint=call.endpoint,
        model=call.model,
        key=call.key,
        path=path,
        started=call.started,
        seconds=call.seconds,
        chunk_seconds=list(call.chunk_seconds),
        tokens_in=None if usage is None else usage.tokens_in,
        tokens_out=None if usage is None else usage.tokens_out,
        failure=call.failure,
    )
    return Miss(**entry, explanation=call.explanation) if outcome in ("missed", "dropped") else entry


def _usage(path: str) -> Usage | None:
    from ..errors import CorruptRecording
    from ..recording.usage import usage_of
    from ..storage.catalogue import entry_of

    try:
        return usage_of(entry_of(Path(path)).recording())
    except CorruptRecording:  # removed since, with the test's own directory
        return None
