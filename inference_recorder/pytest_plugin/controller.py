"""The end of a run: each process makes a report, and the one that users see merges them and writes the summary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..config import DEFAULT, IGNORE
from ..errors import RecorderError
from ..modes import InferenceMode
from .options import DELETE
from .run import Run
from .run_report import RunReport
from .shared_directory import SharedDirectory
from .strictness import objection_to
from .terminal import shown_path

if TYPE_CHECKING:
    from typing import Protocol

    from .summary import Examined

    class _Gateway(Protocol):
        id: str

    class _WorkerNode(Protocol):
        """A worker of pytest-xdist, as its controller sees it."""

        gateway: _Gateway
        workerinput: dict[str, object]
        workeroutput: dict[str, str]
        """Set when the worker has ended; a crashed one has none."""


_REPORT = "inference_recorder"
SHARED_DIRECTORY = "inference_recorder_directory"
"""The worker's input that names the directory that all processes of the run share; "" without one."""


class Worker:
    """The hook of a worker of pytest-xdist, which sends its report to the controller."""

    def __init__(self, config: pytest.Config, run: Run) -> None:
        self._config = config
        self._run = run

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        report = self._run.finish()
        self._config.workeroutput[_REPORT] = "" if report is None else report.to_json()  # type: ignore[attr-defined]


class Controller:
    """The hooks of the controller of pytest-xdist, or of the only process."""

    def __init__(self, config: pytest.Config, run: Run, shared: SharedDirectory | None) -> None:
        self._config = config
        self._run = run
        self._shared = shared
        self._report: RunReport | None = None
        """None as long as no process had a session."""
        self._examined: Examined | None = None
        """Its recordings, once the run has ended."""
        self._objection: str | None = None
        """Why the run exits with status 1, although its tests passed."""
        self._unreported_workers: set[str] = set()
        self._crashed_workers: list[str] = []

    def pytest_report_header(self) -> str:
        mode, directory = self._run.config.mode(), self._run.config.directory()
        is_beside = self._run.config.table.recordings_beside_tests and not directory.is_explicit
        beside = "beside each test file and in " if is_beside else "in "
        return (
            f"inference_recorder: {mode.value} ({_shown_source(mode.source)}), recordings {beside}"
            f"{shown_path(directory.value, self._config.rootpath)} ({_shown_source(directory.source)})"
        )

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Say that a key is missing before each test fails for it."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or self._run.config.mode().value is not InferenceMode.RECORD:
            return
        from ..sdk.credentials import without_key

        if reason := without_key():
            terminal.write_line(f"mode record sends every call, and {reason}", yellow=True)
            terminal.write_line("  set it if your clients get no other key; --inference-mode=replay needs none")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: _WorkerNode) -> None:
        """Give a worker the directory that all processes of the run share."""
        self._unreported_workers.add(node.gateway.id)
        node.workerinput[SHARED_DIRECTORY] = "" if self._shared is None else str(self._shared.path)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: _WorkerNode) -> None:
        """Merge the report of a worker that has ended, or undo the running test of one that has crashed."""
        worker, output = node.gateway.id, getattr(node, "workeroutput", {}).get(_REPORT)
        self._unreported_workers.discard(worker)
        if output:
            self._merge(RunReport.from_json(output))
        elif output is None:
            self._crashed_workers.append(worker)
            if self._shared is not None and not self._config.getoption("inference_recorder_keep_failed"):
                self._merge(_restored(worker, self._shared))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if (own := self._run.finish()) is not None:
            self._merge(own)
        report, config = self._report, self._config
        if report is None:
            return
        from .summary import examined

        report.crashed_workers = self._crashed_workers
        report.silent_workers = sorted(self._unreported_workers)
        report.used += [] if self._shared is None else self._shared.uses()
        self._examined = examined(report, config, self._run.config.directory().value, self._run.selection)
        is_strict, unused = config.getoption("inference_recorder_strict"), self._run.config.table.unused
        needless = 0 if config.getoption("inference_recorder_prune") == DELETE else len(self._examined.needless)
        self._objection = objection_to(report, needless, is_strict=is_strict, unused=unused)
        if self._objection is not None and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
        config, report = self._config, self._report
        if report is not None and self._examined is not None:
            from .summary import summarize

            common, has_passed = self._run.config.directory().value, exitstatus == pytest.ExitCode.OK
            is_listed = self._run.config.table.unused != IGNORE or config.getoption("inference_recorder_strict")
            summarize(
                report, self._examined, config, common, terminalreporter, has_passed=has_passed, lists_unused=is_listed
            )
        if page := config.getoption("inference_recorder_report"):
            _write_page(config.invocation_params.dir / page, report or RunReport())
            terminalreporter.write_line(f"recordings: every call of this run is shown in {page}")
        if self._objection is not None:
            terminalreporter.write_line(self._objection, red=True)

    def _merge(self, report: RunReport) -> None:
        self._report = self._report or RunReport()
        self._report.merge(report)


def _shown_source(source: str) -> str:
    return "by default" if source == DEFAULT else source


def _write_page(file: Path, report: RunReport) -> None:
    """Write the page that shows every call of the run."""
    from ..views.report import write

    directories = [Path(directory) for directory in dict.fromkeys(report.directories)]
    write(file, directories, report.calls, [], report.outcomes)  # type: ignore[arg-type]  # each call is a dict


def _restored(worker: str, shared: SharedDirectory) -> RunReport:
    """Restore what the running test of a crashed worker had replaced; return a report of it."""
    report = RunReport()
    try:
        report.failed_recordings = list(map(str, shared.unsettled(worker).roll_back()))
    except (RecorderError, OSError) as error:
        report.troubles = [f"worker {worker} crashed, and what it was recording is still in place: {error}"]
    return report
