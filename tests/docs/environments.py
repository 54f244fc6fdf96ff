"""The environments in which pages run: this one, or one with the packages that a page installs."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock

from packaging.requirements import Requirement

from ..support.environments import made
from .pages import Page

_locks: defaultdict[str, Lock] = defaultdict(Lock)
"""By name of an environment: held while it is made, as two pages may share it."""
_VERSIONS = (
    "import sys, importlib.metadata as m; print(*(f'{name} {m.version(name)}' for name in sys.argv[1:]), sep=', ')"
)


def missing(page: Page) -> list[str]:
    """Return the requirements of a page that are not installed here."""
    return [requirement for requirement in page.packages if not _is_installed(Requirement(requirement))]


def python_for(page: Page, directory: Path) -> Path:
    """Return the Python that has what a page installs: this one, or one of an environment in the directory.

    The environment is named for the page's first package that is missing here, as those of the frameworks' own tests.
    """
    if not (names := missing(page)):
        return Path(sys.executable)
    name = Requirement(names[0]).name
    with _locks[name]:
        return made(directory / name, page.packages)


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
