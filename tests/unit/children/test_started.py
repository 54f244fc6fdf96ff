"""Starts of processes are reported once each."""

from __future__ import annotations

import subprocess

from inference_recorder.children.started import watch


def test_a_patch_undone_after_the_watcher_left_is_not_replaced_again() -> None:
    """A mock that is stopped late puts our function back; it would report each start once more for every session."""
    original, starts = subprocess.Popen.__init__, []
    end = watch(lambda pid, kind: None)
    ours = subprocess.Popen.__init__
    subprocess.Popen.__init__ = lambda *args, **kwargs: ours(*args, **kwargs)  # type: ignore[method-assign]
    end()
    subprocess.Popen.__init__ = ours  # type: ignore[method-assign]

    end = watch(lambda pid, kind: starts.append(kind))
    subprocess.run(["uname"], check=True, stdout=subprocess.DEVNULL)
    end()

    assert ["tool"] == starts
    assert original is subprocess.Popen.__init__
