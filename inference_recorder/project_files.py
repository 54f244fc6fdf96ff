"""What a project's files say to recorders: `[tool.inference_recorder]`, and pytest's own options beside it."""

from __future__ import annotations

import configparser
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .errors import RecorderError

TABLE = "[tool.inference_recorder]"
KEYS: dict[str, tuple[str, type]] = {
    "mode": ("inference_mode", str),
    "recordings": ("inference_recordings", str),
    "recordings_beside_tests": ("inference_recordings_beside_tests", bool),
    "auto": ("inference_recording_auto", bool),
    "record_errors": ("inference_record_errors", bool),
    "redact": ("inference_redact", list),
    "secret_env": ("inference_secret_env", list),
    "normalize": ("inference_normalize", list),
}
"""Key of the table -> pytest's own option of the same meaning, and the type of its value."""
_RULES = ("redact", "secret_env", "normalize")
"""Keys that commands go by too."""
_KINDS = {str: "a string", bool: "true or false", list: "a list"}
_PYPROJECT = "pyproject.toml"
_SPECIAL = frozenset(".^$*+?{}[]()|\\")


def said_in_table(directories: Iterable[Path]) -> dict[str, tuple[Any, str]]:
    """Return each key of the table in the first of these folders' pyproject.toml -> (its value, TABLE).

    Values are as `checked` returns them. Raises RecorderError for an unknown key and for a value that is none of its.
    """
    for directory in directories:
        path = directory / _PYPROJECT
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if b"inference_recorder" not in content:
            return {}
        tools = _toml(path).get("tool")
        table = tools.get("inference_recorder", {}) if isinstance(tools, dict) else {}
        if not isinstance(table, dict):
            raise RecorderError(f"{TABLE} in {path} must be a table")
        if unknown := [key for key in table if key not in KEYS]:
            raise RecorderError(
                f"{path}: {TABLE} has an unknown key {unknown[0]!r}; it knows {', '.join(sorted(KEYS))}"
            )
        return {key: (checked(key, value, f"{path}: {key} in {TABLE}"), TABLE) for key, value in table.items()}
    return {}


def checked(key: str, value: Any, where: str) -> Any:
    """Return a key's value as recorders take it: "redact" as compiled patterns, the others as they are written.

    Of "redact", a rule is named by its place, since its text may be a secret.

    Raises RecorderError, which begins with `where`, for one that has no meaning.
    """
    kind: type[Any] = KEYS[key][1]
    if not isinstance(value, kind):
        shown = f"of type {type(value).__name__}" if key == "redact" else repr(value)  # which may be a secret
        raise RecorderError(f"{where} is {shown}; it must be {_KINDS[kind]}")
    if key == "redact":
        return tuple(_pattern(one, f"{where}: rule {number}") for number, one in enumerate(value, start=1))
    if key == "secret_env":
        return _names(value, where)
    return tuple(_rule(one, where) for one in value) if key == "normalize" else value


def configured_from(directory: Path) -> dict[str, tuple[Any, str]]:
    """Return what the files say to a pytest started in `directory`: key -> (value, who says so), for a command's keys.

    These are "recordings", as an absolute path, "redact", "secret_env" and "normalize"; one that nobody gives a value
    is left out. Raises RecorderError for a file that has no meaning.
    """
    path, options = _pytests_own(directory)
    said = {} if path is None else said_in_table([path.parent])
    for key in _RULES:
        option = KEYS[key][0]
        if option in options:
            value = options[option]
            lines = [line for line in map(str.strip, value.split("\n")) if line] if isinstance(value, str) else value
            said[key] = (checked(key, lines, f"{path}: {option}"), option)
    if path is not None:
        option = KEYS["recordings"][0]
        if option in options:
            said["recordings"] = (checked("recordings", options[option], f"{path}: {option}"), option)
        if "recordings" in said:
            value, source = said["recordings"]
            said["recordings"] = (path.parent / value, source)
    return {key: said[key] for key in ("recordings", *_RULES) if key in said}


