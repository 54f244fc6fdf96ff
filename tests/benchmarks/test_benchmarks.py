"""The benchmarks run: no figure is looked at here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .environment import CHECKOUT
from .workloads import WORKLOADS


@pytest.mark.slow
def test_a_quick_run_measures_every_workload_and_says_which_peers_are_missing(tmp_path: Path) -> None:
    """A benchmark that broke a release ago is found out when its figures are wanted."""
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--here", "--output", str(tmp_path)]
    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)

    assert 0 == run.returncode, run.stdout + run.stderr
    found = json.loads((tmp_path / "results.json").read_text())
    assert set(WORKLOADS) == set(found["measured"])
    assert {"plain call / SDK in memory", "chunk of 2,000 / the data alone"} <= {
        ratio["title"] for ratio in found["ratios"]
    }
    assert all(f"not taking part: {peer}" in run.stdout for peer in found["not_taking_part"])
    assert (tmp_path / "chart.svg").read_text().startswith("<svg")
