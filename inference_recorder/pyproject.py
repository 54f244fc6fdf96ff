"""`[tool.inference_recorder]` of a project's pyproject.toml, read and checked."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from .config import REPEATS, TABLE, UNMARKED, Table, absolute, checked_hosts
from .errors import RecorderError
from .modes import InferenceMode, parsed_mode
from .text import did_you_mean

_NAME = "inference_recorder"
_LIKE_OUR_NAME = re.compile(rb"inf[\w-]*rec[\w-]*", re.IGNORECASE)
_LIKENESS = 0.83
"""A table's name that is at least this similar to ours (0 to 1) is an error, as "inference_recordings" is."""
_SPECIAL = frozenset(".^$*+?{}[]()|\\")


def nearest_pyproject(directory: Path) -> Path | None:
    """Return the pyproject.toml in `directory` or the nearest above it, or None."""
    paths = (parent / "pyproject.toml" for parent in (directory, *directory.parents))
    return next((path for path in paths if path.is_file()), None)


def table_of(path: Path | None) -> Table:
    """Return the table of a pyproject.toml; an empty one for None and for a file without it.

    Raises RecorderError for an unreadable file, an unknown key and an invalid value.
    """
    values = {} if path is None else _values(path)
    if unknown := [key for key in values if key not in _READERS]:
        raise RecorderError(
            f"{path}: {TABLE} has an unknown key {unknown[0]!r}; it knows {', '.join(sorted(_READERS))}"
            f"{did_you_mean(unknown[0], _READERS)}"
        )
    settings = {key: _READERS[key](value, f"{path}: {key} in {TABLE}") for key, value in values.items()}
    if path is not None and isinstance(directory := settings.get("recordings"), str):
        settings["recordings"] = absolute(directory, path.parent) if directory else None
    return Table(**settings)  # type: ignore[arg-type]  # each reader returns the type of its field


def _values(path: Path) -> Mapping[str, object]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        content = path.read_bytes()
        if not _LIKE_OUR_NAME.search(content):  # most projects have no table, and need not be parsed
            return {}
        tables = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise RecorderError(f"{path}: it cannot be read as TOML: {error}") from None
    tools = tables["tool"] if isinstance(tables.get("tool"), dict) else {}
    misnamed = [name for name in tables if _is_like_our_name(name)]
    misnamed += [f"tool.{name}" for name in tools if name != _NAME and _is_like_our_name(name)]
    if misnamed:
        raise RecorderError(f"{path}: [{misnamed[0]}] is not read; the table is called {TABLE}")
    table = tools.get(_NAME, {})
    if not isinstance(table, dict):
        raise RecorderError(f"{TABLE} in {path} must be a table")
    return table


def _is_like_our_name(name: str) -> bool:
    if not _LIKE_OUR_NAME.fullmatch(name.encode()):
        return False
    from difflib import SequenceMatcher  # only for names that begin like ours

    likeness = SequenceMatcher(None, re.sub("[-_]", "", name.lower()), _NAME.replace("_", "")).ratio()
    return likeness >= _LIKENESS


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise RecorderError(f"{where} is {value!r}; it must be a string")
    return value


def _boolean(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise RecorderError(f"{where} is {value!r}; it must be true or false")
    return value


def _one_of(*names: str) -> Callable[[object, str], str]:
    def read(value: object, where: str) -> str:
        if value not in names:
            raise RecorderError(f"{where} is {value!r}; it must be one of {', '.join(names)}")
        return str(value)

    return read


def _list(value: object, where: str, *, is_shown: bool = True) -> list[object]:
    if not isinstance(value, list):
        shown = repr(value) if is_shown else f"of type {type(value).__name__}"
        raise RecorderError(f"{where} is {shown}; it must be a list")
    return value


def _mode(value: object, where: str) -> InferenceMode:
    return parsed_mode(_text(value, where), where)


def _patterns(value: object, where: str) -> tuple[re.Pattern[str], ...]:
    """Return compiled patterns. Errors name a rule by its number, since its text may be a secret."""
    rules = _list(value, where, is_shown=False)
    return tuple(_pattern(rule, f"{where}: rule {number}") for number, rule in enumerate(rules, start=1))


def _pattern(rule: object, where: str) -> re.Pattern[str]:
    from .redaction.scanner import SHORTEST_LITERAL  # not for projects that configure none

    if not isinstance(rule, str) or not rule:
        shown = "empty" if rule == "" else f"of type {type(rule).__name__}"
        raise RecorderError(f"{where} is {shown}; it takes regular expressions, as strings")
    if len(rule) < SHORTEST_LITERAL and _SPECIAL.isdisjoint(rule):
        raise RecorderError(
            f"{where} is a text of fewer than {SHORTEST_LITERAL} characters, which would match inside many words"
        )
    try:
        return re.compile(rule)
    except re.error as error:
        raise RecorderError(f"{where} is not a regular expression: {error}") from None


def _variables(value: object, where: str) -> tuple[str, ...]:
    from .redaction.secret_env import checked_names  # not for projects that configure none

    return checked_names(_list(value, where), where)


def _normalizers(value: object, where: str) -> tuple[str | Mapping[str, str], ...]:
    return tuple(_normalizer(rule, where) for rule in _list(value, where))


def _normalizer(rule: object, where: str) -> str | Mapping[str, str]:
    from .request.normalizers import Normalizers  # not for projects that configure none

    parts = list(rule.values()) if isinstance(rule, dict) else [rule]
    if not isinstance(rule, (str, dict)) or not all(isinstance(part, str) for part in parts):
        raise RecorderError(f"{where} holds {rule!r}; it takes names and tables of path, pattern and placeholder")
    try:
        Normalizers([rule])
    except RecorderError as error:
        raise RecorderError(f"{where}: {error}") from None
    return rule


_READERS: Mapping[str, Callable[[object, str], object]] = {
    "mode": _mode,
    "recordings": _text,
    "recordings_beside_tests": _boolean,
    "auto": _boolean,
    "record_errors": _boolean,
    "unused": _one_of("ignore", "warn", "error"),
    "repeats": _one_of(*REPEATS),
    "redact": _patterns,
    "secret_env": _variables,
    "children": _boolean,
    "normalize": _normalizers,
    "block_network": _boolean,
    "allow_hosts": checked_hosts,
    "unmarked": _one_of(*UNMARKED),
}
"""Key of the table -> what checks its value and returns the one that Table holds. The second argument begins errors."""
