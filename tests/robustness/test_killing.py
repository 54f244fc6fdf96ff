"""A writer killed at any instant leaves the old recording or the new one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill -9")
@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_a_killed_writer_leaves_the_old_recording_or_the_new_one(kills: int, recordings: Path) -> None:
    """CI jobs are cancelled in the middle of a recording run, and what they leave is committed."""
    run = [sys.executable, "-m", "tests.robustness.killing", str(recordings), str(kills), "1"]
    result = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=600)

    assert not result.stderr
    found = json.loads(result.stdout)
    print("killed:", ", ".join(f"{count} {what}" for what, count in found.items()))
    assert kills == found["kills"]
    assert kills < 100 or found["answers that were new"] > 0
