"""A recording about to be written, with the ids that recordings of the same objects have already."""

from __future__ import annotations

from .format.sameness import renamed_ids
from .identity.request import ids_in, with_ids
from .plans import Record
from .run_ledger import RunLedger

_RESPONSE_START = b'\n  "response": {'


class WithKeptIds:
    """The content of one recording. Its request has the kept ids already, since its key is made from them."""

    def __init__(self, plan: Record, ledger: RunLedger, content: bytes) -> None:
        self._plan = plan
        self._ledger = ledger
        self._head, start, self._answer = content.partition(_RESPONSE_START)
        self._head += start
        self.content = content if not ledger.ids else self._renamed()

    def is_same(self, old: bytes, new: bytes) -> bool:
        """Whether a file says the same already; its ids stay, and what names the new ones is taken to name them."""
        renamed = renamed_ids(old, new)
        if renamed and (reused := self._reused(renamed)):
            self._plan.row.own_ids.update(reused)
            renamed = renamed_ids(old, self._renamed())
        self._plan.is_unchanged = renamed is not None
        if renamed is None:
            self._plan.replaced = self._plan.replaced or old
            return False
        self._ledger.note_ids(renamed)
        return True

    def _renamed(self) -> bytes:
        ids = self._ledger.known_ids(self._plan.row.own_ids)
        return self._head + with_ids(self._answer.decode(), ids).encode()

    def _reused(self, renamed: dict[str, str]) -> dict[str, str]:
        """Return the ids of this answer that name another object than elsewhere in the run, each as its own.

        A server that a test starts for itself counts from the beginning again: its second answer has the id that the
        file says, and another test's second answer, which was the first one before, has it too.
        """
        known = self._ledger.ids
        found = set(ids_in(self._answer.decode())) if renamed.keys() & set(known.values()) else set()
        return {old: old for new, old in renamed.items() if old in found and known.get(old) == new}