def root_of(directory: Path) -> Path | None:
    """Return the folder of the configuration file that a pytest started in `directory` finds: its rootdir."""
    path, _ = _pytests_own(directory)
    return None if path is None else path.parent


def _pattern(one: Any, where: str) -> re.Pattern[str]:
    from .redaction.redactor import SHORTEST_LITERAL  # not for those who configure none

    if not isinstance(one, str) or not one:
        shown = "empty" if one == "" else f"of type {type(one).__name__}"
        raise RecorderError(f"{where} is {shown}; it takes regular expressions, as strings")
    if len(one) < SHORTEST_LITERAL and _SPECIAL.isdisjoint(one):
        raise RecorderError(
            f"{where} is a text of fewer than {SHORTEST_LITERAL} characters, which would be found in every other word"
        )
    try:
        return re.compile(one)
    except re.error as error:
        raise RecorderError(f"{where} is no regular expression: {error}") from None


def _names(value: Any, where: str) -> tuple[str, ...]:
    from .redaction.secret_env import checked_names  # not for those who configure none

    return checked_names(value, where)


def _rule(one: Any, where: str) -> str | dict[str, str]:
    from .request.normalizers import Normalizers  # not for those who configure none

    parts = list(one.values()) if isinstance(one, dict) else [one]
    if not all(isinstance(part, str) for part in parts):
        raise RecorderError(f"{where} holds {one!r}; it takes names and tables of path, pattern and placeholder")
    try:
        Normalizers([one])
    except RecorderError as error:
        raise RecorderError(f"{where}: {error}") from None
    rule: str | dict[str, str] = one
    return rule


def _pytests_own(directory: Path) -> tuple[Path | None, Mapping[str, Any]]:
    """Return pytest's configuration file for a run started in `directory`, and its options there.

    Source: `locate_config` in pytest 9's config/findpaths.py. The first file, upwards, that has a place for options;
    else the first pyproject.toml.
    """
    pyproject: Path | None = None
    for base in (directory, *directory.parents):
        for name, options_of in _OPTIONS_OF.items():
            path = base / name
            if path.is_file():
                if name == _PYPROJECT:
                    pyproject = pyproject or path
                if (options := options_of(path)) is not None:
                    return path, options
    return pyproject, {}


def _in_pytest_toml(path: Path) -> Mapping[str, Any] | None:
    options = _toml(path).get("pytest")
    return options if isinstance(options, dict) else {}


def _in_pyproject(path: Path) -> Mapping[str, Any] | None:
    tools = _toml(path).get("tool")
    options = tools.get("pytest") if isinstance(tools, dict) else None
    if not isinstance(options, dict) or not options:
        return None
    in_the_style_of_ini = options.get("ini_options")
    return in_the_style_of_ini if isinstance(in_the_style_of_ini, dict) else options


def _in_pytest_ini(path: Path) -> Mapping[str, Any] | None:
    return _section(path, "pytest") or {}


def _in_tox_ini(path: Path) -> Mapping[str, Any] | None:
    return _section(path, "pytest")


def _in_setup_cfg(path: Path) -> Mapping[str, Any] | None:
    return _section(path, "tool:pytest")


_OPTIONS_OF: dict[str, Callable[[Path], Mapping[str, Any] | None]] = {
    "pytest.toml": _in_pytest_toml,
    ".pytest.toml": _in_pytest_toml,
    "pytest.ini": _in_pytest_ini,
    ".pytest.ini": _in_pytest_ini,
    _PYPROJECT: _in_pyproject,
    "tox.ini": _in_tox_ini,
    "setup.cfg": _in_setup_cfg,
}
"""Name of a file -> its options, None where it has no place for them; in the order in which pytest looks."""


def _section(path: Path, name: str) -> Mapping[str, Any] | None:
    parser = configparser.RawConfigParser(default_section="")
    parser.optionxform = str  # type: ignore[method-assign,assignment] # the documented way to keep upper case
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"), str(path))
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        raise RecorderError(f"{path}: it cannot be read as an ini file: {error}") from None
    return parser[name] if parser.has_section(name) else None


def _toml(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise RecorderError(f"{path}: it cannot be read as TOML: {error}") from None
