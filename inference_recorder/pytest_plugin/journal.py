"""What a run has seen, in plain values: what one process tells, and what the controller makes of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from pathlib import Path

    from ..children.usage import Use
    from ..recording.usage import Usage
    from ..session import Session

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
    """What a recorded or dropped call failed with, such as "429 RateLimitError"; "" for one that did not fail."""


class Miss(CallEntry):
    """A call that no recording answers, or one that failed and was not recorded."""

    explanation: str
    """The text of the error it raised; how it failed."""


@dataclass(slots=True)
class Journal:
    """What one process saw, or several. Holds only what execnet can send."""

    has_sessions: bool = False
    calls: list[CallEntry] = field(default_factory=list)
    misses: list[Miss] = field(default_factory=list)
    directories: list[str] = field(default_factory=list)
    """Where recordings were looked for."""
    written: list[str] = field(default_factory=list)
    """Those of them that sessions write to."""
    used: list[Use] = field(default_factory=list)
    """What other processes than pytest's used, and attempts that a later one of the same test has replaced."""
    passed_with: dict[str, list[str]] = field(default_factory=dict)
    """Directories, joined by NUL -> the tests that ran and passed with sessions there, and whose uses are all known."""
    not_proven: dict[str, str] = field(default_factory=dict)
    """Each other test that ran -> why it is not one of those, as a clause about several."""
    collected: list[str] = field(default_factory=list)
    """The tests that exist, deselected or not."""
    live: list[str] = field(default_factory=list)
    """The tests in which a session was live: nothing is touched then, and no call is counted but inside another."""
    set_back: list[str] = field(default_factory=list)
    stayed: list[str] = field(default_factory=list)
    """The tests that failed whose new recordings stay, since the old ones cannot be reached any more."""
    kept: list[str] = field(default_factory=list)
    """The wider fixtures whose recordings were kept in mode record, since not all of their tests ran."""
    troubles: list[str] = field(default_factory=list)
    """What could not be done, as sentences."""
    crashed: list[str] = field(default_factory=list)
    """The workers that died, whose journals are lost."""
    silent: list[str] = field(default_factory=list)
    """The workers that had not told what they saw when the run ended early."""

    def to_plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = _sendable(asdict(self))
        return plain

    @property
    def passed(self) -> set[str]:
        """The tests of which it is known which recordings they need."""
        return {test_id for tests in self.passed_with.values() for test_id in tests}

    def add_live(self, test_id: str, directories: Iterable[str]) -> None:
        self.passed_with.setdefault("\0".join(sorted(directories)), []).append(test_id)

    def add(self, plain: Mapping[str, Any]) -> None:
        """Add what another process saw."""
        self.has_sessions = self.has_sessions or plain["has_sessions"]
        for joined, tests in plain["passed_with"].items():
            self.passed_with.setdefault(joined, []).extend(tests)
        self.not_proven |= plain["not_proven"]
        for name, values in plain.items():
            if isinstance(values, list):
                getattr(self, name).extend(values)

    def doubt_tests_without_answers(self) -> None:
        """Have tests prove nothing that went on without an answer: with it, they might have asked for more.

        A call under another id than a test's is one of a wider fixture, or shared: then all tests may have.
        """
        known = {*self.passed, *self.not_proven}
        if not {call["test_id"] for call in self.calls if call["outcome"] == "dropped"} <= known:
            self.not_proven |= dict.fromkeys(self.passed, "a call that tests share failed and was not recorded")
        missed_in = {miss["test_id"] for miss in self.misses}
        if not missed_in <= known:
            self.not_proven |= dict.fromkeys(self.passed, "a call that tests share had no recording")
        for test_id in self.passed & missed_in:
            self.not_proven.setdefault(test_id, "their tests made calls that had no recording")

    def count(self, outcome: str) -> int:
        return sum(call["outcome"] == outcome for call in self.calls)


def _sendable(value: Any) -> Any:
    """Return a value with each text as UTF-8 has it: a lone surrogate would end the worker that sends it."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_sendable(name): _sendable(item) for name, item in value.items()}
    return [_sendable(item) for item in value] if isinstance(value, list) else value


def calls_of(
    session: Session, test_id: str | None, moved: Mapping[Path, Path], *, with_tokens: bool
) -> list[CallEntry]:
    """Return the calls of a session, which was opened in this test, in the order they were made.

    `moved` says where recordings lie now that lay elsewhere. A missed or dropped one is a Miss.
    """
    calls = [(outcome, call) for outcome in OUTCOMES for call in getattr(session, outcome)]
    return [
        _call(outcome, call, test_id, {str(old): str(new) for old, new in moved.items()}, with_tokens=with_tokens)
        for outcome, call in sorted(calls, key=lambda call: call[1].number)
    ]


def misses_in(calls: Iterable[CallEntry]) -> list[Miss]:
    return [call for call in calls if call["outcome"] == "missed"]  # type: ignore[misc]  # see calls_of


def uses_in(calls: Iterable[CallEntry]) -> list[Use]:
    """Return which recordings these calls used."""
    return [
        {"outcome": call["outcome"], "test_id": call["test_id"], "key": call["key"], "path": call["path"]}
        for call in calls
        if call["path"] is not None
    ]


def _call(outcome: str, call: Any, test_id: str | None, moved: Mapping[str, str], *, with_tokens: bool) -> CallEntry:
    path = moved.get(call.path or "", call.path)
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
    from pathlib import Path

    from ..errors import CorruptRecording
    from ..recording.usage import usage_of
    from ..storage.catalogue import entry_of

    try:
        return usage_of(entry_of(Path(path)).recording())
    except CorruptRecording:  # gone since, with the test's own folder
        return None
