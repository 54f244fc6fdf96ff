"""Normalizers: values that the user declares to vary between runs get a placeholder in the key, and only there."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeAlias, cast

from ..errors import RecorderError
from ..json_tree import JsonObject, JsonValue, map_texts, walk
from .json_path import JsonPath

EVERYWHERE = "$"


@dataclass(frozen=True)
class Normalizer:
    """A rule of yours: in the key, a placeholder replaces what a pattern matches. The recording keeps the value.

    Args:
        path: A JSON path into the call's arguments: `$.messages[*].content`. Texts at and below it are replaced. `$` is
            the whole request. Steps are `.name`, `['name']`, `[0]`, `[*]`, `.*` and `..name`.
        pattern: A regular expression, as a string. Without one, the whole value at `path` is replaced.
        placeholder: What replaces it. It may refer to groups of the pattern, as in `re.sub`.

    Raises:
        RecorderError: The path, pattern or placeholder is invalid.
    """

    path: str = EVERYWHERE
    pattern: str | None = None
    placeholder: str = "__NORMALIZED__"

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, str) and not (name == "pattern" and value is None):
                raise RecorderError(f"the normalizer's {name} is of type {type(value).__name__}; it must be a string")
        JsonPath(self.path)
        if self.pattern is None and self.path == EVERYWHERE:
            raise RecorderError("a normalizer of the whole request needs a pattern")
        try:
            re.compile(self.pattern or "").sub(self.placeholder, "")
        except (re.error, IndexError) as error:
            raise RecorderError(
                f"the normalizer's pattern {self.pattern!r} or its placeholder is invalid: {error}"
            ) from None

    def applied(self, body: JsonValue) -> JsonValue:
        """Return a copy of `body` with the placeholders in it, as used for the key."""
        if self.pattern is None:
            return JsonPath(self.path).applied(body, lambda value: self.placeholder)
        pattern = re.compile(self.pattern)
        return JsonPath(self.path).applied(body, lambda value: _substituted(value, pattern, self.placeholder))


@dataclass(frozen=True)
class BuiltIn:
    """A built-in rule. Raises RecorderError for an unknown name, and for roots where the rule has none."""

    name: str
    roots: tuple[str, ...] = ()
    """The directories that "cwd" or "tmp_path" replaces. If empty, those of this process."""

    def __post_init__(self) -> None:
        if self.name not in _BUILT_IN:
            raise RecorderError(
                f"there is no normalizer {self.name!r}; the built-in ones are {', '.join(BUILT_IN_NAMES)}"
            )
        if self.roots and (self.name not in _ROOTS or not all(isinstance(root, str) and root for root in self.roots)):
            raise RecorderError(f"{self.roots!r} are not valid roots of the normalizer {self.name!r}")

    def applied(self, body: JsonValue) -> JsonValue:
        """Return a copy of `body` with the placeholders in it, as used for the key."""
        return _BUILT_IN[self.name](body, self.rooted().roots)

    def rooted(self) -> BuiltIn:
        """Return the rule with explicit roots, so that it means the same in any other process."""
        return replace(self, roots=tuple(_ROOTS[self.name]())) if self.name in _ROOTS and not self.roots else self


Rule: TypeAlias = "BuiltIn | Normalizer"
NormalizeRule: TypeAlias = "str | Normalizer | Mapping[str, object] | Sequence[str]"
"""The name of a built-in rule, or a mapping of its name and roots; or a Normalizer, or its path, pattern and
placeholder as a mapping or in this order."""

_HEX = r"[0-9a-fA-F]"
_UUID = re.compile(rf"(?<!{_HEX}){_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}(?!{_HEX})")
_HASH_LENGTHS = (128, 96, 64, 56, 40, 32)
_HASH = re.compile(rf"(?<![0-9A-Za-z])(?:{'|'.join(f'{_HEX}{{{length}}}' for length in _HASH_LENGTHS)})(?![0-9A-Za-z])")
_TIME = r"\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:\s?(?:Z|UTC|[+-]\d{2}:?\d{2}))?"
_DATE = re.compile(rf"(?<!\d)\d{{4}}-\d{{2}}-\d{{2}}(?:[T ]{_TIME})?(?!\d)|(?<![\d:]){_TIME}(?![\d:])")
_CALL_ID_NAMES = frozenset({"tool_call_id", "call_id", "tool_use_id"})
_CALL_TYPES = ("function_call", "tool_use", "server_tool_use", "mcp_tool_use")  # no set: a type may have no hash


def _substituted(value: JsonValue, pattern: re.Pattern[str], placeholder: str) -> JsonValue:
    return map_texts(value, lambda text: pattern.sub(placeholder, text))


def _cwd(body: JsonValue, roots: Sequence[str]) -> JsonValue:
    return _substituted(body, re.compile(_any_path(roots)), "__CWD__")


def _tmp_path(body: JsonValue, roots: Sequence[str]) -> JsonValue:
    # The paths of pytest's directories have the user, the run and the worker; other temporary directories have a random
    # name. The directory of a single test keeps its name.
    below = r"[\\/]+pytest-of-[^\\/\s\"']+[\\/]+pytest-\d+(?:[\\/]+popen-gw\d+)?|[\\/]+tmp[a-z0-9_]{8}"
    return _substituted(body, re.compile(rf"(?:{_any_path(roots)})(?:{below})?"), "__TMP_PATH__")


def _tool_call_ids(body: JsonValue, roots: Sequence[str]) -> JsonValue:
    ids: dict[str, str] = {}
    for name, value in walk(body):
        if not isinstance(value, dict):
            continue
        is_call = name == "tool_calls" or value.get("type") in _CALL_TYPES
        for member, item in value.items():
            is_id = member in _CALL_ID_NAMES or (is_call and member == "id")
            if is_id and isinstance(item, str):
                ids.setdefault(item, f"__TOOL_CALL_{len(ids) + 1}__")
    return map_texts(body, lambda text: ids.get(text, text)) if ids else body


_BUILT_IN: Mapping[str, Callable[[JsonValue, Sequence[str]], JsonValue]] = {
    "cwd": _cwd,
    "dates": lambda body, roots: _substituted(body, _DATE, "__DATE__"),
    "hashes": lambda body, roots: _substituted(body, _HASH, "__HASH__"),
    "tmp_path": _tmp_path,
    "tool_call_ids": _tool_call_ids,
    "uuids": lambda body, roots: _substituted(body, _UUID, "__UUID__"),
}
BUILT_IN_NAMES = tuple(sorted(_BUILT_IN))
"""`cwd` and `tmp_path`: the working directory and temporary directories; `dates`: ISO dates and times; `hashes`: 32 to
128 hex digits; `tool_call_ids`: numbered in their order; `uuids`."""


class Normalizers:
    """The normalizers of one session, applied in the order of their declaration.

    `rules` may hold whatever a user or a recording declares; raises RecorderError for what is not a `NormalizeRule`.
    """

    def __init__(self, rules: Sequence[object] = ()) -> None:
        self._rules = [_rule(rule) for rule in rules]

    def __bool__(self) -> bool:
        return bool(self._rules)

    def applied(self, body: JsonObject) -> JsonObject:
        """Return a copy of `body` with the placeholders in it, as used for the key."""
        for rule in self._rules:
            body = _changed(body, rule)
        return body

    @property
    def declared(self) -> list[JsonValue]:
        """The rules in JSON. `Normalizers(declared)` are the same rules."""
        return [_declared(rule) for rule in self._rules]

    def declared_for(self, body: JsonObject) -> list[JsonValue]:
        """Return the rules that change `body`, in JSON, as its recording names them.

        Rules that change nothing are left out, so that declaring one does not change a recording. Rules that depend on
        the process have their roots, so that they mean the same in any other process.
        """
        declared: list[JsonValue] = []
        for rule in self._rules:
            changed = _changed(body, rule)
            if changed != body:
                declared.append(_declared(rule.rooted() if isinstance(rule, BuiltIn) else rule))
            body = changed
        return declared

    def rooted_as(self, declared: Sequence[JsonValue]) -> Normalizers:
        """Return these rules, with the roots of those in `declared` that have the same name."""
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
    """Return declared rules as a person compares them: a built-in rule is its name alone."""
    return [rule["name"] if isinstance(rule, dict) and "roots" in rule else rule for rule in declared]


def _declared(rule: Rule) -> JsonValue:
    if isinstance(rule, Normalizer):
        return asdict(rule)
    return {"name": rule.name, "roots": list(rule.roots)} if rule.roots else rule.name


def _changed(body: JsonObject, rule: Rule) -> JsonObject:
    return cast("JsonObject", rule.applied(body))  # a rule cannot replace the whole body


def _rule(rule: object) -> Rule:
    if isinstance(rule, (Normalizer, BuiltIn)):
        return rule
    if isinstance(rule, str):
        return BuiltIn(rule)
    try:
        if isinstance(rule, Mapping):
            return BuiltIn(rule["name"], tuple(rule["roots"])) if "roots" in rule else Normalizer(**rule)
        return Normalizer(*rule)  # type: ignore[misc]  # TypeError for what is not a sequence
    except (TypeError, KeyError):
        raise RecorderError(f"{rule!r} is not a normalizer; one takes path, pattern and placeholder") from None


def _any_path(paths: Sequence[str]) -> str:
    """Return a pattern for these paths with either separator, also doubled as in JSON and in code."""
    patterns = []
    for path in paths:
        parts = [re.escape(part) for part in re.split(r"[\\/]+", path.rstrip("/\\"))]
        patterns.append(r"[\\/]+".join(parts) + r"(?![\w-]|\.\w)")
    return "|".join(patterns)


def _temporary_roots() -> list[str]:
    directory = tempfile.gettempdir()
    return sorted({directory, os.path.realpath(directory)}, key=len, reverse=True)


_ROOTS: Mapping[str, Callable[[], list[str]]] = {"cwd": lambda: [os.getcwd()], "tmp_path": _temporary_roots}
"""Built-in rules that depend on the process -> the directories that they replace."""
