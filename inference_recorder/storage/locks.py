"""File locks of one directory of recordings, in its `.locks`, which git ignores.

There are two kinds, with one file for each name. A write lock is held while a recording is replaced; a call waits for
it only a few seconds, since its holder may be stopped (by a debugger or SIGSTOP). An in-flight lock is held while a
request is made, however long that takes, so that only one of several workers with the same miss makes it. Both are
locks of the operating system, which end with their process. A lock file is removed when its lock is released.

Holds state, guarded by `_guard`: the in-flight requests of this process and their holders. The write locks that its
threads hold or wait for need no guard, since each thread changes only entries of its own.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..forks import renew_in_child
from ..recording.layout import LOCK_DIRECTORY, in_flight_lock_name, is_lock_name, write_lock_name
from .files import is_directory, make_ignored

if TYPE_CHECKING:
    from filelock import FileLock

_POLL_SECONDS = 0.005
LONGEST_WAIT_SECONDS = 5.0

_in_flight: dict[Path, object] = {}
"""{lock file: holder} for the whole process, so that two sessions of one thread do not wait for each other."""
_writing: set[tuple[int, Path]] = set()
"""(thread, lock file) of each write lock that is held or waited for."""
# Reentrant: a stream releases its lock when it is collected as garbage, which can happen anywhere.
_guard = threading.RLock()
renew_in_child(globals())


def _forget_in_flight_of_parent() -> None:
    _in_flight.clear()
    _writing.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_flight_of_parent)


def has_in_flight(holder: object) -> bool:
    """Whether `holder` has a request in flight. If so, it must not wait for another one, to avoid a deadlock."""
    with _guard:
        return any(known is holder or known == holder for known in _in_flight.values())


class Patience:
    """How long one call waits for all the write locks that it takes."""

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = LONGEST_WAIT_SECONDS if seconds is None else seconds
        """The time left."""

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Subtract the duration of the block."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.seconds = max(0.0, self.seconds - (time.monotonic() - begun))


class Locks:
    """The locks of one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / LOCK_DIRECTORY

    @staticmethod
    def prepare() -> None:
        """Import filelock before a write: a stream that is collected during an import may have to write."""
        import filelock  # noqa: F401 - not at the top, since a replay does not need it

    def path_of(self, name: str) -> Path:
        """Return the path of the write lock of `name`."""
        return self._directory / write_lock_name(name)

    @contextmanager
    def writing(self, name: str, *, wait: bool = True, patience: Patience | None = None) -> Iterator[bool]:
        """Hold the write lock of `name`; yields whether it is held.

        Waits as long as `patience` allows, not at all if `wait` is False. Raises OSError if there can be no lock file.
        """
        path = self.path_of(name)
        held_by = threading.get_ident(), path
        # A stream may be collected as garbage while its own thread holds the lock or waits for it.
        if held_by in _writing:
            yield False
            return
        _writing.add(held_by)
        try:
            lock = self._locked(path, (patience or Patience()) if wait else None)
            try:
                yield lock is not None
            finally:
                if lock is not None:
                    _unlocked(lock, path)
        finally:
            _writing.discard(held_by)

    def _locked(self, path: Path, patience: Patience | None) -> FileLock | None:
        """Return the lock that is held now; None if another holds it, after waiting as long as `patience` allows."""
        from filelock import FileLock, Timeout

        make_ignored(self._directory)
        lock = FileLock(path, thread_local=False)
        try:
            if patience is None:
                lock.acquire(timeout=0)
            else:
                with patience.waiting():
                    lock.acquire(timeout=patience.seconds, poll_interval=_POLL_SECONDS)
        except Timeout:
            return None
        return lock

    def remove_abandoned(self) -> None:
        """Remove the lock files of killed processes."""
        if not is_directory(self._directory):
            return
        for name in os.listdir(self._directory):
            path = self._directory / name
            with suppress(OSError):
                if is_lock_name(name) and (lock := self._locked(path, None)) is not None:
                    _unlocked(lock, path)

    def try_in_flight(self, key: str, holder: object) -> InFlight | None:
        """Return the in-flight lock of `key` for `holder`, or None if the request is in flight already; never waits.

        Raises OSError if there can be no lock file.
        """
        path = self._directory / in_flight_lock_name(key)
        with _guard:
            if path in _in_flight:
                return None
            _in_flight[path] = holder
        lock = None
        try:
            lock = self._locked(path, None)
        finally:
            if lock is None:
                _forget_in_flight(path)
        return None if lock is None else InFlight(lock, path)

    def is_in_flight_here(self, key: str) -> bool:
        """Whether this process itself has the request with this key in flight."""
        return self._directory / in_flight_lock_name(key) in _in_flight


class InFlight:
    """The lock of one request that this process has in flight."""

    def __init__(self, lock: FileLock, path: Path) -> None:
        self._lock = lock
        self._path = path
        self._pid = os.getpid()

    def release(self) -> None:
        """Release the lock, so that others look for the recording. Does nothing when repeated, or in a forked child."""
        if not self._lock.is_locked or os.getpid() != self._pid:
            return
        _unlocked(self._lock, self._path)
        _forget_in_flight(self._path)


def _unlocked(lock: FileLock, path: Path) -> None:
    """Release a lock and remove its file."""
    try:
        # While the lock is held, so that nobody locks a removed file; filelock detects one and tries again.
        path.unlink(missing_ok=True)
    except OSError:
        pass  # Windows does not remove an open file; it is empty, and git ignores it
    lock.release()


def _forget_in_flight(path: Path) -> None:
    with _guard:
        _in_flight.pop(path, None)
