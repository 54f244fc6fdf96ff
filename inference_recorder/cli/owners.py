"""Which test a recording belongs to: by its key version, and by whether the test's file still exists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import click

from ..fixture_ids import SESSION, parsed_fixture_id
from ..request.keys import KeyVersion
from ..storage.catalogue import Entry
from ..storage.key_versions import is_shared

_Command = TypeVar("_Command", bound=Callable[..., object])


@dataclass(slots=True)
class TestFiles:
    """The files and directories that test ids name, and whether they exist.

    What is in a file is not checked: tests are also inherited, generated, or made by decorators and plugins.
    """

    rootdir: Path
    _exist: Counter[bool] = field(default_factory=Counter)
    """Whether the named file exists -> number of recordings."""

    def missing(self, entry: Entry, version: KeyVersion | None) -> str | None:
        """Return the file or directory that is missing; None if it exists, or if the recording is shared."""
        if entry.test_id is None or (name := _file_of(entry.test_id)) is None:
            return None
        try:
            exists = (self.rootdir / name).exists()
        except (OSError, ValueError):  # the name is too long, or has a NUL
            exists = False
        self._exist[exists] += 1
        return None if exists or entry.asked is None or is_shared(entry, version) else name

    @property
    def are_all_missing(self) -> bool:
        """Whether files were named and none of them exists, so that `rootdir` is probably not pytest's."""
        return self._exist[False] > 0 and not self._exist[True]


def _file_of(test_id: str) -> str | None:
    """Return the Python file of a test or fixture, or the directory of a fixture; None for ids of another form."""
    fixture = parsed_fixture_id(test_id)
    if fixture is not None and fixture.scope != SESSION and fixture.scope.endswith("/"):
        return fixture.scope
    file, separator, _ = (test_id if fixture is None else fixture.scope).partition("::")
    return file if file.endswith(".py") and (separator or fixture is not None) else None


def takes_rootdir(command: _Command) -> _Command:
    """Give a command the option --rootdir; its function takes `rootdir: Path | None`."""
    return click.option(
        "--rootdir",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="pytest's rootdir, to which test ids are relative. Default: the working directory.",
    )(command)
