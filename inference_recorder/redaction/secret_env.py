"""Environment variables whose values are secrets, by their names and by configuration."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ..errors import RecorderError
from .scanner import SHORTEST_LITERAL, SHORTEST_VALUE

_ENDS = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD")


def checked_names(names: Sequence[object], where: str) -> tuple[str, ...]:
    """Return the entries of a secret_env; raises RecorderError, which begins with `where`, for an invalid one."""
    if isinstance(names, str):
        raise RecorderError(f"{where} takes a list, not a single string")
    for name in names:
        if not isinstance(name, str) or not name.removeprefix("!") or "=" in name:
            shown = "an assignment" if isinstance(name, str) and "=" in name else repr(name)
            raise RecorderError(
                f"{where} takes names of environment variables, or !NAME for one to leave out: not {shown}"
            )
    return tuple(str(name) for name in names)


def is_secret_name(name: str) -> bool:
    """Return whether a variable has the name of a secret."""
    return name.upper().endswith(_ENDS)


def secret_variables(names: Sequence[str] = ()) -> dict[str, str]:
    """Return the environment variables whose values are secrets: name -> value. Values that are too short are left out.

    Their names end in _KEY, _TOKEN, _SECRET or _PASSWORD, or match one of `names`, which may be patterns. A name that
    starts with "!" excludes what it matches. A variable in `names` may be as short as a literal in `redact`.
    """
    known = _variable_names()
    # Inlined instead of `is_secret_name`, since it runs on entering a context.
    named = [name for name in known if name.upper().endswith(_ENDS)]
    found = {name: value for name in named if len(value := os.environ.get(name, "")) >= SHORTEST_VALUE}
    if names:
        added, excluded = [name for name in names if name[0] != "!"], [name[1:] for name in names if name[0] == "!"]
        values = {name: os.environ.get(name, "") for name in known if _matches(name, added)}
        found |= {name: value for name, value in values.items() if len(value) >= SHORTEST_LITERAL}
        found = {name: value for name, value in found.items() if not _matches(name, excluded)}
    return found


def secret_values(names: Sequence[str] = ()) -> frozenset[str]:
    """Return the values of `secret_variables`."""
    return frozenset(secret_variables(names).values())


def environment() -> Mapping[Any, Any]:
    """Return a copy of the environment, to compare with a later one."""
    # os.environ decodes each name in Python, which takes longer than everything else in entering a context.
    encoded: Any = getattr(os.environ, "_data", None)
    return dict(encoded) if isinstance(encoded, dict) else dict(os.environ)


def _variable_names() -> list[str]:
    names = list(environment())
    is_encoded = bool(names) and isinstance(names[0], bytes)
    return b"\0".join(names).decode(errors="surrogateescape").split("\0") if is_encoded else list(os.environ)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name.upper(), pattern.upper()) for pattern in patterns)
