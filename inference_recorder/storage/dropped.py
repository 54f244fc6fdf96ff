"""Failed calls that were not recorded, remembered for the miss that follows: a small file for each test.

The files are in `.dropped` of the directory of recordings, and git ignores them. They are never replayed or
trusted. A call that cannot be remembered is still named in the summary of the run.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ..errors import CorruptRecording
from ..text import visible_line
from . import files
from .locks import Patience
from .store import Store

DROPPED_DIRECTORY = ".dropped"
"""Below the directory of recordings; git ignores it."""
_MOST_CALLS = 50
"""For each test: the first that one session dropped, and before them the newest of earlier sessions."""
_LONGEST_TEXT = 300
_MOST_BYTES = 1 << 18
_LONGEST_WAIT_SECONDS = 1.0
_TEXTS = ("key", "endpoint", "model", "mode", "type", "message")
_LATEST = 1e11


class DroppedCall(NamedTuple):
    """A failed call that was not recorded. No text of it holds a secret or a line break."""

    key: str
    endpoint: str
    model: str
    mode: str
    made_at: float
    """In seconds since 1970."""
    type: str
    """The exception's class, as in a recording."""
    status_code: int | None
    message: str


class DroppedCalls:
    """What one session remembers of its dropped calls, and forgets once their requests are recorded."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._directory = store.directories.written / DROPPED_DIRECTORY
        self._patience = Patience(_LONGEST_WAIT_SECONDS)  # of all calls together: it may be an event loop that waits
        self._remembered: defaultdict[str, dict[str, tuple[str, int | None]]] = defaultdict(dict)
        """File name -> key -> how the call failed: one that is tried again and again is written once."""

    def remember(self, test_id: str | None, call: DroppedCall) -> None:
        """Remember a call of this test in the place of an earlier one with the same key. Raises nothing."""
        name, failed_with = file_name_of(test_id), (call.type, call.status_code)
        remembered = self._remembered[name]
        is_known = remembered.get(call.key) == failed_with and os.path.lexists(self._directory / name)
        if is_known or (call.key not in remembered and len(remembered) >= _MOST_CALLS):
            return
        remembered[call.key] = failed_with
        self._change(name, test_id, lambda calls: [*_without(calls, call.key), _checked(call)][-_MOST_CALLS:])

    def forget(self, test_id: str | None, key: str) -> None:
        """Forget the call with this key, since its request is recorded now. Raises nothing."""
        name = file_name_of(test_id)
        self._remembered[name].pop(key, None)
        if os.path.lexists(self._directory / name):
            self._change(name, test_id, lambda calls: _without(calls, key))

    def _change(
        self, name: str, test_id: str | None, changed: Callable[[list[DroppedCall]], list[DroppedCall]]
    ) -> None:
        path = self._directory / name
        try:
            with self._store.locks.writing(f"dropped-{name}", patience=self._patience) as is_held:
                if not is_held:
                    return
                files.make_ignored(self._directory)
                before = _calls_in(path)
                if not (after := changed(before)):
                    path.unlink(missing_ok=True)
                elif after != before:
                    document = {"test_id": test_id, "dropped": [call._asdict() for call in after]}
                    files.replace(path, json.dumps(document, indent=1).encode(), name)
        except (OSError, TypeError):
            pass  # a read-only directory, a full disk, a stranger's link in its place, a clock set before 1970


def dropped_call(directories: Iterable[Path], test_id: str | None, key: str) -> DroppedCall | None:
    """Return the last call with this key that was dropped in this test, None if none is known. Raises nothing."""
    paths = (directory / DROPPED_DIRECTORY / file_name_of(test_id) for directory in directories)
    return next((call for path in paths for call in _calls_in(path) if call.key == key), None)


def _calls_in(path: Path) -> list[DroppedCall]:
    """Return the calls that a file remembers; none where it is not there or is not one of ours."""
    try:
        if not files.is_directory(path.parent) or os.stat(path).st_size > _MOST_BYTES:
            return []
        content = files.read(path)
        calls = [] if content is None else json.loads(content)["dropped"]
        return [_checked(DroppedCall(**call)) for call in calls]
    except (OSError, CorruptRecording, ValueError, TypeError, LookupError, RecursionError):
        return []


def _checked(call: DroppedCall) -> DroppedCall:
    """Return a call with its texts short and on one line; raises TypeError where a member is of another type."""
    texts = {name: getattr(call, name) for name in _TEXTS}
    is_ours = (
        all(isinstance(text, str) for text in texts.values())
        and type(call.status_code) in (int, type(None))
        and type(call.made_at) in (int, float)
        and 0 <= call.made_at < _LATEST
    )
    if not is_ours:
        raise TypeError("not a dropped call")
    return DroppedCall(**{**call._asdict(), **{name: _short(text) for name, text in texts.items()}})


def _short(text: str) -> str:
    """Return a text on one line, cut to a length."""
    text = visible_line(" ".join(text.split()))
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def _without(calls: Iterable[DroppedCall], key: str) -> list[DroppedCall]:
    return [call for call in calls if call.key != key]


def file_name_of(test_id: str | None) -> str:
    """Return the name of a test's file: what a person recognizes of its id, and a digest of all of it."""
    digest = sha256(repr(test_id).encode(errors="backslashreplace")).hexdigest()[:16]
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", test_id or "outside a test")[-60:].strip("-")
    return f"{readable}-{digest}.json"
