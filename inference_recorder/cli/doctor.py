"""`inference-recorder doctor`: what a recorder would do here and why, what is installed, and what is intercepted."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from ..config import TABLE, Table
from ..errors import UnknownMode, UnusableDirectory
from ..packages import OPENAI, SDK, SDKS, sdk_of_module
from ..pyproject import nearest_pyproject
from ..sdk.coverage import Covered, coverage
from ..sdk.private_names import INTERNALS, imported, installed_internals, missing_internals
from ..storage.directories import check_usable, directories_from
from .configured import chosen_directory, configured
from .console import counted, output, show_lines, show_text
from .directories import takes_dir

_LIBRARIES = ("wrapt", "orjson", "filelock", "pydantic", "httpx", "httpx2", "pytest")
_PACKAGES = ("inference-recorder", *(sdk.distribution for sdk in SDKS), *_LIBRARIES)
_DEFAULTS = Table()


@click.command()
@takes_dir
def doctor(directory: Path | None) -> None:
    """Show mode, directories and other settings, each with its source, versions, and what is intercepted.

    The settings are those of a pytest run that is started here without options.

    \b
    Exit codes:
      0  the installed SDKs have everything that should be intercepted
      1  an SDK lacks a name that it should have, the mode is unknown, or the directory cannot be used
      2  the configuration or an option is wrong
    """
    is_usable = _show_mode_and_directories(directory)
    _show_settings()
    openai_version = _version("openai")
    versions = [("python", platform.python_version()), *((name, _version(name)) for name in _PACKAGES)]
    _show("\nVersions", _aligned(versions))
    targets = coverage(openai_version)
    _show("\nIntercepted methods of the SDK", _aligned([(target.name, _state(target)) for target in targets]))
    missing = missing_internals(installed_internals(), openai_version)
    count = sum(sdk_of_module(internal.module) is OPENAI for internal in INTERNALS)
    names = [*(f"{name}: missing" for name in missing), f"{count - len(missing)} of {count} found"]
    _show("\nUndocumented names of the SDK that are relied on", names)
    others = {sdk.distribution: _gaps(sdk) for sdk in SDKS if sdk is not OPENAI}
    _show("\nOther SDKs", _aligned([(name, gaps or "covered") for name, gaps in others.items()]))
    has_gaps = any(gaps.endswith("missing") for gaps in others.values())
    if not is_usable or missing or has_gaps or any(target.state == "missing" for target in targets):
        sys.exit(1)


def _gaps(sdk: SDK) -> str:
    """Return what is not covered of an SDK, "" for nothing."""
    if imported(sdk.package) is None:
        return "not installed"
    if imported(f"{sdk.package}._base_client") is None:
        return "not covered: this version is not generated like openai"
    lacking = [target.name for target in coverage(sdk.version, sdk) if target.state == "missing"]
    names = [*lacking, *map(str, missing_internals(installed_internals(sdk)))]
    return f"{', '.join(names)}: missing" if names else ""


def _show_mode_and_directories(directory: Path | None) -> bool:
    """Print what matters most when a test misses its recording; return whether a recorder can work with it."""
    setting = chosen_directory(directory)
    directories = directories_from(setting.value)
    try:
        mode = configured().mode()
        lines, is_usable = [f"{mode.value} (chosen by {mode.source})"], True
        check_usable(directories, mode.value)
    except UnknownMode as error:
        lines, is_usable = [str(error)], False
    except UnusableDirectory as error:
        lines, is_usable = [*lines, str(error)], False
    _show("Mode", lines)
    read = [f"read from {path}: {_content(path)}" for path in directories.read]
    _show("\nRecordings", [f"written to {setting.value} (chosen by {setting.source})", *read])
    return is_usable


def _show_settings() -> None:
    table, path = configured().table, nearest_pyproject(Path.cwd())
    rows = []
    for setting in fields(Table):
        value, default = getattr(table, setting.name), getattr(_DEFAULTS, setting.name)
        # Patterns and names of variables may say what is secret: their number says enough.
        shown = counted(len(value), "rule") if isinstance(value, tuple) else str(value)
        rows.append((setting.name, "not set" if value == default else shown))
    file = "no pyproject.toml in this directory or above it" if path is None else f"{TABLE} of {path}"
    _show(f"\nSettings ({file})", _aligned(rows))


def _show(title: str, lines: Iterable[str]) -> None:
    show_text(output(), title, style="bold")
    show_lines(lines, "  ")


def _aligned(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {value}" for name, value in rows]


def _state(target: Covered) -> str:
    return f"{target.state} (since {target.since})" if target.since else target.state


def _content(directory: Path) -> str:
    if not directory.is_dir():
        return "does not exist"
    return counted(sum(1 for _ in directory.glob("*.json")), "recording")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
