"""The set-up of one run, with the objects that hold its hooks, and the fixture `inference_session`."""

from __future__ import annotations

import argparse
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from ..children import variables
from ..engine.run_log import RunLog
from ..engine.test_run import set_test_run
from ..errors import UnknownMode
from .configuration import check_may_record, config_of
from .controller import SHARED_DIRECTORY, Controller, Worker
from .marker import DESCRIPTION
from .module_clients import prepare
from .options import given_mode, make_way, standing_aside
from .processes import Processes
from .run import RUN, Run
from .shared_directory import SharedDirectory
from .wide_fixtures import WideFixtures

if TYPE_CHECKING:
    from ..session import Session


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser) -> Generator[None]:
    _leave_session()
    options = early_config.known_args_namespace
    prepare(early_config, argparse.Namespace(**vars(options) | {"inference_recorder_mode": given_mode(options)}))
    with standing_aside(early_config, parser):
        return (yield)


def _leave_session() -> None:
    """Make this a run of its own if a test of another run started it, or if it is a worker of pytest-xdist."""
    if variables.inherited:
        from ..joined import leave

        leave()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", DESCRIPTION)
    prepare(config, config.option)
    settings = config_of(config)
    make_way(config)
    if config.getoption("inference_recorder_recordings"):  # workers of pytest-xdist may run elsewhere
        config.option.inference_recorder_recordings = str(settings.directory().value)
    _leave_session()
    run_log = RunLog()
    if hasattr(config, "workerinput"):
        shared = SharedDirectory.existing(config.workerinput.get(SHARED_DIRECTORY, ""))
        name = config.workerinput["workerid"]
        if shared is not None:
            run_log = shared.run_log()
    else:
        try:
            mode = settings.mode()
        except UnknownMode as error:
            raise pytest.UsageError(str(error)) from None
        check_may_record(config, mode.value, mode.source)
        shared, name = SharedDirectory.create(config), "main"
    unsettled = None if shared is None else shared.unsettled(name)
    processes = Processes() if shared is None else shared.processes(config, name)
    run = Run(config, settings, run_log, processes, unsettled)
    config.stash[RUN] = run
    run.outside.begin(config)
    config.add_cleanup(set_test_run(run))
    end = Worker(config, run) if hasattr(config, "workerinput") else Controller(config, run, shared)
    for plugin in (run, run.selection, WideFixtures(run), end):
        config.pluginmanager.register(plugin, f"inference_recorder-{type(plugin).__name__}")


@pytest.fixture
def inference_session(request: pytest.FixtureRequest) -> Session:
    """The session of this test: LLM calls are answered from recordings, or recorded.

    Ask it for `counts`, `requests`, `replayed`, `recorded`, `missed`, `dropped` and `usage`. It is open while the
    test's fixtures are set up and torn down too. The arguments of the marker `inference_recording` are its arguments.
    """
    return request.config.stash[RUN].session_of_test(request.node)
