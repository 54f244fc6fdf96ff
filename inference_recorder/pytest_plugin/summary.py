"""What is said at the end of a run: one line, and what there is to do something about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from ..text import visible_line
from .hooks import shown_path
from .journal import Journal
from .unused import unasked_recordings

MOST_LINES = 10


def summarize(
    journal: Journal, config: pytest.Config, common: Path, terminal: pytest.TerminalReporter, *, has_passed: bool
) -> None:
    """Write the summary of a run and prune if asked to; `common` is the directory of recorders that name none."""
    journal.doubt_tests_without_answers()
    prunes = bool(config.getoption("inference_prune"))
    unasked = list(unasked_recordings(journal, config.rootpath, common, of=None if prunes else journal.passed))
    needless = [unused for unused in unasked if unused.is_needless]
    dropped = [call for call in journal.calls if call["outcome"] == "dropped"]
    terminal.write_line(_counted(journal, len(needless)), **_colour(journal, has_passed=has_passed))
    limit = None if config.option.verbose > 0 else MOST_LINES
    write_list(
        terminal,
        "missed",
        _by_test(_miss(miss["endpoint"], miss["model"], miss["test_id"]) for miss in journal.misses),
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
        write_list(terminal, "unused", _by_test((unused.test_id, "") for unused in needless), limit)
    _write_live(terminal, len(set(journal.live)))
    _write_aside(terminal, journal, config.rootpath)
    write_list(
        terminal,
        "failed, but their new recordings stay: their requests repeat a shared answer that this run recorded again",
        list(dict.fromkeys(journal.stayed)),
        limit,
    )
    write_list(
        terminal,
        "not recorded again, since not all tests that use them were selected",
        list(dict.fromkeys(journal.kept)),
        limit,
    )
    for worker in journal.crashed:
        terminal.write_line(f"  worker {worker} crashed; what its tests asked is not counted", red=True)
    for trouble in journal.troubles:
        terminal.write_line(f"  {trouble}", red=True)
    if prunes:
        from .prune import prune

        prune(journal, unasked, config, common, terminal)


def _counted(journal: Journal, unused: int) -> str:
    count = journal.count
    failed = sum(call["outcome"] == "recorded" and bool(call["failure"]) for call in journal.calls)
    of_them = f" ({failed} of them {'a failure' if failed == 1 else 'failures'})" if failed else ""
    return (
        f"recordings: {count('replayed')} replayed, {count('recorded')} recorded{of_them}, {count('missed')} missed, "
        f"{count('live')} live, {unused} unused"
    )


def _colour(journal: Journal, *, has_passed: bool) -> dict[str, bool]:
    if journal.misses and not has_passed:
        return {"red": True}
    return {"yellow": True} if journal.set_back or journal.crashed or journal.count("dropped") else {}


def _miss(endpoint: str, model: str, test_id: str | None) -> tuple[str | None, str]:
    return test_id, f"{endpoint} ({model})" if model else endpoint


def _by_test(found: Iterable[tuple[str | None, str]]) -> list[str]:
    """Return a line for each test and thing found, with the number of times."""
    return [
        f"{test_id or 'shared, or outside a test'}: {count}{f' x {thing}' if thing else ''}"
        for (test_id, thing), count in Counter(found).items()
    ]


def write_list(terminal: pytest.TerminalReporter, title: str, lines: list[str], limit: int | None) -> None:
    """Write a title and these lines below it, at most `limit` of them; nothing where there are none."""
    if not lines:
        return
    terminal.write_line(f"  {title}:")
    for line in lines[:limit]:
        terminal.write_line(visible_line(f"    {line}"))
    if limit is not None and len(lines) > limit:
        terminal.write_line(f"    and {len(lines) - limit} more (-v shows all)")


def _write_live(terminal: pytest.TerminalReporter, tests: int) -> None:
    if tests:
        terminal.write_line(
            f"  {'1 test' if tests == 1 else f'{tests} tests'} ran live: their calls are not intercepted, nor counted"
        )


def _write_aside(terminal: pytest.TerminalReporter, journal: Journal, root: Path) -> None:
    if journal.set_back:
        directories = sorted({shown_path(Path(path).parent, root) for path in journal.set_back})
        terminal.write_line(
            f"  {len(journal.set_back)} recorded by tests that failed: set aside in {', '.join(directories)} "
            "(--inference-keep-failed keeps them)",
            yellow=True,
        )
