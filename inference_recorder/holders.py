"""Who makes a request: what other callers of the same request wait for."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any


def running_task() -> object:
    """Return what a flight is held by: the task that runs now, of asyncio or trio, else the thread."""
    trio: Any = sys.modules.get("trio")
    for current_task in (asyncio.current_task, *(() if trio is None else (trio.lowlevel.current_task,))):
        try:
            if (task := current_task()) is not None:
                return task
        except RuntimeError:  # this thread runs no loop of this kind
            pass
    return threading.get_ident()


def runs_an_event_loop() -> bool:
    """Whether this thread runs an event loop of asyncio."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
