"""The ids under which the running tests are recorded, where those are not relative to pytest's rootdir."""

from __future__ import annotations

from ..fixture_ids import moved_id
from ..storage.directories import Roots


class RecordedIds:
    """The ids of one session's tests and fixtures in its recordings. Threads may only add what is equal."""

    def __init__(self, roots: Roots | None, shared: RecordedIds | None = None) -> None:
        """`shared` are the ids of the same session in another directory: each knows those that the other has met."""
        self._roots = roots
        self._recorded: dict[str, str] = {}
        self._further: dict[str, tuple[str, ...]] = {}
        self._in_run: dict[str, str] = {} if shared is None else shared._in_run

    def of(self, test_id: str | None) -> str | None:
        """Return the id with which a call of this test or fixture is recorded."""
        if self._roots is None or test_id is None:
            return test_id
        if test_id not in self._recorded:
            ids = [moved_id(test_id, self._roots.of_run, root) for root in self._roots.of_recordings]
            recorded_id = ids[0] or test_id
            self._further[recorded_id] = tuple(each for each in ids[1:] if each is not None and each != recorded_id)
            self._in_run[recorded_id] = test_id
            self._recorded[test_id] = recorded_id
        return self._recorded[test_id]

    def further(self, recorded_id: str | None) -> tuple[str, ...]:
        """Return the other ids under which runs with another rootdir may have recorded the same test."""
        return () if recorded_id is None else self._further.get(recorded_id, ())

    def in_run(self, recorded_id: str | None) -> str | None:
        """Return the id that a recorded test has in this run."""
        return None if recorded_id is None else self._in_run.get(recorded_id, recorded_id)
