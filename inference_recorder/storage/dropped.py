"""Failed calls that were not recorded, remembered for the miss that follows: a note for each test.

A call that cannot be remembered is still named in the summary of the run.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from ..text import visible_line
from .locks import Patience
from .notes import Notes
from .store import Store

_NOTES = Notes(".dropped", "dropped")
_MOST_CALLS = 50
"""For each test: the first that one session dropped, and before them the newest of earlier sessions."""
_LONGEST_TEXT = 300
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
        self._directory = store.directories.written
        self._patience = Patience(_LONGEST_WAIT_SECONDS)  # of all calls together: it may be an event loop that waits
        self._remembered: defaultdict[str | None, dict[str, tuple[str, int | None]]] = defaultdict(dict)
        """Test id -> key -> how the call failed: one that is tried again and again is written once."""

    def remember(self, test_id: str | None, call: DroppedCall) -> None:
        """Remember a call of this test in the place of an earlier one with the same key. Raises nothing."""
        remembered, failed_with = self._remembered[test_id], (call.type, call.status_code)
        is_known = remembered.get(call.key) == failed_with and self._has_note(test_id)
        if is_known or (call.key not in remembered and len(remembered) >= _MOST_CALLS):
            return
        remembered[call.key] = failed_with
        self._change(test_id, lambda calls: [*_without(calls, call.key), _checked(call)][-_MOST_CALLS:])

    def forget(self, test_id: str | None, key: str) -> None:
        """Forget the call with this key, since its request is recorded now. Raises nothing."""
        self._remembered[test_id].pop(key, None)
        if self._has_note(test_id):
            self._change(test_id, lambda calls: _without(calls, key))

    def _has_note(self, test_id: str | None) -> bool:
        return os.path.lexists(_NOTES.path(self._directory, test_id))

    def _change(self, test_id: str | None, changed: Callable[[list[DroppedCall]], list[DroppedCall]]) -> None:
        lock = f"dropped-{_NOTES.path(self._directory, test_id).name}"
        try:
            with self._store.locks.writing(lock, patience=self._patience) as is_held:
                before = _calls_in(self._directory, test_id)
                if is_held and (not (after := changed(before)) or after != before):
                    _NOTES.write(self._directory, test_id, [call._asdict() for call in after])
        except (OSError, TypeError):
            pass  # a read-only directory, a full disk, a stranger's link in its place, a clock set before 1970


def dropped_call(directories: Iterable[Path], test_id: str | None, key: str) -> DroppedCall | None:
    """Return the last call with this key that was dropped in this test, None if none is known. Raises nothing."""
    calls = (call for directory in directories for call in _calls_in(directory, test_id))
    return next((call for call in calls if call.key == key), None)


def _calls_in(directory: Path, test_id: str | None) -> list[DroppedCall]:
    """Return the calls that a directory remembers of a test."""
    try:
        return [_checked(DroppedCall(**call)) for call in _NOTES.read(directory, test_id) or ()]
    except TypeError:  # not one of ours
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
