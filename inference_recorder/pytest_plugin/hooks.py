"""The hooks of pytest, and what each of them has done."""

from __future__ import annotations

import os
from collections.abc import Generator
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import pytest

from ..children.usage import begin_run, tell_entered
from ..config import DEFAULT
from ..engine.run_log import RunLog
from ..errors import RecorderError, UnknownMode
from ..test_run import opened_outside, set_test_run
from .configuration import check_may_record, config_of
from .marker import DESCRIPTION, arguments_of
from .options import add_options
from .parameters import ParameterIds
from .processes import Processes, uses_told_in
from .run import RUN, Run
from .scopes import ITEM_ID, id_of, scope_of
from .unsettled import Unsettled

if TYPE_CHECKING:
    from .journal import Journal

_OUTPUT = "inference_recorder"
_DIRECTORY = "inference_recorder_folder"
_RUN_LOG, _PROCESSES, _UNSETTLED = "ledger", "processes", "unsettled"


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", DESCRIPTION)
    run = Run(config, config_of(config))
    config.stash[RUN] = run
    config.add_cleanup(set_test_run(run))
    run.directory = run.config.directory().value
    if config.getoption("inference_recordings"):
        config.option.inference_recordings = str(run.directory)  # workers of pytest-xdist may run elsewhere
    if hasattr(config, "workerinput"):
        directory = config.workerinput.get(_DIRECTORY, "")
        if os.path.isdir(directory):  # a worker on another machine records into other files too
            run.call_log = RunLog(Path(directory, _RUN_LOG))
            worker = config.workerinput["workerid"]
            run.processes = _heard_processes(config, Path(directory), worker)
            run.unsettled = Unsettled(Path(directory, _UNSETTLED, worker))
        config.pluginmanager.register(Hooks(config, run), "inference_recorder-hooks")
        return
    try:
        mode = run.config.mode()
    except UnknownMode as error:
        raise pytest.UsageError(str(error)) from None
    check_may_record(config, mode.value, mode.source)
    run.shared_directory = _shared_directory(config)
    if run.shared_directory is not None:
        run.processes = _heard_processes(config, run.shared_directory, "main")
    config.pluginmanager.register(Hooks(config, run), "inference_recorder-hooks")


def _shared_directory(config: pytest.Config) -> Path | None:
    """Make the directory in which all processes of this run tell each other what they do; None where none can be."""
    try:
        directory = Path(mkdtemp(prefix="inference_recorder-run-"))
        for name in (_RUN_LOG, _PROCESSES, _UNSETTLED):
            (directory / name).mkdir()
    except OSError:
        return None
    config.add_cleanup(partial(rmtree, directory, ignore_errors=True))
    return directory


def _heard_processes(config: pytest.Config, shared_directory: Path, name: str) -> Processes:
    """Have the processes that this one starts tell what they use, in a directory of this name."""
    directory = shared_directory / _PROCESSES / name
    directory.mkdir()
    config.add_cleanup(begin_run(str(directory)))
    tell_entered(is_live=False)  # a run that a test of another one has started
    processes = Processes(directory)
    config.add_cleanup(processes.end_watch)
    return processes


