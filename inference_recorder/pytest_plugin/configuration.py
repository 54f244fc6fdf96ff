"""What the command line and the configuration files say, as settings."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ..errors import UnknownMode
from ..modes import InferenceMode, parsed_mode
from ..settings import Settings
from ..storage.places import DEFAULT_FOLDER

_KEYS: dict[str, tuple[str, type]] = {
    "mode": ("inference_mode", str),
    "recordings": ("inference_recordings", str),
    "recordings_beside_tests": ("inference_recordings_beside_tests", bool),
    "auto": ("inference_recording_auto", bool),
    "record_errors": ("inference_record_errors", bool),
}
"""Key of the table -> pytest's own option of the same meaning, and the type of its value."""
_TABLE = "[tool.inference_recorder]"


class Configuration(NamedTuple):
    """What was said, where it counts."""

    settings: Settings
    is_auto: bool
    """Whether every test gets a session."""


def configuration_from(config: pytest.Config) -> Configuration:
    """Return what this run was told; raises pytest.UsageError where that has no meaning."""
    said = _said(config)
    mode, mode_source = said.get("mode", (None, ""))
    folder, folder_source = said.get("recordings", (DEFAULT_FOLDER, "default"))
    base = config.rootpath if config.inipath is None else config.inipath.parent
    forced_mode, forced_folder = config.getoption("inference_mode"), config.getoption("inference_recordings")
    for name, source in ((mode, mode_source), (forced_mode, "--inference-mode")):
        _check_mode(name, source)
    settings = Settings(
        forced_mode=forced_mode,
        mode=mode,
        mode_source=mode_source,
        forced_folder=None if not forced_folder else _absolute(config.invocation_params.dir, forced_folder),
        folder=_absolute(config.rootpath if folder_source == "default" else base, folder),
        folder_source=folder_source,
        is_beside_tests=said.get("recordings_beside_tests", (False, ""))[0],
        record_errors=said.get("record_errors", (None, ""))[0],
    )
    return Configuration(settings, is_auto=said.get("auto", (False, ""))[0])


def check_may_record(config: pytest.Config, mode: InferenceMode, source: str) -> None:
    """Raise pytest.UsageError where `mode` records and this is a CI run that was not allowed to."""
    if mode.writes and _is_ci() and not config.getoption("inference_allow_recording"):
        raise pytest.UsageError(
            f"{source} says {mode}, but CI is set in the environment, where recordings are only replayed; "
            "add --inference-allow-recording to record all the same"
        )


def _is_ci() -> bool:
    return os.environ.get("CI", "").strip().lower() not in ("", "0", "false")


def _said(config: pytest.Config) -> dict[str, tuple[Any, str]]:
    """Return each key that was given a value -> (value, who gave it); pytest's own options go before the table."""
    said: dict[str, tuple[Any, str]] = {}
    for key, value in _table(config).items():
        if key not in _KEYS:
            raise pytest.UsageError(f"{_TABLE} has an unknown key {key!r}; it knows {', '.join(sorted(_KEYS))}")
        if type(value) is not _KEYS[key][1]:
            kind = {str: "a string", bool: "true or false"}[_KEYS[key][1]]
            raise pytest.UsageError(f"{key} in {_TABLE} is {value!r}; it must be {kind}")
        said[key] = (value, _TABLE)
    for key, (option, expected) in _KEYS.items():
        value = config.getini(option)
        if isinstance(value, expected) and value != "":
            said[key] = (value, option)
    return said


def _table(config: pytest.Config) -> dict[str, Any]:
    for folder in dict.fromkeys(
        (config.rootpath if config.inipath is None else config.inipath.parent, config.rootpath)
    ):
        try:
            content = (folder / "pyproject.toml").read_bytes()
        except OSError:
            continue
        if b"inference_recorder" not in content:
            return {}
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
        try:
            tools = tomllib.loads(content.decode()).get("tool", {})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise pytest.UsageError(f"{folder / 'pyproject.toml'}: {error}") from None
        table = tools.get("inference_recorder", {})
        if not isinstance(table, dict):
            raise pytest.UsageError(f"{_TABLE} in {folder / 'pyproject.toml'} must be a table")
        return table
    return {}


def _check_mode(name: str | None, source: str) -> None:
    if name is not None:
        try:
            parsed_mode(name, source)
        except UnknownMode as error:
            raise pytest.UsageError(str(error)) from None


def _absolute(base: Path, folder: str) -> Path:
    return Path(os.path.abspath(base / os.path.expanduser(folder)))
