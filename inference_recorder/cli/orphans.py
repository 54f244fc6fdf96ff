"""Recordings whose test is gone: the one rule of `check` and `prune`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ..identity.keys import Generation, generation_of, is_bound_to_its_test
from ..storage.catalogue import Entry
from .node_ids import Presence, TestFiles, Verdict

_KEPT = Verdict(Presence.THERE)


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
    """Tells whether a recording's test is there."""

    tests: TestFiles
    _has_met: Counter[bool] = field(default_factory=Counter)
    """Whether the file of a test exists, for each recording that names one of pytest's."""

    def verdict(self, entry: Entry, rule: Generation | None) -> Verdict:
        """Return GONE, with the reason, only for a call of the SDK that no test can make any more."""
        if entry.test_id is not None and "::" in entry.test_id:
            self._has_met[self.tests.has_file_of(entry.test_id)] += 1
        if entry.test_id is None or entry.asked is None or is_shared(entry, rule):
            return _KEPT
        return self.tests.verdict(entry.test_id)

    @property
    def has_met_no_file(self) -> bool:
        """Whether tests were named and the files of all are missing: then this is hardly pytest's rootdir."""
        return self._has_met[False] > 0 and not self._has_met[True]


def takes_rootdir(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option --rootdir; its function takes `rootdir: Path | None`."""
    return click.option(
        "--rootdir",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="pytest's rootdir, which the ids of tests start from; else the working directory.",
    )(command)
