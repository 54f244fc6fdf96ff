"""`inference-recorder doctor`: what is installed, what of it is intercepted, and what a recorder would do here."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from ..errors import UnknownMode, UnusableDirectory
from ..modes import InferenceMode
from ..sdk.coverage import Covered, coverage
from ..sdk.internals import INTERNALS, installed_internals, missing_internals
from ..sdk.private_names import Internal
from ..storage.directories import Directories, check_usable
from .configured import configured, directory_for
from .console import counted, output
from .directories import takes_dir

_PACKAGES = ("inference-recorder", "openai", "wrapt", "orjson", "filelock", "pydantic", "httpx", "httpx2", "pytest")


@click.command()
@takes_dir
def doctor(directory: Path | None) -> None:
    """Show versions, directories, the mode and what is intercepted.

    \b
    Exit codes:
      0  the SDK has everything that should be intercepted
      1  the SDK lacks a name that it should have, the mode is unknown, or the directory cannot be used
    """
    console = output()
    targets = coverage(_version("openai"))
    _show_versions(console)
    _show_coverage(console, targets)
    missing = missing_internals(installed_internals(), _version("openai"))
    _show_internals(console, missing)
    _show_directories(console, *directory_for(directory))
    mode = _show_mode(console)
    is_usable = mode is not None and _show_usable(console, directory_for(directory)[0], mode)
    if not is_usable or missing or any(target.state == "missing" for target in targets):
        sys.exit(1)


def _show_versions(console: Console) -> None:
    versions = ((name, _version(name)) for name in _PACKAGES)
    _show_grid(console, "Versions", [("python", platform.python_version()), *versions])


def _show_coverage(console: Console, targets: list[Covered]) -> None:
    rows = [
        (target.name, f"{target.state} (since {target.since})" if target.since else target.state) for target in targets
    ]
    _show_grid(console, "\nIntercepted methods of the SDK", rows)


def _show_grid(console: Console, title: str, rows: Iterable[tuple[str, str]]) -> None:
    console.print(title, style="bold")
    table = Table.grid(padding=(0, 2))
    for name, value in rows:
        table.add_row(f"  {name}", value)
    console.print(table)


def _show_internals(console: Console, missing: list[Internal]) -> None:
    console.print("\n[bold]Undocumented names of the SDK that are relied on[/bold]")
    for internal in missing:
        console.print(f"  {internal}: missing", markup=False)
    console.print(f"  {len(INTERNALS) - len(missing)} of {len(INTERNALS)} found")


def _show_directories(console: Console, directories: Directories, source: str) -> None:
    console.print("\n[bold]Recordings[/bold]")
    console.print(f"  written to {directories.written}", f"(chosen by {source})", markup=False)
    for directory in directories.read:
        count = sum(1 for _ in directory.glob("*.json")) if directory.is_dir() else None
        content = "does not exist" if count is None else counted(count, "recording")
        console.print(f"  read from {directory}: {content}", markup=False)


def _show_usable(console: Console, directories: Directories, mode: InferenceMode) -> bool:
    try:
        check_usable(directories, mode)
    except UnusableDirectory as error:
        console.print(f"  {error}", markup=False)
        return False
    return True


def _show_mode(console: Console) -> InferenceMode | None:
    console.print("\n[bold]Mode[/bold]")
    try:
        mode = configured().mode()
    except UnknownMode as error:
        console.print(f"  {error}", markup=False)
        return None
    console.print(f"  {mode.value} (chosen by {mode.source})", markup=False)
    return mode.value


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
