"""What a failing test recorded is moved to a directory of ours, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inference_recorder import UnwritableRecording
from inference_recorder.storage.directories import Directories
from inference_recorder.storage.rollback import Rollback
from inference_recorder.storage.store import Store


def test_a_link_is_not_followed(recordings: Path, tmp_path: Path) -> None:
    """A stranger's recordings could otherwise have a failing test write wherever they like."""
    recordings.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (recordings / ".failed").symlink_to(tmp_path / "elsewhere")
    store, key = Store(Directories(recordings, (recordings,))), "a" * 64
    before = Rollback(store)
    before.remember(key, key)
    path = store.write(key, b"{}")
    with pytest.raises(UnwritableRecording) as caught:
        before.roll_back()

    assert (path, []) == (caught.value.path, os.listdir(tmp_path / "elsewhere"))
