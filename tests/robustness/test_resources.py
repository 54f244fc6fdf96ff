"""What a long run holds, and what a big recording takes; each in a process of its own, the figures printed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEGABYTE = 1_000_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc to see what a process holds"),
]


def measured(*arguments: str) -> dict[str, float]:
    """Return what `python -m tests.robustness.held` prints."""
    run = [sys.executable, "-m", "tests.robustness.held", *arguments]
    result = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    print(" ".join(arguments[:1]), result.stdout.strip())
    return dict(json.loads(result.stdout))


def test_ten_thousand_replays_hold_nothing(recordings: Path) -> None:
    """A test session is one process that runs for an hour."""
    grown = measured("replays", str(recordings))

    assert 10_000 == grown["replays"]
    assert 0 == grown["files"] == grown["threads"]
    assert grown["megabytes"] < 5


@pytest.mark.parametrize(
    ("kind", "times"), [("streamed", 1.2), ("plain", 3), ("embeddings", 3)], ids=["streamed", "plain", "embeddings"]
)
def test_a_recording_of_fifty_megabytes_replays_within_its_size_in_memory(
    kind: str, times: float, recordings: Path
) -> None:
    """The chunks of a stream are found in the file when asked for; a plain answer is the file and its value."""
    taken = measured(kind, str(recordings))

    assert taken["megabytes in the file"] > 49
    assert taken["megabytes taken"] < times * taken["megabytes in the file"]
