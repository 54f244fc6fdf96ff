"""File locks of one folder of recordings, all in its `.locks`, which git is told to pass over.

Two kinds. A write lock is held while one file is replaced; a few hundred files lock all names. A flight is held while
one key is asked of the API, however long that takes, so that of several workers who miss a key only one asks; its file
goes when it ends. Both are the operating system's locks: whoever dies lets go of them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout

_POLL_SECONDS = 0.005


class Locks:
    """The locks of one folder, for one process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / ".locks"
        self._flights: dict[str, object] = {}
        self._guard = threading.Lock()

    @contextmanager
    def writing(self, name: str, *, wait: bool = True) -> Iterator[bool]:
        """Hold the write lock of `name`; yields False, holding nothing, where it is taken and `wait` is False.

        Raises OSError where the lock file cannot be made.
        """
        self._make_folder()
        lock = FileLock(self._folder / f"write-{sha256(name.encode()).hexdigest()[:2]}.lock", thread_local=False)
        try:
            lock.acquire(timeout=-1 if wait else 0, poll_interval=_POLL_SECONDS)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def try_flight(self, key: str, holder: object) -> Flight | None:
        """Begin the flight of `key` for `holder`, or return None where another one is under way; never waits."""
        with self._guard:
            if key in self._flights:
                return None
            self._flights[key] = holder
        try:
            self._make_folder()
            path = self._folder / f"{key}.flight"
            lock = FileLock(path, thread_local=False)
            lock.acquire(timeout=0)
        except BaseException as error:
            with self._guard:
                del self._flights[key]
            if isinstance(error, Timeout):
                return None
            raise
        return Flight(self, key, lock, path)

    def is_flying(self, holder: object) -> bool:
        """Whether `holder` has a flight under way. Whoever has one never waits for another: two could wait for ever."""
        with self._guard:
            return holder in self._flights.values()

    def is_under_way_here(self, key: str) -> bool:
        """Whether this process itself has the flight of `key` under way."""
        return key in self._flights

    def _landed(self, key: str) -> None:
        with self._guard:
            self._flights.pop(key, None)

    def _make_folder(self) -> None:
        if not self._folder.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / ".gitignore").write_text("*\n", encoding="ascii")


class Flight:
    """One key being asked of the API by this process."""

    def __init__(self, locks: Locks, key: str, lock: FileLock, path: Path) -> None:
        self._locks = locks
        self._key = key
        self._lock = lock
        self._path = path
        self._pid = os.getpid()

    def land(self) -> None:
        """End the flight; those who wait look for the recording. Landing twice is safe."""
        if not self._lock.is_locked or os.getpid() != self._pid:  # a forked child holds none of its parent's flights
            return
        try:
            # While it is held, so that nobody locks a file that is about to go; filelock tries again on one that went.
            self._path.unlink(missing_ok=True)
        except OSError:
            pass  # Windows does not remove an open file; it is empty and git passes over it
        self._lock.release()
        self._locks._landed(self._key)
