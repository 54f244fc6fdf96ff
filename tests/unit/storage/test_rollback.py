"""What a failing test recorded is moved to a directory of ours, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inference_recorder import UnwritableRecording
from inference_recorder.storage.directories import Directories
from inference_recorder.storage.rollback import Rollback
from inference_recorder.storage.store import Store

from ...support.directories import contents_of


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


def test_the_whole_series_comes_back_whichever_answer_was_recorded_first(recordings: Path) -> None:
    """A call that fails gives its position back, and then a later answer moves to the place of an earlier one."""
    store, key = Store(Directories(recordings, (recordings,))), "a" * 64
    recordings.mkdir()
    for name in (key, f"{key}.2"):
        store.write(name, f'{{"old": "{name}"}}'.encode())
    old = contents_of(recordings)
    before = Rollback(store)
    before.remember(key, f"{key}.2")
    store.write(f"{key}.2", b"{}")
    store.rename(f"{key}.2", key)

    before.roll_back()

    assert not before.is_new(key)
    assert old == {name: content for name, content in contents_of(recordings).items() if name in old}
