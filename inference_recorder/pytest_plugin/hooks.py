"""The hooks of pytest, and what each of them does."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from ..config import DEFAULT
from ..engine.test_run import opened_outside, set_test_run
from ..errors import UnknownMode
from .configuration import check_may_record, config_of
from .controller import Controller, write_page
from .marker import DESCRIPTION, arguments_of
from .options import add_options
from .parameters import ParameterIds
from .run import RUN, Run
from .run_report import RunReport
from .scopes import ITEM_ID, id_of, scope_of
from .shared_directory import SharedDirectory
from .terminal import shown_path
from .wide_fixtures import WideFixtures

if TYPE_CHECKING:
    from typing import Protocol

    class _Gateway(Protocol):
        id: str

    class _WorkerNode(Protocol):
        """A worker of pytest-xdist, as its controller sees it."""

        gateway: _Gateway
        workerinput: dict[str, object]
        workeroutput: dict[str, str]
        """Set when the worker has ended; a crashed one has none."""


_REPORT = "inference_recorder"
_SHARED_DIRECTORY = "inference_recorder_directory"


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", DESCRIPTION)
    run = Run(config, config_of(config))
    config.stash[RUN] = run
    config.add_cleanup(set_test_run(run))
    if config.getoption("inference_recordings"):
        config.option.inference_recordings = str(run.directory)  # workers of pytest-xdist may run elsewhere
    if hasattr(config, "workerinput"):
        shared = SharedDirectory.existing(config.workerinput.get(_SHARED_DIRECTORY, ""))
        worker = config.workerinput["workerid"]
        if shared is not None:
            run.run_log, run.unsettled = shared.run_log(), shared.unsettled(worker)
    else:
        try:
            mode = run.config.mode()
        except UnknownMode as error:
            raise pytest.UsageError(str(error)) from None
        check_may_record(config, mode.value, mode.source)
        shared, worker = SharedDirectory.create(config), "main"
    if shared is not None:
        run.processes = shared.processes(config, worker)
    config.pluginmanager.register(Hooks(config, run, shared), "inference_recorder-hooks")


class Hooks:
    """The hooks of one run."""

    def __init__(self, config: pytest.Config, run: Run, shared: SharedDirectory | None) -> None:
        self._config = config
        self._run = run
        self._fixtures = WideFixtures(run)
        self._shared = shared
        self._controller = Controller(config, shared)
        self._parameter_ids = ParameterIds()
        self._collected: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        for engine in list(opened_outside):
            if engine.is_open:
                engine.join(self._run)
                self._run.opened(engine)

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
        # This runs after pytest has evaluated skip marks and before it sets up fixtures.
        self._run.begin(item)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        fixtures, scope = self._fixtures, scope_of(fixturedef, request, self._run.item, self._parameter_ids)
        if scope is None:
            return (yield)
        misses_before = fixtures.count_of_misses(scope)
        fixtures.enter(scope, is_setup=True)
        fixturedef.addfinalizer(lambda: fixtures.end(scope))
        try:
            result = yield
            fixtures.note_misses(scope, misses_before)
            return result
        finally:
            fixtures.leave(scope)
            # Finalizers run last to first: what the fixture does after its yield runs between these two.
            fixturedef.addfinalizer(lambda: fixtures.enter(scope, is_setup=False))

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
        self._run.note_phase(item, report)
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        has_report = self._run.has_sessions or self._config.getoption("inference_prune")
        report = self._run.finish(self._collected) if has_report else None
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput[_REPORT] = "" if report is None else report.to_json()
        elif report is not None:
            self._controller.add(report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: _WorkerNode) -> None:
        """Give a worker of pytest-xdist the directory that all processes of the run share."""
        self._controller.worker_started(node.gateway.id)
        node.workerinput[_SHARED_DIRECTORY] = "" if self._shared is None else str(self._shared.path)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: _WorkerNode) -> None:
        """Take the report of a worker of pytest-xdist that has ended."""
        self._controller.worker_ended(node.gateway.id, getattr(node, "workeroutput", {}).get(_REPORT))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
        config = self._config
        if hasattr(config, "workeroutput"):  # workers of pytest-xdist have a terminal too, which is not shown
            return
        report = self._controller.finished()
        if report is not None:
            from .summary import summarize

            common, has_passed = self._run.config.directory().value, exitstatus == pytest.ExitCode.OK
            summarize(report, config, common, terminalreporter, has_passed=has_passed)
        if page := config.getoption("inference_report"):
            write_page(config.invocation_params.dir / page, report or RunReport())
            terminalreporter.write_line(f"recordings: every call of this run is shown in {page}")


def _shown_source(source: str) -> str:
    return "by default" if source == DEFAULT else source
