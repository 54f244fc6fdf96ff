"""A pytest suite of 500 tests that each make one call."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from ..contenders import CONTENDERS, Contender
from ..workload import Measured, Setting, Workload

TESTS = 500
_CHECKOUT = Path(__file__).parents[3]
_CONFTEST = """
import os
from pathlib import Path

import pytest

from tests.benchmarks import answers
from tests.benchmarks.contenders import CONTENDERS

CONTENDER = CONTENDERS["{name}"]()
IS_RECORDED = os.environ.get("BENCHMARK_STEP") == "prepare"


@pytest.fixture(scope="session")
def client():
    with answers.memory_client() as client:
        yield client


@pytest.fixture
def recorder(request):
    block = CONTENDER.recording if IS_RECORDED else CONTENDER.replaying
    with block(Path("{directory}"), request.node.name):
        yield
"""
_TEST = """
from tests.benchmarks import answers

def pytest_generate_tests(metafunc):
    metafunc.parametrize("number", range({first}, {end}))

def test_an_answer(client, recorder, number):
    answers.check_answer(client.chat.completions.create(**answers.question(number)), number)
"""
FILES = 10


class Suite(Workload):
    """Wall seconds of the suite with -n 0 ("n0") and -n 2 ("n2"), from starting pytest to its end."""

    name = "suite"
    contenders = ("ours", "sdk", "vcrpy")
    most_rounds = 5

    def prepare(self, contender: Contender, setting: Setting) -> None:
        name = next(name for name, kind in CONTENDERS.items() if type(contender) is kind)
        directory = setting.directory / "suite"
        directory.mkdir(exist_ok=True)
        tests = setting.scaled(TESTS) // FILES
        conftest = _CONFTEST.format(name=name, directory=setting.directory / "recorded")
        (directory / "conftest.py").write_text(conftest)
        for number in range(FILES):
            content = _TEST.format(first=number * tests, end=(number + 1) * tests)
            (directory / f"test_{number}.py").write_text(content)
        _wall_of_pytest(directory, "-n", "0", step="prepare")

    def measure(self, contender: Contender, setting: Setting) -> Measured:
        directory = setting.directory / "suite"
        return {f"n{workers}": _wall_of_pytest(directory, "-n", str(workers)) for workers in (0, 2)}


def _wall_of_pytest(directory: Path, *options: str, step: str = "measure") -> float:
    """Return seconds; raises AssertionError, with pytest's output, if a test failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "xdist", *options, str(directory)]
    environment = os.environ | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": str(_CHECKOUT),
        "BENCHMARK_STEP": step,
    }
    begun = time.perf_counter()
    run = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
    took = time.perf_counter() - begun
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return took
