"""What the project's files configure for the recorders of its tests, as a command takes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import click

from ..errors import RecorderError
from ..project_files import configured_from, root_of
from ..redaction.redactor import Redactor
from ..redaction.secret_env import secret_values
from ..storage.directories import DEFAULT_DIRECTORY, Directories, chosen_directories


class Configured(NamedTuple):
    """The rules that a pytest started in the working directory would go by."""

    recordings: Path | None = None
    redact: tuple[re.Pattern[str], ...] = ()
    normalize: tuple[str | Mapping[str, str], ...] | None = None
    """None where nothing is said of them."""
    secret_env: tuple[str, ...] = ()

    @property
    def redactor(self) -> Redactor:
        """What finds the secrets that a recorder would hide."""
        return Redactor(secret_values(self.secret_env), self.redact)


def directory_for(directory: Path | None) -> tuple[Directories, str]:
    """Return the places that a command looks in, and what chose them: `directory`, else what recorders would take.

    That is what a variable names, else the configured folder, else "recordings" here or at pytest's rootdir. Raises
    click.UsageError.
    """
    directories, source = chosen_directories(directory)
    if source != "default":
        return directories, source
    try:
        said, root = configured_from(Path.cwd()).get("recordings"), root_of(Path.cwd())
    except RecorderError as error:
        raise click.UsageError(str(error)) from None
    if said is not None:
        return chosen_directories(said[0])[0], said[1]
    if directories.written.is_dir() or root is None:
        return directories, source
    return chosen_directories(root / DEFAULT_DIRECTORY)[0], source


def configured() -> Configured:
    """Read the files; raises click.UsageError for one that has no meaning."""
    try:
        said = configured_from(Path.cwd())
    except RecorderError as error:
        raise click.UsageError(str(error)) from None
    return Configured(**{key: value for key, (value, _) in said.items()})
