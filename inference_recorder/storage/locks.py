"""File locks of one folder of recordings, all in its `.locks`, which git is told to pass over.

Two kinds. A write lock is held while one file is replaced; a few hundred files lock all names. A flight is held while
one key is asked of the API, however long that takes, so that of several workers who miss a key only one asks; its file
goes when it ends. Both are the operating system's locks: whoever dies lets go of them.

Holds state: which flights this process has under way, and for whom.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import FileLock

_POLL_SECONDS = 0.005

_flights: dict[Path, object] = {}
"""Lock file -> who holds it. Of the whole process, so that two sessions of one thread do not wait for each other."""
# Reentrant: a stream that is collected as garbage lands its flight, and that can happen anywhere.
_guard = threading.RLock()


def _forget_the_parents_flights() -> None:
    global _guard
    _guard = threading.RLock()
    _flights.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_the_parents_flights)


def is_flying(holder: object) -> bool:
    """Whether `holder` has a flight under way. Whoever has one never waits for another: two could wait for ever."""
    with _guard:
        return any(other is holder or other == holder for other in _flights.values())


class Locks:
    """The locks of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / ".locks"
        self._of_stripes: dict[tuple[int, str], FileLock] = {}
        """(process, stripe) -> its lock; a forked child must not use one of its parent's."""

    @contextmanager
    def writing(self, name: str, *, wait: bool = True) -> Iterator[bool]:
        """Hold the write lock of `name`; yields False, holding nothing, where it is taken and `wait` is False.

        Raises OSError where the lock file cannot be made.
        """
        from filelock import FileLock, Timeout  # not before something is written: a replay has no use for it

        self._make_folder()
        stripe = sha256(name.encode()).hexdigest()[:1]
        known_as = os.getpid(), stripe
        lock = self._of_stripes.get(known_as)
        if lock is None:
            lock = self._of_stripes[known_as] = FileLock(self._folder / f"write-{stripe}.lock")
        # A thread that holds it would get it again; this happens where a stream is collected as garbage in a write.
        if not wait and lock.is_locked:
            yield False
            return
        try:
            lock.acquire(timeout=-1 if wait else 0, poll_interval=_POLL_SECONDS)
        except Timeout:
            yield False
            return
        except RuntimeError:  # as above, while this thread waits for it or lets go of it
            if wait:
                raise
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def try_flight(self, key: str, holder: object) -> Flight | None:
        """Begin the flight of `key` for `holder`, or return None where another one is under way; never waits.

        Raises OSError where the lock file cannot be made.
        """
        from filelock import FileLock, Timeout

        path = self._folder / f"{key}.flight"
        with _guard:
            if path in _flights:
                return None
            _flights[path] = holder
        try:
            self._make_folder()
            lock = FileLock(path, thread_local=False)
            lock.acquire(timeout=0)
        except BaseException as error:
            _landed(path)
            if isinstance(error, Timeout):
                return None
            raise
        return Flight(lock, path)

    def is_under_way_here(self, key: str) -> bool:
        """Whether this process itself has the flight of `key` under way."""
        return self._folder / f"{key}.flight" in _flights

    def _make_folder(self) -> None:
        # Not through a link: a stranger's recordings could else have us make files wherever they like.
        try:
            if stat.S_ISDIR(os.lstat(self._folder).st_mode):
                return
        except FileNotFoundError:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / ".gitignore").write_text("*\n", encoding="ascii")
        else:
            raise NotADirectoryError(errno.ENOTDIR, f"{self._folder} is a link or a file, not a folder")


class Flight:
    """One key being asked of the API by this process."""

    def __init__(self, lock: FileLock, path: Path) -> None:
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
        _landed(self._path)


def _landed(path: Path) -> None:
    with _guard:
        _flights.pop(path, None)
