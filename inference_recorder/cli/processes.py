"""Work on many files: in this process, and in several where it takes long. What is returned is in the files' order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from typing import TypeVar

from .console import remark, tracked

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_PATIENCE_SECONDS = 0.5
"""To start processes takes up to half a second, so they are for what takes longer."""
_MOST_PROCESSES = 4
"""Each takes 40 MB."""
_ITEMS_AT_A_TIME = 128
_LOTS_FOR_EACH = 4
"""For each process, so many lots of items are ready or done: no more are held."""


def mapped(
    work: Callable[[Sequence[_Item]], Iterable[_Result]],
    items: Iterable[_Item],
    activity: str,
    count: Callable[[], int],
) -> Iterator[_Result]:
    """Yield what `work` returns for each item, in order; a terminal gets a progress bar, which `count` is for.

    `work` takes some items and returns one result for each. Like them it can be pickled, and it prints nothing. Few
    items and results are held at a time.
    """
    return tracked(_worked(work, items), activity, count)


def _worked(work: Callable[[Sequence[_Item]], Iterable[_Result]], items: Iterable[_Item]) -> Iterator[_Result]:
    source = iter(items)
    lots = iter(lambda: list(islice(source, _ITEMS_AT_A_TIME)), [])
    started, number = time.monotonic(), min(_usable_cores(), _MOST_PROCESSES)
    for lot in lots:
        if number == 1 or time.monotonic() - started < _PATIENCE_SECONDS:
            yield from work(lot)
            continue
        waiting = deque([lot, *islice(lots, _LOTS_FOR_EACH * number - 1)])
        if len(waiting) > 1:
            yield from _worked_in_processes(work, waiting, lots, number)
        # None are left but where processes do not work.
        yield from chain.from_iterable(map(work, chain(waiting, lots)))


def _worked_in_processes(
    work: Callable[[Sequence[_Item]], Iterable[_Result]],
    waiting: deque[list[_Item]],
    lots: Iterator[list[_Item]],
    number: int,
) -> Iterator[_Result]:
    """Yield the results of what is waiting and of further lots; what is left is waiting if processes do not work."""
    # A fork takes a tenth of the time, and is safe only while there are no threads.
    can_fork = sys.platform == "linux" and threading.active_count() == 1
    pool = None
    try:
        context = multiprocessing.get_context("fork" if can_fork else "spawn")
        pool = ProcessPoolExecutor(min(number, len(waiting)), context, _begin)
        futures: deque[Future[list[_Result]]] = deque()
        with _uninterrupted():
            futures += [pool.submit(_results, work, lot) for lot in waiting]
        while waiting:
            results = futures.popleft().result()
            waiting.popleft()
            yield from results
            for lot in islice(lots, 1):
                waiting.append(lot)
                with _uninterrupted():
                    futures.append(pool.submit(_results, work, lot))
    except (BrokenProcessPool, ImportError, NotImplementedError, OSError) as error:
        remark(f"going on in one process, because others do not work here: {error}", "yellow")
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def _results(work: Callable[[Sequence[_Item]], Iterable[_Result]], items: Sequence[_Item]) -> list[_Result]:
    return list(work(items))


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait until the end of the block; processes that are started in it never get it, not even at first."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """Make a new process end with this one, which alone is interrupted by Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)  # it was killed, and nobody takes the results


def _usable_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        return os.cpu_count() or 1
