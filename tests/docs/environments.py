"""The environments in which pages run: this one, or one with the packages that a page installs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock

from packaging.requirements import Requirement

from ..support.environments import made
from .pages import Page

_lock = Lock()
_being_made: dict[Path, Future[Path]] = {}
"""By directory: the environments of this run. Pages that share one must not update it under each other. `_lock`."""
_VERSIONS = (
    "import sys, importlib.metadata as m; print(*(f'{name} {m.version(name)}' for name in sys.argv[1:]), sep=', ')"
)


def missing(page: Page) -> list[str]:
    """Return the requirements of a page that are not installed here."""
    return [requirement for requirement in page.packages if not _is_installed(Requirement(requirement))]


def python_for(page: Page, directory: Path) -> Path:
    """Return the Python that has what a page installs: this one, or one of an environment in the directory.

    An environment is named for the packages that are missing here; with one, as those of `tests.compat.frameworks`.
    """
    if not (requirements := missing(page)):
        return Path(sys.executable)
    environment = directory / "+".join(Requirement(requirement).name for requirement in requirements)
    with _lock:
        is_first = environment not in _being_made
        future = _being_made.setdefault(environment, Future())
    if is_first:
        try:
            future.set_result(made(environment, page.packages))
        except Exception as error:
            future.set_exception(error)
    return future.result()


def versions(python: Path, requirements: Sequence[str]) -> str:
    """Return what is installed there of these requirements, such as "instructor 1.17.0, openai 3.3.0"."""
    names = [Requirement(requirement).name for requirement in requirements]
    return subprocess.run(
        [python, "-c", _VERSIONS, *names, "openai"], check=True, capture_output=True, text=True
    ).stdout.strip()


def _is_installed(requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(version(requirement.name))
    except PackageNotFoundError:
        return False
