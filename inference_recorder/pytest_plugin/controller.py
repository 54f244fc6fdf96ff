"""What one process learns of the whole run: the merged reports of the workers of pytest-xdist, or its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..errors import RecorderError
from .run_report import RunReport
from .shared_directory import SharedDirectory


class Controller:
    """Merges the reports of the run's processes and writes what is shown of them."""

    def __init__(self, config: pytest.Config, shared: SharedDirectory | None) -> None:
        self._config = config
        self._shared = shared
        self._report: RunReport | None = None
        """None as long as no process had a session."""
        self._unreported_workers: set[str] = set()
        self._crashed_workers: list[str] = []

    def worker_started(self, worker: str) -> None:
        self._unreported_workers.add(worker)

    def worker_ended(self, worker: str, report: str | None) -> None:
        """Merge the report of a worker: "" without sessions, None if it crashed; then its running test is undone."""
        self._unreported_workers.discard(worker)
        if report is not None:
            if report:
                self.add(RunReport.from_json(report))
            return
        self._crashed_workers.append(worker)
        if self._shared is not None and not self._config.getoption("inference_keep_failed"):
            self.add(_restored(worker, self._shared))

    def add(self, report: RunReport) -> None:
        """Merge the report of a process."""
        self._report = self._report or RunReport()
        self._report.merge(report)

    def finished(self) -> RunReport | None:
        """Return the report of the whole run; None if it had no sessions."""
        report = self._report
        if report is not None:
            report.crashed_workers = self._crashed_workers
            report.silent_workers = sorted(self._unreported_workers)
            report.used += [] if self._shared is None else self._shared.uses()
        return report


def write_page(file: Path, report: RunReport) -> None:
    """Write the page that shows every call of the run."""
    from importlib import import_module

    directories = [Path(directory) for directory in dict.fromkeys(report.directories)]
    import_module("inference_recorder.views.report").write(file, directories, report.calls, [])


def _restored(worker: str, shared: SharedDirectory) -> RunReport:
    """Restore what the running test of a crashed worker had replaced; return a report of it."""
    report = RunReport()
    try:
        report.failed_recordings = list(map(str, shared.unsettled(worker).roll_back()))
    except (RecorderError, OSError) as error:
        report.troubles = [f"worker {worker} crashed, and what it was recording is still in place: {error}"]
    return report