class Hooks:
    """The hooks of one run."""

    def __init__(self, config: pytest.Config, run: Run) -> None:
        self._config = config
        self._run = run
        self._journal: Journal | None = None
        """What is to be told at the end; None while there is nothing."""
        self._parameter_ids = ParameterIds()
        self._workers: set[str] = set()
        """Workers of pytest-xdist that have not told yet what they saw."""
        self._crashed: list[str] = []
        self._collected: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        for engine in list(opened_outside):
            if engine.is_open:
                from ..session import Session

                self._run.opened(Session(engine))

    def pytest_report_header(self) -> str:
        mode, directory = self._run.config.mode(), self._run.config.directory()
        beside = "beside each test file and in " if self._run.config.table.recordings_beside_tests else "in "
        return (
            f"inference_recorder: {mode.value} ({_shown_source(mode.source)}), recordings {beside}"
            f"{shown_path(directory.value, self._config.rootpath)} ({_shown_source(directory.source)})"
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        if report.passed:
            try:
                for node in report.result:
                    if isinstance(node, pytest.Item):
                        arguments_of(node)
            except pytest.UsageError as error:
                report.outcome, report.longrepr, report.result = "failed", str(error), []
        if report.failed:
            self._run.selection.failed(collector)
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> Generator[None, object, object]:
        self._parameter_ids.note(metafunc)
        return (yield)

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        self._run.selection.collected(item)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._run.selection.finish(session.items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            item.stash[ITEM_ID] = item.nodeid
        if self._config.getoption("inference_prune"):
            self._collected = [id_of(item) for item in items]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._run.enter_test(item)
        try:
            return (yield)
        finally:
            self._run.leave_test()

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        # Behind pytest's own look at skip marks, before it sets up fixtures.
        self._run.begin(item)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        scope = scope_of(fixturedef, request, self._run.item, self._parameter_ids)
        if scope is None:
            return (yield)
        misses_before = self._run.misses_of(scope)
        self._run.enter_scope(scope, is_setup=True)
        fixturedef.addfinalizer(lambda: self._run.end_scope(scope))
        try:
            result = yield
            self._run.went_on(scope, misses_before)
            return result
        finally:
            self._run.leave_scope(scope)
            # The last one added is the first one run: what the fixture does after its yield lies between the two.
            fixturedef.addfinalizer(lambda: self._run.enter_scope(scope, is_setup=False))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        try:
            result = yield
        except BaseException:
            self._run.close_session()
            raise
        self._run.close_session()
        self._run.fail_for_misses()
        self._run.finish_series()
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        self._run.heard(item, report)
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        told: dict[str, Any] = {}
        if self._run.has_sessions or self._config.getoption("inference_prune"):
            told = self._run.finish(self._collected).to_plain()
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput[_OUTPUT] = told
        else:
            self._hear(told)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give a worker of pytest-xdist the folder in which all of them note what the run has recorded."""
        self._workers.add(node.gateway.id)
        node.workerinput[_DIRECTORY] = str(self._run.shared_directory or "")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear from a worker of pytest-xdist that has ended."""
        self._workers.discard(node.gateway.id)
        told = getattr(node, "workeroutput", {}).get(_OUTPUT)
        if told is None:
            self._crashed.append(node.gateway.id)
            self._set_back(node.gateway.id)
        else:
            self._hear(told)

    def _set_back(self, worker: str) -> None:
        """Put the recordings back that the running test of a worker that died has replaced."""
        if self._run.shared_directory is None or self._config.getoption("inference_keep_failed"):
            return
        from .journal import Journal

        told = Journal(has_sessions=True)
        try:
            told.set_back = list(map(str, Unsettled(self._run.shared_directory / _UNSETTLED / worker).set_back()))
        except (RecorderError, OSError) as error:
            told.troubles = [f"worker {worker} crashed, and what it was recording is not set aside: {error}"]
        self._hear(told.to_plain())

    def _hear(self, told: dict[str, Any]) -> None:
        """Add what a process tells; {} is nothing."""
        if told:
            from .journal import Journal

            self._journal = self._journal or Journal()
            self._journal.add(told)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
        config, journal = self._config, self._journal
        if hasattr(config, "workeroutput"):  # workers of pytest-xdist have a terminal too; what they say is not shown
            return
        if journal is not None:
            from .summary import summarize

            journal.crashed, journal.silent = self._crashed, sorted(self._workers)
            if self._run.shared_directory is not None:
                journal.used += uses_told_in(self._run.shared_directory / _PROCESSES)
            common, has_passed = self._run.config.directory().value, exitstatus == pytest.ExitCode.OK
            summarize(journal, config, common, terminalreporter, has_passed=has_passed)
        if report := config.getoption("inference_report"):
            self._write_report(config.invocation_params.dir / report)
            terminalreporter.write_line(f"recordings: every call of this run is shown in {report}")

    def _write_report(self, file: Path) -> None:
        from importlib import import_module

        from .journal import Journal

        journal = self._journal or Journal()
        directories = [Path(directory) for directory in dict.fromkeys(journal.directories)]
        import_module("inference_recorder.views.report").write(file, directories, journal.calls, journal.misses)


def _shown_source(source: str) -> str:
    return "by default" if source == DEFAULT else source


def shown_path(path: Path, root: Path) -> str:
    """Return a path below the root as it is there, any other in full."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
