"""Which recordings a command is asked for: the options that choose among them."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import click

from ..storage.catalogue import Entry
from .amounts import age, size

_OPTIONS = (
    click.option("--test", metavar="TEXT", help="Only recordings of tests whose id matches."),
    click.option("--model", metavar="TEXT", help="Only of models that match."),
    click.option("--endpoint", metavar="TEXT", help="Only of endpoints that match, such as embeddings."),
    click.option("--older-than", type=age, metavar="AGE", help="Only of files that changed before that: 30d, 12h."),
    click.option("--newer-than", type=age, metavar="AGE", help="Only of files that changed since then."),
    click.option("--larger-than", type=size, metavar="SIZE", help="Only of larger files: 10k, 1.5M."),
)


@dataclass(frozen=True, slots=True)
class Filter:
    """What the options ask for; None asks for nothing. A text matches as a part, with * or ? as a whole."""

    test: str | None = None
    model: str | None = None
    endpoint: str | None = None
    older_than: float | None = None
    newer_than: float | None = None
    """Seconds, as `older_than`."""
    larger_than: float | None = None
    """Bytes."""

    @property
    def asks_what_was_recorded(self) -> bool:
        """Whether a file that cannot be read is beside the question."""
        return (self.test, self.model, self.endpoint) != (None, None, None)

    def takes(self, entry: Entry) -> bool:
        """Whether a recording is asked for, as far as its content goes."""
        return (
            _matches(self.test, entry.test_id or "")
            and _matches(self.model, entry.model)
            and _matches(self.endpoint, entry.endpoint)
        )

    def takes_file(self, found: os.stat_result) -> bool:
        """Whether a file is asked for, as far as its age and size go."""
        age = time.time() - found.st_mtime
        return (
            (self.older_than is None or age > self.older_than)
            and (self.newer_than is None or age < self.newer_than)
            and (self.larger_than is None or found.st_size > self.larger_than)
        )


def takes_filter(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that choose among recordings; its function takes `wanted: Filter`."""

    @functools.wraps(command)
    def run(
        *args: Any,
        test: str | None,
        model: str | None,
        endpoint: str | None,
        older_than: float | None,
        newer_than: float | None,
        larger_than: float | None,
        **kwargs: Any,
    ) -> Any:
        wanted = Filter(test, model, endpoint, older_than, newer_than, larger_than)
        return command(*args, wanted=wanted, **kwargs)

    decorated: Callable[..., Any] = run
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def _matches(pattern: str | None, text: str) -> bool:
    if pattern is None:
        return True
    if "*" not in pattern and "?" not in pattern:
        return pattern in text
    return fnmatchcase(text, pattern.replace("[", "[[]"))  # a test's id holds brackets of its own
