"""File locks of one folder of recordings, all in its `.locks`, which git is told to pass over.

Two kinds, each a file for each name. A write lock is held while one recording is replaced; a call waits for one for a
few seconds, because its holder may be stopped (a debugger, SIGSTOP) and would hold up every other recorder. A flight is
held while one key is asked of the API, however long that takes, so that of several workers who miss a key only one
asks. Both are the operating system's locks: whoever dies lets go of them. A file goes when its lock is released.

Holds state: which flights this process has under way, and for whom; which write locks its threads hold or wait for.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..recording.layout import LOCK_DIRECTORY, in_flight_lock_name, is_lock_name, write_lock_name

if TYPE_CHECKING:
    from filelock import FileLock

_POLL_SECONDS = 0.005
LONGEST_WAIT_SECONDS = 5.0

_in_flight: dict[Path, object] = {}
"""Lock file -> who holds it. Of the whole process, so that two sessions of one thread do not wait for each other."""
_writing: set[tuple[int, Path]] = set()
"""(thread, lock file) of the write locks that are held or waited for."""
# Reentrant: a stream that is collected as garbage lands its flight, and that can happen anywhere.
_guard = threading.RLock()


def _forget_in_flight_of_parent() -> None:
    global _guard
    _guard = threading.RLock()
    _in_flight.clear()
    _writing.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_flight_of_parent)


def has_in_flight(holder: object) -> bool:
    """Whether `holder` has a flight under way. Whoever has one never waits for another: two could wait for ever."""
    with _guard:
        return any(other is holder or other == holder for other in _in_flight.values())


class Patience:
    """How long one call waits for write locks, however many it takes."""

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = LONGEST_WAIT_SECONDS if seconds is None else seconds

    @property
    def seconds(self) -> float:
        """What is left of it."""
        return self._seconds

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Take what the block lasts from it."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._seconds = max(0.0, self._seconds - (time.monotonic() - begun))


class Locks:
    """The locks of one folder."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / LOCK_DIRECTORY

    @staticmethod
    def prepare() -> None:
        """Import what a lock needs: not as late as in a write, which a stream may do that is collected in an import."""
        import filelock  # noqa: F401 - and not before something is recorded, since a replay has no use for it

    def path_of(self, name: str) -> Path:
        """Return the file of the write lock of `name`."""
        return self._directory / write_lock_name(name)

    @contextmanager
    def writing(self, name: str, *, wait: bool = True, patience: Patience | None = None) -> Iterator[bool]:
        """Hold the write lock of `name`, for which the block waits at most `patience`; not at all if `wait` is False.

        Yields whether it is held. Raises OSError where the lock file cannot be made.
        """
        path = self.path_of(name)
        held_by = threading.get_ident(), path
        # A stream may be collected as garbage while its own thread writes, or waits for the lock.
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
        from filelock import FileLock, Timeout

        self._make_directory()
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
        """Remove the lock files of writers and askers that were killed."""
        from filelock import FileLock, Timeout

        if not self._is_there():
            return
        for name in os.listdir(self._directory):
            path = self._directory / name
            if not is_lock_name(name):
                continue
            lock = FileLock(path, thread_local=False)
            try:
                lock.acquire(timeout=0)
            except (Timeout, OSError):
                continue
            _unlocked(lock, path)

    def try_in_flight(self, key: str, holder: object) -> InFlight | None:
        """Begin the flight of `key` for `holder`, or return None where another one is under way; never waits.

        Raises OSError where the lock file cannot be made.
        """
        from filelock import FileLock, Timeout

        path = self._directory / in_flight_lock_name(key)
        with _guard:
            if path in _in_flight:
                return None
            _in_flight[path] = holder
        try:
            self._make_directory()
            lock = FileLock(path, thread_local=False)
            lock.acquire(timeout=0)
        except BaseException as error:
            _released(path)
            if isinstance(error, Timeout):
                return None
            raise
        return InFlight(lock, path)

    def is_under_way_here(self, key: str) -> bool:
        """Whether this process itself has the flight of `key` under way."""
        return self._directory / in_flight_lock_name(key) in _in_flight

    def _make_directory(self) -> None:
        if not self._is_there():
            self._directory.mkdir(parents=True, exist_ok=True)
            (self._directory / ".gitignore").write_text("*\n", encoding="ascii")

    def _is_there(self) -> bool:
        # Not through a link: a stranger's recordings could otherwise have us make files wherever they like.
        try:
            if stat.S_ISDIR(os.lstat(self._directory).st_mode):
                return True
        except FileNotFoundError:
            return False
        raise NotADirectoryError(errno.ENOTDIR, f"{self._directory} is a link or a file, not a folder")


class InFlight:
    """One key being asked of the API by this process."""

    def __init__(self, lock: FileLock, path: Path) -> None:
        self._lock = lock
        self._path = path
        self._pid = os.getpid()

    def release(self) -> None:
        """End the flight; those who wait look for the recording. Landing twice is safe."""
        if not self._lock.is_locked or os.getpid() != self._pid:  # a forked child holds none of its parent's flights
            return
        _unlocked(self._lock, self._path)
        _released(self._path)


def _unlocked(lock: FileLock, path: Path) -> None:
    """Release a lock and remove its file."""
    try:
        # While it is held, so that nobody locks a file that is about to go; filelock tries again on one that went.
        path.unlink(missing_ok=True)
    except OSError:
        pass  # Windows does not remove an open file; it is empty and git passes over it
    lock.release()


def _released(path: Path) -> None:
    with _guard:
        _in_flight.pop(path, None)
