"""Write locks, as a stream needs them that is collected as garbage wherever its thread happens to be."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType

import pytest

from inference_recorder.storage.locks import Locks


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals")
def test_who_may_not_wait_is_informed_that_its_own_thread_waits(tmp_path: Path) -> None:
    """A signal's handler stands for the garbage collector: what it stored failed, and with it the whole session."""
    locks, waiter, can_continue = Locks(tmp_path), threading.get_ident(), threading.Event()
    holds, is_held = threading.Event(), []

    def collect(_: int, frame: FrameType | None) -> None:
        while frame is not None and "filelock" not in frame.f_code.co_filename:
            frame = frame.f_back
        if frame is not None and not can_continue.is_set():
            with locks.writing("a", wait=False) as is_mine:
                is_held.append(is_mine)
            can_continue.set()

    def hold() -> None:
        with locks.writing("a"):
            holds.set()
            for _ in range(5_000):
                if can_continue.wait(0.001):
                    return
                signal.pthread_kill(waiter, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, collect)
    holder = threading.Thread(target=hold)
    try:
        holder.start()
        holds.wait()
        with locks.writing("a"):
            pass
    finally:
        holder.join()
        signal.signal(signal.SIGUSR1, before)

    assert [False] == is_held
