"""What a run leaves behind in the process that it runs in, and in those that outlive it."""

from __future__ import annotations

import os
import subprocess
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from inference_recorder.children import usage as process_usage
from inference_recorder.children.usage import RUN_VARIABLE

from .conftest import Suite, line_of


def test_a_run_leaves_everything_as_it_was(suite: Suite) -> None:
    """A suite that tests a plugin runs pytest inside its own tests."""
    suite.write(
        "test_it.py",
        f"""
        import os
        def test_it(inference_session):
            ask()
            with open("seen", "w") as file: file.write(os.environ["{RUN_VARIABLE}"])
        """,
    )
    watched = (os.system, os.execv, subprocess.Popen.__init__, BaseProcess.start)
    before = (os.environ.get(RUN_VARIABLE), process_usage.listeners, *watched)

    suite.run("--inference-mode=record").assert_outcomes(passed=1)

    watched = (os.system, os.execv, subprocess.Popen.__init__, BaseProcess.start)
    assert before == (os.environ.get(RUN_VARIABLE), process_usage.listeners, *watched)
    own = (suite.directory / "seen").read_text().split(os.pathsep)[-1]
    assert not Path(own).exists()


def test_a_process_that_outlives_its_run_goes_on(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that a test left running must not fail because the run is over."""
    suite.write("test_it.py", "def test_it(inference_session): ask()")
    monkeypatch.setenv(RUN_VARIABLE, str(suite.directory / "gone" / "main"))

    suite.run("--inference-mode=record").assert_outcomes(passed=1)

    suite.run().assert_outcomes(passed=1)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_a_child_process_uses_is_not_unused(suite: Suite) -> None:
    """It is not known what a child used that did not report."""
    text = """
        import multiprocessing, subprocess

        def test_heard(inference_session):
            process = multiprocessing.get_context("fork").Process(target=ask)
            process.start(); process.join()

        def test_unheard(inference_session):
            subprocess.run(["true"], check=True){more}
        """
    suite.write("test_it.py", text.format(more="; ask()"))
    suite.run_apart("--inference-mode=record").assert_outcomes(passed=2)
    suite.write("test_it.py", text.format(more=""))

    result = suite.run_apart()

    result.assert_outcomes(passed=2)
    assert 2 == len(suite.files())
    assert "recordings: 1 replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(result, "recordings:")
