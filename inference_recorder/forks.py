"""Locks in processes that are forked."""

from __future__ import annotations

import os
import threading
from typing import Any


def renew_in_child(module: dict[str, Any]) -> None:
    """Give a forked child a new `_guard` in the module with these globals: a thread it lacks may hold the old one."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: module.update({"_guard": threading.RLock()}))
