"""What the caller declares to differ from run to run: replaced by a placeholder in the key, and nowhere else."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import RecorderError
from .json_path import JsonPath
from .jsonable import JsonObject, JsonValue

EVERYWHERE = "$"


@dataclass(frozen=True)
class Normalizer:
    """A rule of the caller's: what `pattern` finds in the texts at `path` is `placeholder` in the key.

    `path` is a JSON path into the call's keyword arguments (see `JsonPath`); what lies below it is meant too, so "$" is
    the whole request. Without a `pattern`, the whole value there is replaced. `placeholder` may name groups, as in
    `re.sub`. Raises RecorderError for a path or a pattern that is none.
    """

    path: str = EVERYWHERE
    pattern: str | None = None
    placeholder: str = "__NORMALIZED__"

    def __post_init__(self) -> None:
        JsonPath(self.path)
        if self.pattern is None and self.path == EVERYWHERE:
            raise RecorderError("a normalizer of the whole request needs a pattern")
        try:
            re.compile(self.pattern or "").sub(self.placeholder, "")
        except (re.error, IndexError) as error:
            raise RecorderError(
                f"the normalizer's pattern {self.pattern!r} or its placeholder is none: {error}"
            ) from None

    def applied(self, body: JsonValue) -> JsonValue:
        """Return a copy of `body` as the key is to see it."""
        if self.pattern is None:
            return JsonPath(self.path).applied(body, lambda value: self.placeholder)
        pattern = re.compile(self.pattern)
        return JsonPath(self.path).applied(
            body, lambda value: _in_each_text(value, lambda text: pattern.sub(self.placeholder, text))
        )


@dataclass(frozen=True)
class BuiltIn:
    """A rule of ours. Raises RecorderError for an unknown name, and for roots of a rule that has none."""

    name: str
    roots: tuple[str, ...] = ()
    """The directories that "cwd" or "tmp_path" replaces; where there are none, those of this process."""

    def __post_init__(self) -> None:
        if self.name not in _BUILT_IN:
            raise RecorderError(f"there is no normalizer {self.name!r}; built in are {', '.join(BUILT_IN_NAMES)}")
        if self.roots and (self.name not in _ROOTS or not all(isinstance(root, str) and root for root in self.roots)):
            raise RecorderError(f"{self.roots!r} are not the roots of the normalizer {self.name!r}")

    def applied(self, body: JsonValue) -> JsonValue:
        """Return a copy of `body` as the key is to see it."""
        return _BUILT_IN[self.name](body, self.rooted().roots)

    def rooted(self) -> BuiltIn:
        """Return the rule with its roots named, so that it means the same in any other process."""
        return replace(self, roots=tuple(_ROOTS[self.name]())) if self.name in _ROOTS and not self.roots else self


Rule: TypeAlias = "BuiltIn | Normalizer"
NormalizeRule: TypeAlias = "str | Normalizer | Mapping[str, Any] | Sequence[str]"
"""A built-in one's name, or this and its roots as a mapping; a Normalizer, or its path, pattern and placeholder as a
mapping or in this order."""

_HEX = r"[0-9a-fA-F]"
_UUID = re.compile(rf"(?<!{_HEX}){_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}(?!{_HEX})")
_HASH_LENGTHS = (128, 96, 64, 56, 40, 32)
_HASH = re.compile(rf"(?<![0-9A-Za-z])(?:{'|'.join(f'{_HEX}{{{length}}}' for length in _HASH_LENGTHS)})(?![0-9A-Za-z])")
_TIME = r"\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:\s?(?:Z|UTC|[+-]\d{2}:?\d{2}))?"
_DATE = re.compile(rf"(?<!\d)\d{{4}}-\d{{2}}-\d{{2}}(?:[T ]{_TIME})?(?!\d)|(?<![\d:]){_TIME}(?![\d:])")
_CALL_ID_NAMES = frozenset({"tool_call_id", "call_id", "tool_use_id"})


def _uuids(body: JsonValue, roots: Sequence[str]) -> JsonValue:
    return _in_each_text(body, lambda text: _UUID.sub("__UUID__", text))


def _hashes(body: JsonValue, roots: Sequence[str]) -> JsonValue:
    return _in_each_text(body, lambda text: _HASH.sub("__HASH__", text))


def _dates(body: JsonValue, roots: Sequence[str]) -> JsonValue:
    return _in_each_text(body, lambda text: _DATE.sub("__DATE__", text))


def _cwd(body: JsonValue, roots: Sequence[str]) -> JsonValue:
    pattern = re.compile(_any_path(roots))
    return _in_each_text(body, lambda text: pattern.sub("__CWD__", text))


def _tmp_path(body: JsonValue, roots: Sequence[str]) -> JsonValue:
    # pytest's own folders have the user, the run and the worker in their path; other temporary ones a random name.
    # A test's own folder there keeps its name, but for the number that pytest puts behind it.
    below = r"[\\/]+pytest-of-[^\\/\s\"']+[\\/]+pytest-\d+(?:[\\/]+popen-gw\d+)?|[\\/]+tmp[a-z0-9_]{8}"
    pattern = re.compile(rf"(?:{_any_path(roots)})(?:{below})?")
    return _in_each_text(body, lambda text: pattern.sub("__TMP_PATH__", text))


def _tool_call_ids(body: JsonValue, roots: Sequence[str]) -> JsonValue:
    ids: dict[str, str] = {}

    def collect(value: JsonValue, name: str) -> None:
        if isinstance(value, dict):
            is_call = name == "tool_calls" or value.get("type") in ("function_call", "tool_use")
            for item_name, item in value.items():
                is_id = item_name in _CALL_ID_NAMES or (is_call and item_name == "id")
                if is_id and isinstance(item, str):
                    ids.setdefault(item, f"__TOOL_CALL_{len(ids) + 1}__")
                collect(item, item_name)
        elif isinstance(value, (list, tuple)):
            for item in value:
                collect(item, name)

    collect(body, "")
    return _in_each_text(body, lambda text: ids.get(text, text)) if ids else body


_BUILT_IN: Mapping[str, Callable[[JsonValue, Sequence[str]], JsonValue]] = {
    "cwd": _cwd,
    "dates": _dates,
    "hashes": _hashes,
    "tmp_path": _tmp_path,
    "tool_call_ids": _tool_call_ids,
    "uuids": _uuids,
}
BUILT_IN_NAMES = tuple(sorted(_BUILT_IN))
"""`cwd` and `tmp_path`: the working directory, and temporary ones; `dates`: ISO dates and times; `hashes`: 32 to 128
hex digits; `tool_call_ids`: numbered in their order; `uuids`."""


class Normalizers:
    """The rules of one session. The order in which they are declared is that in which they apply."""

    def __init__(self, rules: Sequence[NormalizeRule | Rule] = ()) -> None:
        self._rules = [_rule(rule) for rule in rules]

    def __bool__(self) -> bool:
        return bool(self._rules)

    def applied(self, body: JsonObject) -> JsonObject:
        """Return a copy of `body` as the key is to see it."""
        for rule in self._rules:
            body = rule.applied(body)
        return body

    @property
    def declared(self) -> list[JsonValue]:
        """The rules in JSON; `Normalizers` of it are the same rules."""
        return [_declared(rule) for rule in self._rules]

    def declared_for(self, body: JsonObject) -> list[JsonValue]:
        """Return those of the rules, in JSON, that change `body`: what its recording says of them.

        A rule that changes nothing in a request is not named in its recording: declaring one gives no diff there.
        Rules that depend on the process are declared with their roots: `Normalizers` of it work in any other one.
        """
        declared: list[JsonValue] = []
        for rule in self._rules:
            changed = rule.applied(body)
            if changed != body:
                declared.append(_declared(rule.rooted() if isinstance(rule, BuiltIn) else rule))
            body = changed
        return declared

    def rooted_as(self, declared: Sequence[JsonValue]) -> Normalizers:
        """Return these rules with the roots that a recording declares for those of the same name."""
        roots = {rule.name: rule.roots for rule in Normalizers(declared)._rules if isinstance(rule, BuiltIn)}
        return Normalizers(
            [
                replace(rule, roots=roots.get(rule.name, ())) if isinstance(rule, BuiltIn) and not rule.roots else rule
                for rule in self._rules
            ]
        )

    def __str__(self) -> str:
        return (
            ", ".join(rule.name if isinstance(rule, BuiltIn) else f"{asdict(rule)}" for rule in self._rules) or "none"
        )


NONE = Normalizers()


def without_roots(declared: Sequence[JsonValue]) -> list[JsonValue]:
    """Return declared rules as a person compares them: what is built in by its name alone."""
    return [rule["name"] if isinstance(rule, dict) and "roots" in rule else rule for rule in declared]


def _declared(rule: Rule) -> JsonValue:
    if isinstance(rule, Normalizer):
        return asdict(rule)
    return {"name": rule.name, "roots": list(rule.roots)} if rule.roots else rule.name


def _rule(rule: Any) -> Rule:
    if isinstance(rule, (Normalizer, BuiltIn)):
        return rule
    if isinstance(rule, str):
        return BuiltIn(rule)
    try:
        if isinstance(rule, Mapping) and "roots" in rule:
            return BuiltIn(rule["name"], tuple(rule["roots"]))
        return Normalizer(**rule) if isinstance(rule, Mapping) else Normalizer(*rule)
    except (TypeError, KeyError):
        raise RecorderError(f"{rule!r} is no normalizer; it takes path, pattern and placeholder") from None


def _in_each_text(value: JsonValue, change: Callable[[str], str]) -> JsonValue:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: _in_each_text(item, change) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_in_each_text(item, change) for item in value]
    return value


def _any_path(paths: Sequence[str]) -> str:
    """Return a pattern that finds these paths in either spelling of the separator, and doubled as in JSON and code."""
    patterns = []
    for path in paths:
        parts = [re.escape(part) for part in re.split(r"[\\/]+", path.rstrip("/\\"))]
        patterns.append(r"[\\/]+".join(parts) + r"(?![\w-]|\.\w)")
    return "|".join(patterns)


def _working_directory() -> list[str]:
    return [str(Path.cwd())]


def _temporary_roots() -> list[str]:
    directory = tempfile.gettempdir()
    return sorted({directory, os.path.realpath(directory)}, key=len, reverse=True)


_ROOTS: Mapping[str, Callable[[], list[str]]] = {"cwd": _working_directory, "tmp_path": _temporary_roots}
"""What the rules that depend on the process replace in it."""
