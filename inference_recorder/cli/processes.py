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
from itertools import islice
from typing import TypeVar

from .console import remark, tracked

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_PATIENCE_SECONDS = 0.5
"""To start processes takes up to half a second, so they are for what takes longer."""
_MOST_PROCESSES = 4
"""Each takes 40 MB."""
_ITEMS_AT_A_TIME = 64


def mapped(
    work: Callable[[Sequence[_Item]], Iterable[_Result]], items: Sequence[_Item], activity: str
) -> Iterator[_Result]:
    """Yield what `work` returns for each item, in order; a terminal gets a progress bar.

    `work` takes some items and returns one result for each. Like them it can be pickled, and it prints nothing.
    """
    return tracked(_worked(work, items), activity, len(items))


def _worked(work: Callable[[Sequence[_Item]], Iterable[_Result]], items: Sequence[_Item]) -> Iterator[_Result]:
    starts = range(0, len(items), _ITEMS_AT_A_TIME)
    rest = deque(items[start : start + _ITEMS_AT_A_TIME] for start in starts)
    cores, started = _usable_cores(), time.monotonic()
    while rest:
        if min(cores, len(rest)) > 1 and time.monotonic() - started > _PATIENCE_SECONDS:
            yield from _worked_in_processes(work, rest, min(cores, len(rest), _MOST_PROCESSES))
            cores = 1
        else:
            yield from work(rest.popleft())


def _worked_in_processes(
    work: Callable[[Sequence[_Item]], Iterable[_Result]], rest: deque[Sequence[_Item]], number: int
) -> Iterator[_Result]:
    """Take from `rest` and yield results until it is empty, or until processes turn out not to work here."""
    # A fork takes a tenth of the time, and is safe only while there are no threads.
    can_fork = sys.platform == "linux" and threading.active_count() == 1
    pool = None
    try:
        context = multiprocessing.get_context("fork" if can_fork else "spawn")
        pool = ProcessPoolExecutor(number, context, _begin)
        futures: deque[Future[list[_Result]]] = deque()
        while rest:
            # A few are ready for each process, and not all, so that no more than their results are waiting.
            for items in islice(rest, len(futures), 4 * number):
                futures.append(pool.submit(_results, work, items))
            results = futures.popleft().result()
            rest.popleft()
            yield from results
    except (BrokenProcessPool, ImportError, NotImplementedError, OSError) as error:
        remark(f"going on in one process, because others do not work here: {error}", "yellow")
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def _results(work: Callable[[Sequence[_Item]], Iterable[_Result]], items: Sequence[_Item]) -> list[_Result]:
    return list(work(items))


def _begin() -> None:
    """Have a new process end with this one, which alone is interrupted by Ctrl-C."""
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
