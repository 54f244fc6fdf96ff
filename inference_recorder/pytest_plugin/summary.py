"""The summary at the end of a run: one line of counts, and what needs attention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from .run_report import RunReport
from .terminal import line_limit, shown_path, write_list
from .unused import unused_recordings


def summarize(
    report: RunReport, config: pytest.Config, common: Path, terminal: pytest.TerminalReporter, *, has_passed: bool
) -> None:
    """Write the summary of a run and prune if asked to; `common` is the directory of recorders that name none."""
    report.doubt_tests_without_answers()
    prunes = bool(config.getoption("inference_prune"))
    unused = list(unused_recordings(report, config.rootpath, common, of=None if prunes else report.proven))
    needless = [recording for recording in unused if recording.is_needless]
    dropped = report.of("dropped")
    terminal.write_line(_counted(report, len(needless)), **_colour(report, has_passed=has_passed))
    limit = line_limit(config)
    write_list(
        terminal,
        "missed",
        _by_test(_miss(miss["endpoint"], miss["model"], miss["test_id"]) for miss in report.of("missed")),
        limit,
    )
    count = "1 failed call was" if len(dropped) == 1 else f"{len(dropped)} failed calls were"
    write_list(
        terminal,
        f"{count} not recorded; record_errors=True records {'it' if len(dropped) == 1 else 'them'}",
        _by_test((call["test_id"], call["failure"]) for call in dropped),
        limit,
    )
    if not prunes:
        write_list(terminal, "unused", _by_test((recording.test_id, "") for recording in needless), limit)
    _write_live(terminal, len(set(report.live)))
    _write_failed(terminal, report, config.rootpath)
    write_list(
        terminal,
        "failed, but their new recordings stay: their requests repeat a shared answer that this run recorded again",
        list(dict.fromkeys(report.failed_but_kept)),
        limit,
    )
    write_list(
        terminal,
        "not recorded again, since not all tests that use them were selected",
        list(dict.fromkeys(report.not_recorded_again)),
        limit,
    )
    for worker in report.crashed_workers:
        terminal.write_line(f"  worker {worker} crashed; the calls of its tests are not counted", red=True)
    for trouble in report.troubles:
        terminal.write_line(f"  {trouble}", red=True)
    if prunes:
        from .prune import prune

        prune(report, unused, config, common, terminal)


def _counted(report: RunReport, unused: int) -> str:
    counts = Counter(call["outcome"] for call in report.calls)
    failed = sum(bool(call["failure"]) for call in report.of("recorded"))
    of_them = f" ({failed} of them {'a failure' if failed == 1 else 'failures'})" if failed else ""
    return (
        f"recordings: {counts['replayed']} replayed, {counts['recorded']} recorded{of_them}, "
        f"{counts['missed']} missed, {counts['live']} live, {unused} unused"
    )


def _colour(report: RunReport, *, has_passed: bool) -> dict[str, bool]:
    if report.of("missed") and not has_passed:
        return {"red": True}
    return {"yellow": True} if report.failed_recordings or report.crashed_workers or report.of("dropped") else {}


def _miss(endpoint: str, model: str, test_id: str | None) -> tuple[str | None, str]:
    return test_id, f"{endpoint} ({model})" if model else endpoint


def _by_test(calls: Iterable[tuple[str | None, str]]) -> list[str]:
    """Return a line for each test and description of a call, with the number of times."""
    return [
        f"{test_id or 'shared, or outside a test'}: {count}{f' x {description}' if description else ''}"
        for (test_id, description), count in Counter(calls).items()
    ]


def _write_live(terminal: pytest.TerminalReporter, tests: int) -> None:
    if tests:
        terminal.write_line(
            f"  {'1 test' if tests == 1 else f'{tests} tests'} ran live: their calls are not intercepted, nor counted"
        )


def _write_failed(terminal: pytest.TerminalReporter, report: RunReport, root: Path) -> None:
    if report.failed_recordings:
        directories = sorted({shown_path(Path(path).parent, root) for path in report.failed_recordings})
        terminal.write_line(
            f"  {len(report.failed_recordings)} recorded by tests that failed: moved to {', '.join(directories)} "
            "(--inference-keep-failed keeps them in place)",
            yellow=True,
        )
