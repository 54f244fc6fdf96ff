"""What the command line and the configuration files say, as settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ..errors import RecorderError, UnknownMode
from ..modes import InferenceMode, parsed_mode
from ..project_files import KEYS, checked, said_in_table
from ..settings import Settings
from ..storage.directories import DEFAULT_DIRECTORY


class Configuration(NamedTuple):
    """What was said, where it counts."""

    settings: Settings
    is_auto: bool
    """Whether every test gets a session."""


def configuration_from(config: pytest.Config) -> Configuration:
    """Return what this run was told; raises pytest.UsageError where that has no meaning."""
    said = _said(config)
    mode, mode_source = said.get("mode", (None, ""))
    directory, directory_source = said.get("recordings", (DEFAULT_DIRECTORY, "default"))
    base = config.rootpath if config.inipath is None else config.inipath.parent
    forced_mode, forced_directory = config.getoption("inference_mode"), config.getoption("inference_recordings")
    for name, source in ((mode, mode_source), (forced_mode, "--inference-mode")):
        _check_mode(name, source)
    settings = Settings(
        forced_mode=forced_mode,
        mode=mode,
        mode_source=mode_source,
        forced_directory=None if not forced_directory else _absolute(config.invocation_params.dir, forced_directory),
        directory=_absolute(config.rootpath if directory_source == "default" else base, directory),
        directory_source=directory_source,
        is_beside_tests=said.get("recordings_beside_tests", (False, ""))[0],
        record_errors=said.get("record_errors", (None, ""))[0],
        redact=said.get("redact", ((), ""))[0],
        secret_env=said.get("secret_env", ((), ""))[0],
        normalize=said.get("normalize", ((), ""))[0],
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
    base = config.rootpath if config.inipath is None else config.inipath.parent
    try:
        said = said_in_table(dict.fromkeys((base, config.rootpath)))
        for key, (option, expected) in KEYS.items():
            value = _option(config, option)
            if isinstance(value, expected) and value != "":
                said[key] = (checked(key, value, _where(config, option)), option)
    except RecorderError as error:
        raise pytest.UsageError(str(error)) from None
    return said


def _option(config: pytest.Config, option: str) -> object:
    try:
        return config.getini(option)
    except (TypeError, ValueError) as error:  # pytest's own, which names no file
        raise pytest.UsageError(f"{_where(config, option)}: {error}") from None


def _where(config: pytest.Config, option: str) -> str:
    is_overridden = any(one.startswith(f"{option}=") for one in config.getoption("override_ini") or ())
    return f"-o {option}" if is_overridden else f"{config.inipath}: {option}"


def _check_mode(name: str | None, source: str) -> None:
    if name is not None:
        try:
            parsed_mode(name, source)
        except UnknownMode as error:
            raise pytest.UsageError(str(error)) from None


def _absolute(base: Path, directory: str) -> Path:
    return Path(os.path.abspath(base / os.path.expanduser(directory)))
