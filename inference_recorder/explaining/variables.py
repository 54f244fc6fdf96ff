"""Misses that an environment variable causes: its value is a secret in the request, or was one in the recording."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import CorruptRecording
from ..identity.keys import body_text_as_keyed
from ..identity.request import Request
from ..storage.catalogue import entry_of
from .index import Asked, Index, path_of

_HIDDEN = re.compile(r'"[0-9.eE+-]*__REDACTED_N__[0-9.eE+-]*"|__REDACTED__')
_IN_A_VALUE = re.compile(r'(?:[^"\\]|\\.)+')


def variable_remarks(
    request: Request, test_id: str | None, variables: Sequence[str], plain: Request, index: Index
) -> Iterator[str]:
    """Yield which variable keeps a recording from answering, and what to do about it.

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
        if variables and recorded != text and (recorded == plain_text or _is_filled(text, recorded)):
            yield from _hidden_now(asked.path, variables)
            return
        if hidden_then and recorded != plain_text and _is_filled(recorded, plain_text):
            yield from _hidden_then(asked.path, hidden_then)
            return


def _recorded(asked: Asked) -> tuple[str, tuple[str, ...]]:
    """Return a recorded request as its key sees it, and the variables that had a secret of it."""
    entry = entry_of(asked.path)
    if entry.asked is None:
        return "", ()
    names = entry.request.get("secret_env")
    known = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return body_text_as_keyed(entry.asked), tuple(known)


def _is_filled(text: str, filled: str) -> bool:
    """Whether `filled` is a text with some of its placeholders replaced by something, within one value each."""
    first, *parts = _HIDDEN.split(text)
    if not parts or not filled.startswith(first) or not filled.endswith(parts[-1]):
        return False
    place, end = len(first), len(filled) - len(parts[-1])
    for part in parts[:-1]:
        found = filled.find(part, place + 1, end)
        if found < 0 or _IN_A_VALUE.fullmatch(filled, place, found) is None:
            return False
        place = found + len(part)
    return _IN_A_VALUE.fullmatch(filled, place, end) is not None


def _hidden_now(path: Path, names: Sequence[str]) -> Iterator[str]:
    yield f"{_listed(names)} in the environment: a text of this request is its value, and so a secret; when"
    yield f"  {path} was recorded it was none. If it is no secret, leave the variable out:"
    yield f"  {setting_line(names)}"


def _hidden_then(path: Path, names: Sequence[str]) -> Iterator[str]:
    yield f"{_listed(names)} in the environment: when {path} was recorded,"
    yield "  its value was a text of this request, and so a secret, which it is not now. Set it to that text; or, if it"
    yield "  is no secret, leave the variable out and record again:"
    yield f"  {setting_line(names)}"


def setting_line(names: Sequence[str]) -> str:
    """Return the line of a configuration that leaves these variables out."""
    return (
        f"secret_env = {json.dumps([f'!{name}' for name in names])} in [tool.inference_recorder], or secret_env=[...]"
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
