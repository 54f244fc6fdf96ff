"""Why a run that passed exits with status 1 all the same: `--inference-strict`, and `unused = "error"`."""

from __future__ import annotations

from ..config import TABLE
from .run_report import RunReport

STRICT_OPTION = "--inference-strict"


def objection_to(report: RunReport, needless: int, *, is_strict: bool, unused: str) -> str | None:
    """Return the line that says why a run exits with status 1, None if it does not.

    `needless` is the number of recordings that the summary calls unused.
    """
    if not is_strict:
        named = _named([(needless if unused == "error" else 0, "recording", "unused")])
        return f'exit status 1, by unused = "error" in {TABLE}: {named}' if named else None
    live = report.calls_with("live")
    uncounted = set(report.live) - {call["test_id"] for call in live}
    named = _named(
        [
            (len(live), "call", "live"),
            (len(report.outside), "call", "outside a session"),
            (len(report.refused_outside), "call", "refused outside a session"),
            (len(report.blocked_outside), "connection", "refused outside a session"),
            (len(uncounted), "test", "with a live session"),
            (len(report.calls_with("missed")), "call", "missed"),
            (len(report.calls_with("dropped")), "failed call", "not recorded"),
            (needless, "recording", "unused"),
        ]
    )
    return f"exit status 1, by {STRICT_OPTION}: {named}" if named else None


def _named(counts: list[tuple[int, str, str]]) -> str:
    """Return "2 calls missed, 1 recording unused" for the counts that are not zero."""
    return ", ".join(f"{count} {noun}{'' if count == 1 else 's'} {rest}" for count, noun, rest in counts if count)
