"""The temporary directory in which all processes of one test run write what the others need to know."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pytest

from ..children.sessions import keep_in
from ..children.usage import begin_run, tell_entered
from ..engine.run_log import RunLog
from ..storage.unsettled import Unsettled
from .processes import Processes, uses_in_reports

if TYPE_CHECKING:
    from ..children.usage import Use


_RUN_LOG, _PROCESSES, _SESSIONS, _UNSETTLED = "run_log", "processes", "sessions", "unsettled"


class SharedDirectory:
    """The paths below one shared directory, and what is kept there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, config: pytest.Config) -> SharedDirectory | None:
        """Make the directory, to be removed when the run ends; None if there cannot be one."""
        try:
            shared = cls(Path(mkdtemp(prefix="inference_recorder-run-")))
            for name in (_RUN_LOG, _PROCESSES, _SESSIONS, _UNSETTLED):
                (shared.path / name).mkdir()
        except OSError:
            return None
        config.add_cleanup(partial(rmtree, shared.path, ignore_errors=True))
        return shared

    @classmethod
    def existing(cls, path: str) -> SharedDirectory | None:
        """Return the directory that the controller made; None if it made none, or on another machine."""
        return cls(Path(path)) if os.path.isdir(path) else None

    def run_log(self) -> RunLog:
        return RunLog(self.path / _RUN_LOG)

    def unsettled(self, worker: str) -> Unsettled:
        """Return what a worker needs undone if it crashes."""
        return Unsettled(self.path / _UNSETTLED / worker)

    def processes(self, config: pytest.Config, name: str) -> Processes:
        """Make the processes that this one starts report what they use, in a directory of this name."""
        directory, sessions = self.path / _PROCESSES / name, self.path / _SESSIONS / name
        directory.mkdir()
        sessions.mkdir()
        config.add_cleanup(begin_run(str(directory)))
        config.add_cleanup(keep_in(str(sessions)))
        tell_entered(is_live=False)  # this run may have been started by a test of another one
        processes = Processes(directory)
        config.add_cleanup(processes.end_watch)
        return processes

    def uses(self) -> list[Use]:
        """Return the recordings used by the processes that tests started."""
        return uses_in_reports(self.path / _PROCESSES)
