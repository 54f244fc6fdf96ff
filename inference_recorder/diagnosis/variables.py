"""Misses that an environment variable causes: its value is a secret in the request, or was one in the recording."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence

from ..errors import CorruptRecording
from ..explanation import Advice
from ..json_tree import JsonObject
from ..redaction.redactor import Redactor
from ..redaction.scanner import SHORTEST_LITERAL, SHORTEST_VALUE
from ..redaction.secret_env import is_secret_name
from ..request.keys import body_text_as_keyed
from ..request.request import Request
from ..storage.catalogue import entry_of
from .index import Asked, Index, path_of

_HIDDEN = re.compile(r'"[0-9.eE+-]*__REDACTED_N__[0-9.eE+-]*"|__REDACTED__')
_IN_A_VALUE = re.compile(r'(?:[^"\\]|\\.)+')


def variable_advice(
    request: Request, test_id: str | None, variables: Sequence[str], plain: Request, index: Index
) -> Advice | None:
    """Return which variable keeps a recording from answering, and what to do about it; None if none does.

    `variables` are those with a secret of the request, which `plain` is with that secret in it.
    """
    path = path_of(request.url)
    of_test = index.by_test.get(test_id, []) if test_id is not None else index.by_endpoint.get(request.endpoint, [])
    text, plain_text = body_text_as_keyed(request), body_text_as_keyed(plain)
    for asked in of_test:
        if (asked.test_id, asked.endpoint, asked.url_path) != (test_id, request.endpoint, path):
            continue
        try:
            recorded, hidden_then = _recorded(asked)
        except (CorruptRecording, ValueError, TypeError, RecursionError):
            continue  # it is another file than the one that the index has seen
        if variables and recorded != text and (recorded == plain_text or _fillings(text, recorded)):
            return _hidden_now(variables)
        fillings = _fillings(recorded, plain_text) if hidden_then else None
        if names := [name for name in hidden_then if _may_have_been(fillings or (), name, plain_text)]:
            return _hidden_then(names)
    return None


def _recorded(asked: Asked) -> tuple[str, tuple[str, ...]]:
    """Return a recorded request as its key sees it, and the variables that had a secret of it."""
    entry = entry_of(asked.path)
    if entry.asked is None:
        return "", ()
    names = entry.request.get("secret_env")
    known = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return body_text_as_keyed(entry.asked), tuple(known)


def _fillings(text: str, filled: str) -> list[str] | None:
    """Return what `filled` has in place of a text's placeholders, within one value each; None where it differs in more.

    Those that are placeholders there too are left out.
    """
    first, *parts = _HIDDEN.split(text)
    if not parts or not filled.startswith(first) or not filled.endswith(parts[-1]):
        return None
    position, last, found = len(first), len(filled) - len(parts[-1]), []
    for number, part in enumerate(parts, start=1):
        end = last if number == len(parts) else filled.find(part, position + 1, last)
        if end <= position or _IN_A_VALUE.fullmatch(filled, position, end) is None:
            return None
        found.append(filled[position:end])
        position = end + len(part)
    return [filling for filling in found if _HIDDEN.fullmatch(filling) is None]


def _may_have_been(fillings: Sequence[str], name: str, text: str) -> bool:
    """Whether one of these texts of a request may be what a variable held when the request was recorded.

    Not where it is set and not in the request, or in what is filled in: then the request is another one.
    """
    now = json.dumps(os.environ.get(name, ""))[1:-1]
    shortest = SHORTEST_VALUE if is_secret_name(name) else SHORTEST_LITERAL
    if len(now) >= shortest and now not in fillings and (now not in text or any(now in one for one in fillings)):
        return False
    return any(len(filling) >= shortest for filling in fillings)


def shown_without(variables: Sequence[str], body: JsonObject) -> JsonObject:
    """Return a recorded body with the present values of these variables hidden: it may hold one in clear."""
    for name in variables:
        if secret := os.environ.get(name):
            body = Redactor([secret]).replaced(body, lambda _, name=name: f"({name})")  # type: ignore[misc]
    return body


def _hidden_now(names: Sequence[str]) -> Advice:
    return Advice(
        (
            f"this request holds the value of {', '.join(names)} in the environment, which is hidden as a secret",
            "  and was not when it was recorded. If it is not a secret, exclude the variable:",
            f"  {_setting(names)}",
        )
    )


def _hidden_then(names: Sequence[str]) -> Advice:
    return Advice(
        (
            f"the same request is recorded with the value of {', '.join(names)} in the environment hidden as a secret.",
            "  If that was the text that this request has there, set the variable to it.",
            "  If it is not a secret, exclude the variable and record again:",
            f"  {_setting(names)}",
        )
    )


def _setting(names: Sequence[str]) -> str:
    """Return the line of a configuration that leaves these variables out."""
    excluded = json.dumps([f"!{name}" for name in names])
    return f"secret_env = {excluded}  (in [tool.inference_recorder]; or secret_env= of the marker or in code)"
