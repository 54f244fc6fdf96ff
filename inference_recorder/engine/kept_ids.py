"""A recording about to be written, with the ids that existing recordings have for the same objects."""

from __future__ import annotations

from collections.abc import Callable

from ..recording.layout import RESPONSE_START
from ..recording.stability import renamed_ids, with_old_headers
from ..request.request import ids_in, with_ids
from .decisions import Record
from .run_log import RunLog


class WithKeptIds:
    """The content of one recording. Its request has the kept ids already, since its key is made from them."""

    def __init__(self, decision: Record, run_log: RunLog, content: bytes, is_clean: Callable[..., bool]) -> None:
        self._series, self._state = decision.series, decision.state
        self._is_clean = is_clean
        self._run_log = run_log
        self._head, start, self._answer = content.partition(RESPONSE_START)
        self._head += start
        self.content = content if not run_log.ids else self._renamed()

    def revised(self, old: bytes, new: bytes) -> bytes:
        """Return what to store in an old file's place: itself if only ids differ, which are then renamed."""
        renamed = renamed_ids(old, new)
        if renamed and (reused := self._reused(renamed)):
            with self._series.guard:
                self._series.own_ids.update(reused)
            renamed = renamed_ids(old, self._renamed())
        self._state.is_unchanged = renamed is not None
        if renamed is None:
            self._state.replaced = self._state.replaced or old
            return with_old_headers(old, new, self._is_clean)
        self._run_log.note_ids(renamed)
        return old

    def _renamed(self) -> bytes:
        with self._series.guard:
            ids = self._run_log.known_ids(self._series.own_ids)
        return self._head + with_ids(self._answer.decode(), ids).encode()

    def _reused(self, renamed: dict[str, str]) -> dict[str, str]:
        """Return the ids of this answer that name another object than elsewhere in the run, each as its own.

        A server that a test starts for itself counts from the beginning again: its second answer has the id that the
        file says, and another test's second answer, which was the first one before, has it too.
        """
        known = self._run_log.ids
        found = set(ids_in(self._answer.decode())) if renamed.keys() & set(known.values()) else set()
        return {old: old for new, old in renamed.items() if old in found and known.get(old) == new}
