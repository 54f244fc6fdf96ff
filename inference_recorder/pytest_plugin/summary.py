"""The summary at the end of a run: one line of counts, and what needs attention."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from ..config import TABLE
from ..errors import CorruptRecording
from ..text import visible_line
from .common_causes import write_common_causes
from .run_report import CallEntry, RunReport
from .selection import Selection
from .terminal import line_limit, shown_path, write_list
from .unused import RunRecordings, Unused

_MOST_PATHS = 3


class Examined(NamedTuple):
    """The recordings of a run."""

    unused: list[Unused]
    own_directories: list[Path]
    """Those in which the run may delete."""

    @property
    def needless(self) -> list[Unused]:
        """What the summary calls unused."""
        return [recording for recording in self.unused if recording.is_needless]


def examined(report: RunReport, config: pytest.Config, common: Path, selection: Selection) -> Examined:
    """Return what a run has left unused; `common` is the directory of recorders that name none."""
    report.doubt_tests_without_answers()
    selection.collected_ids = report.collected  # the controller of pytest-xdist collects nothing itself
    recordings = RunRecordings(report, config.rootpath, common, selection.has_test)
    of_tests = None if config.getoption("inference_recorder_prune") else report.proven
    return Examined(list(recordings.unused(of=of_tests)), recordings.own_directories())


def summarize(
    report: RunReport,
    recordings: Examined,
    config: pytest.Config,
    common: Path,
    terminal: pytest.TerminalReporter,
    *,
    has_passed: bool,
    lists_unused: bool,
) -> None:
    """Write the summary of a run and prune if asked to; `common` is the directory of recorders that name none."""
    prunes, needless = bool(config.getoption("inference_recorder_prune")), recordings.needless
    terminal.write_line(_counted(report, len(needless)), **_colour(report, has_passed=has_passed))
    show = partial(write_list, terminal, line_limit(config))
    show("missed", _by_test((call["test_id"], _shown_request(call)) for call in report.calls_with("missed")))
    if refused := sorted({call["host"] for call in report.calls_with("missed") if call["host"]}):
        line = f"    {', '.join(refused)}: refused, past the SDK; allow_hosts={json.dumps(refused)} lets calls through"
        terminal.write_line(visible_line(line))
    write_common_causes(report, config, terminal)
    _show_live(report, terminal, show)
    recorded = report.calls_with("recorded")
    show(
        "recorded failures, which a replay raises again",
        _by_test((call["test_id"], call["failure"]) for call in recorded if call["failure"]),
    )
    dropped = report.calls_with("dropped")
    count, them = ("1 failed call was", "it") if len(dropped) == 1 else (f"{len(dropped)} failed calls were", "them")
    show(
        f"{count} not recorded; run again, or record {them} with record_errors=True",
        _by_test((call["test_id"], call["failure"]) for call in dropped),
    )
    if lists_unused and not prunes and needless:
        show("unused", _by_test((recording.test_id, "") for recording in needless))
        terminal.write_line("    pytest --inference-prune lists the files, --inference-prune=delete removes them")
    if live := len(set(report.live)):
        tests = "1 test" if live == 1 else f"{live} tests"
        terminal.write_line(f"  {tests} ran live: their calls are not intercepted, nor counted")
    _show_failed(report, config, show)
    show(
        "not recorded again, since not all tests that use them were selected",
        list(dict.fromkeys(report.not_recorded_again)),
    )
    for worker in report.crashed_workers:
        terminal.write_line(f"  worker {worker} crashed; the calls of its tests are not counted", red=True)
    for trouble in report.troubles:
        terminal.write_line(f"  {trouble}", red=True)
    if prunes:
        from .prune import prune

        prune(report, recordings.unused, recordings.own_directories, config, common, terminal)


def _show_failed(report: RunReport, config: pytest.Config, show: Callable[..., None]) -> None:
    """Write where the recordings of failed tests are."""
    if report.failed_recordings:
        show(*_set_aside(list(map(Path, report.failed_recordings)), config), yellow=True)
    count = len(report.kept_recordings)
    show(
        f"{count} recorded by tests that failed, left in place (--inference-mode=record asks again)",
        _by_test((test_id, "") for test_id in report.kept_recordings),
    )
    show(
        "failed, but their new recordings stay: their requests repeat a shared answer that this run recorded again",
        list(dict.fromkeys(report.failed_but_kept)),
    )


def _set_aside(paths: list[Path], config: pytest.Config) -> tuple[str, list[str]]:
    """Return a title with the command that accepts what was moved to `.failed`, and a line for each test."""
    from ..storage.catalogue import entry_without_answer
    from ..storage.rollback import FAILED_DIRECTORY
    from ..storage.walk import common_parent, is_reached

    tests: list[tuple[str | None, str]] = []
    for path in paths:
        with suppress(CorruptRecording):  # removed since, with the test's own directory
            tests.append((entry_without_answer(path).test_id, ""))
    places = sorted({path.parent.parent for path in paths})
    # Of tests that record into directories of their own, there may be very many.
    common = common_parent(places)
    searched = [common] if common and all(is_reached(place, common) for place in places) else places
    are_default = all(is_reached(place, config.invocation_params.dir) for place in places)
    options = [] if are_default else [part for place in searched for part in ("--dir", str(place))]
    shown = [shown_path(place / FAILED_DIRECTORY, config.rootpath) for place in places]
    moved_to = ", ".join(shown) if len(shown) <= _MOST_PATHS else f"{FAILED_DIRECTORY} of {len(shown)} directories"
    command = shlex.join(["inference-recorder", "keep", *options])
    return f"{len(paths)} recorded by tests that failed: moved to {moved_to} ({command} accepts them)", _by_test(tests)


def _show_live(report: RunReport, terminal: pytest.TerminalReporter, show: Callable[..., None]) -> None:
    """Name the tests that called models past the SDK, or the SDK without a session."""
    past_the_sdk = [call for call in report.calls_with("live") if call["host"]]
    show("live, past the SDK", _by_test((call["test_id"], call["host"]) for call in past_the_sdk))
    _show_outside(report.outside, "live call", "", terminal, show)
    _show_outside(report.refused_outside, "call", "refused ", terminal, show)
    if hosts := sorted({host for _, host in report.blocked_outside}):
        show(
            "refused outside a session, by block_network",
            _by_test((test, host) for test, host in report.blocked_outside),
            yellow=True,
        )
        line = f"    allow_hosts = {json.dumps(hosts)} in {TABLE} lets such connections through"
        terminal.write_line(visible_line(line))


def _show_outside(
    callers: list[str], call: str, refused: str, terminal: pytest.TerminalReporter, show: Callable[..., None]
) -> None:
    count = len(callers)
    title = f"{count} {call}{'' if count == 1 else 's'} {refused}outside a session"
    if len(set(callers)) == 1:
        terminal.write_line(visible_line(f"  {title}: {callers[0]}"), yellow=True)
    else:
        show(title, [f"{caller}: {of_caller}" for caller, of_caller in Counter(callers).items()], yellow=True)


def _counted(report: RunReport, unused: int) -> str:
    counts = Counter(call["outcome"] for call in report.calls)
    failed = sum(bool(call["failure"]) for call in report.calls_with("recorded"))
    of_them = f" ({failed} of them {'a failure' if failed == 1 else 'failures'})" if failed else ""
    return (
        f"recordings: {counts['replayed']} replayed, {counts['recorded']} recorded{of_them}, "
        f"{counts['missed']} missed, {counts['live']} live, {unused} unused"
    )


def _colour(report: RunReport, *, has_passed: bool) -> dict[str, bool]:
    if report.calls_with("missed") and not has_passed:
        return {"red": True}
    return (
        {"yellow": True} if report.failed_recordings or report.crashed_workers or report.calls_with("dropped") else {}
    )


def _shown_request(call: CallEntry) -> str:
    return f"{call['endpoint']} ({call['model']})" if call["model"] else call["host"] or call["endpoint"]


def _by_test(calls: Iterable[tuple[str | None, str]]) -> list[str]:
    """Return a line for each test and description of a call, with the number of times."""
    return [
        f"{test_id or 'shared, or outside a test'}: {count}{f' x {description}' if description else ''}"
        for (test_id, description), count in Counter(calls).items()
    ]
