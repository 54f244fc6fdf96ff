"""The options of `ls` that choose among recordings."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

import click

from ..errors import CorruptRecording
from ..storage.catalogue import Entry
from .amounts import age, size
from .directories import SearchedDirectories

_OPTIONS = (
    click.option("--test", metavar="TEXT", help="Only recordings of tests whose id matches."),
    click.option("--model", metavar="TEXT", help="Only recordings of models that match."),
    click.option("--endpoint", metavar="TEXT", help="Only recordings of endpoints that match: embeddings."),
    click.option("--older-than", type=age, metavar="AGE", help="Only files that changed earlier: 30d, 12h."),
    click.option("--newer-than", type=age, metavar="AGE", help="Only files that changed since."),
    click.option("--larger-than", type=size, metavar="SIZE", help="Only larger files: 10k, 1.5M."),
)


@dataclass(frozen=True, slots=True)
class Filter:
    """The values of the options; None matches everything. A text matches any part, or the whole if it has * or ?."""

    test: str | None = None
    model: str | None = None
    endpoint: str | None = None
    older_than: float | None = None
    newer_than: float | None = None
    """Seconds, as `older_than`."""
    larger_than: float | None = None
    """Bytes."""

    @property
    def needs_content(self) -> bool:
        """Whether a file must be readable to match."""
        return (self.test, self.model, self.endpoint) != (None, None, None)

    def matches(self, entry: Entry) -> bool:
        """Whether the content of a recording matches."""
        return (
            _matches(self.test, entry.test_id or "")
            and _matches(self.model, entry.model)
            and _matches(self.endpoint, entry.endpoint)
        )

    def matches_file(self, file: os.stat_result) -> bool:
        """Whether the age and size of a file match."""
        age = time.time() - file.st_mtime
        return (
            (self.older_than is None or age > self.older_than)
            and (self.newer_than is None or age < self.newer_than)
            and (self.larger_than is None or file.st_size > self.larger_than)
        )


def takes_filter(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose among recordings; its function takes `wanted: Filter`."""

    @functools.wraps(command)
    def run(**options: Any) -> None:
        wanted = Filter(**{field.name: options.pop(field.name) for field in fields(Filter)})
        command(wanted=wanted, **options)

    decorated: Callable[..., None] = run
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def matching(
    directories: SearchedDirectories, wanted: Filter
) -> Iterator[tuple[Entry | CorruptRecording, os.stat_result | None]]:
    """Yield each recording that matches and each error of reading one, with the file's age and size if known."""
    for entry in directories.entries():
        try:
            file = entry.path.stat()
        except OSError:  # a broken link, or the file has just been removed
            file = None
        if file is not None and not wanted.matches_file(file):
            continue
        if isinstance(entry, CorruptRecording) or wanted.matches(entry):
            yield entry, file


def _matches(pattern: str | None, text: str) -> bool:
    if pattern is None:
        return True
    if "*" not in pattern and "?" not in pattern:
        return pattern in text
    return fnmatchcase(text, pattern.replace("[", "[[]"))  # a test id has brackets of its own
