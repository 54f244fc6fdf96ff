"""The benchmarks run; their figures are not checked here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .environment import CHECKOUT
from .workloads import WORKLOADS


@pytest.mark.slow
def test_a_quick_run_measures_every_workload_and_names_missing_peers(tmp_path: Path) -> None:
    """Otherwise a broken benchmark is noticed only when its figures are needed."""
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--here", "--output", str(tmp_path)]
    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)

    assert 0 == run.returncode, run.stdout + run.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(WORKLOADS) == set(results["medians"])
    assert {"plain call / SDK in memory", "chunk of 2,000 / the data alone"} <= set(results["ratios"])
    assert all(
        isinstance(value, float) for metrics in results["medians"]["plain-sync"].values() for value in metrics.values()
    )
    assert all(f"not taking part: {peer}" in run.stdout for peer in results["not_taking_part"])
    assert (tmp_path / "chart.svg").read_text().startswith("<svg")
