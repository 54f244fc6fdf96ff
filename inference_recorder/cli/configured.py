"""The configuration of the project in whose directory a command is run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeAlias

import click

from ..config import DEFAULT, DEFAULT_DIRECTORY, Config, Setting
from ..errors import RecorderError
from ..pyproject import nearest_pyproject, table_of
from ..redaction.secret_env import secret_values
from ..storage.projects import Projects

Secrets: TypeAlias = "tuple[frozenset[str], tuple[re.Pattern[str], ...]]"
_ROOT_FILES = ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg", "setup.py")


def configured() -> Config:
    """Return the configuration of a pytest run started here. Raises click.UsageError if the file is invalid."""
    here = Path.cwd()
    root = here if (here / DEFAULT_DIRECTORY).is_dir() else nearest_rootdir(here)
    try:
        return Config(table=table_of(nearest_pyproject(here)), root=root)
    except RecorderError as error:
        raise click.UsageError(str(error)) from None


def configured_secrets() -> Secrets:
    """Return the values and rules of the secrets that a recorder would redact, for a Redactor.

    Raises click.UsageError if the file is invalid.
    """
    table = configured().table
    return secret_values(table.secret_env), table.redact


def chosen_directory(directory: Path | None) -> Setting[Path]:
    """Return the directory of a command, and what chose it: `directory`, or what recorders would use.

    The default is "recordings" in the current directory if that exists, otherwise in the project's root, or above that
    where its tests were recorded. Raises click.UsageError if the configuration is invalid.
    """
    config = Config() if directory else configured()
    setting = config.directory(directory)
    if setting.source != DEFAULT or config.root is None:
        return setting
    return Setting(Projects(config.root).nearest(config.root, is_shared=True) or setting.value, DEFAULT)


def root_of_beside() -> Path | None:
    """Return the directory below which recordings are beside the tests; None if they are not configured to be."""
    pyproject = nearest_pyproject(Path.cwd())
    return pyproject.parent if pyproject is not None and configured().table.recordings_beside_tests else None


def nearest_rootdir(directory: Path) -> Path | None:
    """Return the nearest directory, here or above, with a file that marks pytest's rootdir; None without any."""
    parents = (directory, *directory.parents)
    return next((parent for parent in parents if any((parent / name).exists() for name in _ROOT_FILES)), None)
