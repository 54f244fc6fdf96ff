"""`@inference_recording()` on a class of unittest, run by `python -m unittest` and by pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from .conftest import Suite

TRIPS = """
    import unittest

    @inference_recording()
    class TestTrips(unittest.TestCase):
        @classmethod
        def setUpClass(cls): ask("set up class")
        def setUp(self):
            ask("set up")
            self.addCleanup(ask, "clean up")
        def tearDown(self): ask("tear down")
        def test_plan(self):
            for number in range(2):
                with self.subTest(number=number): ask("the same twice")
        @unittest.skip("needs nothing recorded")
        def test_later(self): ask("later")

    class TestTrains(TestTrips):
        def setUp(self): ask("another set up")  # does not call the other
        def test_train(self): ask("train")

    @inference_recording()
    class TestAsync(unittest.IsolatedAsyncioTestCase):
        async def asyncSetUp(self): await ask_async("async set up")
        async def test_plan(self): await ask_async("async plan")

    class TestEntered(unittest.TestCase):
        def enter(self, context):  # as enterContext does from Python 3.11 on
            entered = context.__enter__()
            self.addCleanup(context.__exit__, None, None, None)
            return entered
        def setUp(self):
            enter = getattr(self, "enterContext", self.enter)
            self.session = enter(inference_recording(test_id=self.id()))
            self.assertIs(self.session.mode, self.enter(inference_recording(test_id=self.id())).mode)
        def test_entered(self):
            ask("entered")
"""


def run_unittest(suite: Suite, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "unittest", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return subprocess.run(command, cwd=suite.directory, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_pytest_replays_what_python_m_unittest_recorded(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite that one person runs with unittest, another runs with pytest, and both have one set of recordings."""
    suite.write("trips/test_trips.py", TRIPS)
    suite.write("trips/__init__.py", "")
    monkeypatch.setenv("LLAMA_STACK_TEST_INFERENCE_MODE", "record")

    recording = run_unittest(suite, "trips.test_trips")
    test_ids = suite.test_ids()
    calls = suite.server.count
    replaying = suite.run("--inference-mode=replay")

    assert recording.returncode == 0, recording.stderr
    file = "trips/test_trips.py"
    assert {
        f"{file}::TestTrips@setUpClass": 1,
        f"{file}::TestTrips::test_plan": 5,
        f"{file}::TestTrains@setUpClass": 1,
        f"{file}::TestTrains::test_plan": 4,
        f"{file}::TestTrains::test_train": 3,
        f"{file}::TestAsync::test_plan": 2,
        "trips.test_trips.TestEntered.test_entered": 1,
    } == Counter(test_ids)
    replaying.assert_outcomes(passed=5, skipped=2)
    assert calls == len(test_ids) == suite.server.count
