"""A recording and the test that made it: which key rule names it, whom it answers, whether the test's file exists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ..fixture_ids import SESSION, parsed_fixture_id
from ..request.keys import Generation, generation_of, is_bound_to_its_test
from ..storage.catalogue import Entry


def naming_rule(entry: Entry) -> Generation | None:
    """Return the newest key rule that gives a recording its name, None where none does."""
    try:
        asked = entry.asked
        return None if asked is None else generation_of(entry.key, asked, entry.test_id)
    except RecursionError:  # arguments nested too deep to normalise: nobody asks for that
        return None


def is_shared(entry: Entry, rule: Generation | None) -> bool:
    """Whether a recording answers other tests than the one that made it too: its key does not hold the test."""
    asked = entry.asked
    if asked is None:
        return False
    return asked.is_model_list if rule is None else not is_bound_to_its_test(asked, rule)


@dataclass(slots=True)
class Orphans:
    """Tells whether the file or directory that a recording's test id names exists.

    Nothing is said of what is in a file: tests are also inherited, generated, or made by decorators and plugins.
    """

    rootdir: Path
    _has_met: Counter[bool] = field(default_factory=Counter)
    """Whether the file of a test exists, for each recording that names one of pytest's."""

    def missing(self, entry: Entry, rule: Generation | None) -> str | None:
        """Return the file or directory that is missing; None if it exists, or if the recording answers other tests."""
        if entry.test_id is None or (name := _file_of(entry.test_id)) is None:
            return None
        try:
            exists = (self.rootdir / name).exists()
        except (OSError, ValueError):  # a name too long, or one that holds NUL
            exists = False
        self._has_met[exists] += 1
        return None if exists or entry.asked is None or is_shared(entry, rule) else name

    @property
    def has_met_no_file(self) -> bool:
        """Whether tests were named and the files of all are missing: then this is hardly pytest's rootdir."""
        return self._has_met[False] > 0 and not self._has_met[True]


def _file_of(test_id: str) -> str | None:
    """Return the Python file of a test or fixture, or the directory of a fixture; None for ids of another form."""
    fixture = parsed_fixture_id(test_id)
    if fixture is not None and fixture.scope != SESSION and fixture.scope.endswith("/"):
        return fixture.scope
    file, separator, _ = (test_id if fixture is None else fixture.scope).partition("::")
    return file if file.endswith(".py") and (separator or fixture is not None) else None


def takes_rootdir(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option --rootdir; its function takes `rootdir: Path | None`."""
    return click.option(
        "--rootdir",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="pytest's rootdir, which the ids of tests start from; else the working directory.",
    )(command)
