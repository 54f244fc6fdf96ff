"""The rules of a session in JSON, for another process to apply."""

from __future__ import annotations

import re
from typing import Any

from ..json_tree import JsonObject, JsonValue
from ..request.keys import named
from .requests import RequestRules
from .scanner import RedactRule


def described(rules: RequestRules) -> JsonObject:
    """Return the rules in JSON, with their secrets; functions are named in "functions" and left out of "redact"."""
    return {
        "redact": [_described(rule) for rule in rules.redact if not callable(rule)],
        "functions": [_name_of(rule) for rule in rules.redact if callable(rule)],
        "normalize": rules.normalizers.declared,
        "secret_env": list(rules.secret_env),
        "key_version": rules.key_version.name,
    }


def rules_of(description: dict[str, Any]) -> RequestRules:
    """Return the rules that `described` has described, without the functions."""
    redact = [rule if isinstance(rule, str) else re.compile(*rule) for rule in description["redact"]]
    version = named(description["key_version"])
    return RequestRules(redact, description["normalize"], version, description["secret_env"])


def _described(rule: RedactRule) -> JsonValue:
    if isinstance(rule, re.Pattern):
        return [rule.pattern, rule.flags]
    return str(rule)


def _name_of(function: object) -> str:
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', type(function).__module__)}.{name}"
