"""An index of the requests in all recordings of some directories, read once for all misses of a process.

Holds state: the last few indexes, each until its directories change.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse

from ..errors import CorruptRecording
from ..redaction.requests import recorded_request
from ..request.keys import body_text_as_keyed
from ..storage.catalogue import Entry, entry_without_answer, paths_in

MOST_SECONDS = 2.0
"""Reading stops after this time, which is enough for some 15,000 recordings."""
_MOST_CHARACTERS = 32_000_000
_MOST_OF_ONE = 16_000
_MOST_INDEXES = 4
_SETTLED_NANOSECONDS = 100_000_000
"""A directory that changed this recently may change again without a new modification time."""

_kept: dict[tuple[Path, ...], Index] = {}


class Asked(NamedTuple):
    """The request of one recording."""

    path: Path
    test_id: str | None
    endpoint: str
    url_path: str
    model: str
    body_hash: int
    """Of the body's canonical text as a key sees it; means nothing in another process."""
    text: str
    """The beginning of that text."""


class Index:
    """The requests in all recordings of some directories."""

    def __init__(
        self, directories: Sequence[Path], most_seconds: float = math.inf, most_characters: float = math.inf
    ) -> None:
        self.changed = _times_of_change(directories)
        self.by_test: defaultdict[str | None, list[Asked]] = defaultdict(list)
        self.by_endpoint: defaultdict[str, list[Asked]] = defaultdict(list)
        self.by_body: defaultdict[int, list[Asked]] = defaultdict(list)
        self.unreadable = 0
        self.read = 0
        paths = list(paths_in(directories))
        self.found = len(paths)
        end = time.monotonic() + most_seconds
        for path in paths:
            if most_characters <= 0 or time.monotonic() > end:
                break
            self.read += 1
            try:
                asked = _asked(entry_without_answer(path))
            except (CorruptRecording, ValueError, TypeError, AttributeError, RecursionError):
                self.unreadable += 1  # such a file must not hide the miss that is explained
                continue
            if asked is not None:
                most_characters -= len(asked.text)
                self.by_test[asked.test_id].append(asked)
                self.by_endpoint[asked.endpoint].append(asked)
                self.by_body[asked.body_hash].append(asked)

    @property
    def is_whole(self) -> bool:
        """Whether all files were read."""
        return self.read == self.found


def index_of(directories: Sequence[Path]) -> Index:
    """Return the current index of these directories."""
    directories = tuple(directories)
    kept = _kept.pop(directories, None)
    if kept is None or kept.changed != _times_of_change(directories):
        begun = time.time_ns()
        kept = Index(directories, MOST_SECONDS, _MOST_CHARACTERS)
        if begun - max(kept.changed, default=0) < _SETTLED_NANOSECONDS:
            return kept
    _kept[directories] = kept  # last, as the one used last
    while len(_kept) > _MOST_INDEXES:
        _kept.pop(next(iter(_kept)), None)
    return kept


def _asked(entry: Entry) -> Asked | None:
    if not entry.is_sdk_call:
        return None
    request = recorded_request(entry.request)
    text = body_text_as_keyed(request)
    path = path_of(request.url)
    return Asked(entry.path, entry.test_id, entry.endpoint, path, entry.model, hash(text), text[:_MOST_OF_ONE])


@lru_cache(maxsize=1024)
def path_of(url: str) -> str:
    """Return the part of a URL that a key depends on."""
    return urlparse(url).path


def _times_of_change(directories: Sequence[Path]) -> tuple[int, ...]:
    return tuple(_time_of_change(directory) for directory in directories)


def _time_of_change(directory: Path) -> int:
    try:
        return directory.stat().st_mtime_ns
    except OSError:
        return 0
