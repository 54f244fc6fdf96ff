"""`inference-recorder doctor`: what is installed, what of it is covered, and what a recorder would do here."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from ..errors import UnknownMode, UnusableDirectory
from ..modes import InferenceMode
from ..sdk.coverage import Covered, coverage
from ..sdk.internals import INTERNALS, Internal, installed_internals, missing_internals
from ..storage.directories import Directories, check_usable
from .configured import configured, directory_for
from .console import counted, output

_PACKAGES = ("inference-recorder", "openai", "wrapt", "orjson", "filelock", "pydantic", "httpx", "httpx2", "pytest")


@click.command()
@click.option("--dir", "directory", type=click.Path(path_type=Path), help="Look here, not where recorders would.")
def doctor(directory: Path | None) -> None:
    """Say which versions are installed, what of the SDK is covered, where recordings are looked for, and the mode.

    \b
    Exit codes:
      0  everything that should be intercepted is there
      1  the SDK lacks a name that it should have, the mode is unknown, or the folder cannot be used
    """
    console = output()
    found = coverage(_version("openai"))
    _show_versions(console)
    _show_coverage(console, found)
    missing = missing_internals(installed_internals(), _version("openai"))
    _show_internals(console, missing)
    _show_places(console, *directory_for(directory))
    mode = _show_mode(console)
    is_usable = mode is not None and _show_usable(console, directory_for(directory)[0], mode)
    if not is_usable or missing or any(one.state == "missing" for one in found):
        sys.exit(1)


def _show_versions(console: Console) -> None:
    console.print("[bold]Versions[/bold]")
    table = Table.grid(padding=(0, 2))
    table.add_row("  python", platform.python_version())
    for name in _PACKAGES:
        table.add_row(f"  {name}", _version(name))
    console.print(table)


def _show_coverage(console: Console, found: list[Covered]) -> None:
    console.print("\n[bold]Intercepted methods of the SDK[/bold]")
    table = Table.grid(padding=(0, 2))
    for one in found:
        table.add_row(f"  {one.name}", f"{one.state} (since {one.since})" if one.since else one.state)
    console.print(table)


def _show_internals(console: Console, missing: list[Internal]) -> None:
    console.print("\n[bold]Undocumented names of the SDK that are relied on[/bold]")
    for internal in missing:
        console.print(f"  {internal}: missing", markup=False)
    console.print(f"  {len(INTERNALS) - len(missing)} of {len(INTERNALS)} found")


def _show_places(console: Console, directories: Directories, source: str) -> None:
    console.print("\n[bold]Recordings[/bold]")
    console.print(f"  written to {directories.written}", f"(chosen by {source})", markup=False)
    for directory in directories.read:
        count = sum(1 for _ in directory.glob("*.json")) if directory.is_dir() else None
        told = "no such folder" if count is None else counted(count, "recording")
        console.print(f"  looked for in {directory}: {told}", markup=False)


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
