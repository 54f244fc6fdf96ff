"""What an engine consists of: what belongs to its session, and what belongs to one directory of recordings."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

from ..children import usage as process_usage
from ..modes import InferenceMode
from ..network import NetworkRules
from ..redaction.requests import RequestRules
from ..storage.beside_tests import DirectoriesOfTests
from ..storage.directories import Directories
from ..storage.locks import Patience
from ..storage.store import Store
from ..tasks import is_interruption
from .answer_writer import AnswerWriter
from .attempt_series import AttemptSeries
from .call_log import CallLog
from .captures import Captures
from .given_test import given_test
from .lookup import Lookup
from .recorded_ids import RecordedIds
from .test_run import TestRun

if TYPE_CHECKING:
    from typing_extensions import Self


class EngineParts:
    """The state of one session, and what works in one of its directories; there may be one for each directory.

    What calls in several threads change lies in the AttemptSeries, the Captures and the CallLog, each with its lock.
    """

    def __init__(
        self,
        mode: InferenceMode,
        store: Store,
        *,
        test_id: str | None = None,
        is_shared: bool = False,
        record_errors: bool | None = None,
        may_repeat: bool = True,
        rules: RequestRules | None = None,
        test_run: TestRun | None = None,
    ) -> None:
        self.mode = mode
        self.is_live = mode is InferenceMode.LIVE
        self.of_tests: DirectoriesOfTests | None = None
        """Set by its recorder if each test has directories of its own."""
        self._engines: dict[Path, Self] = {}
        """Where those write -> the engine of that directory. Threads may only add what is equal."""
        self.is_open = True
        """Set when the session is entered and left."""
        self.network = NetworkRules()
        """Set by its recorder."""
        self.has_children = True
        """Whether Python processes that are started in the session join it."""
        self.record_errors = record_errors
        self.given_test_id = test_id
        self.has_own_id = is_shared or test_id is not None
        self.rules = rules or RequestRules()
        self.may_repeat = may_repeat
        self._attempt_series = AttemptSeries()
        """Counts the calls that are made outside test attempts."""
        self._counts_on = False
        """Whether that is the one of an outer session."""
        self.test_run = test_run or TestRun()
        self.opened_for = self.unredacted_test_id()
        """The test id that a call would have had when the session was opened."""
        self._run_log = self.test_run.run_log
        self.call_log = CallLog(store, mode.value)
        self._work_in(store, None)

    def _work_in(self, store: Store, shared: RecordedIds | None) -> None:
        self.store = store
        self.ids = RecordedIds(None if self.has_own_id else store.directories.roots, shared)
        self.lookup = Lookup(store, self.rules, self.ids, may_repeat=self.may_repeat)
        self.mode_and_directory = f"{self.mode} {store.directories.written}"
        self._writer = AnswerWriter(store, self.rules, self.record_errors, self.call_log, self.test_run)
        self.captures = Captures(store, self._writer)

    def in_directories(self) -> tuple[Self, ...]:
        """Return the engines of all directories of the session."""
        return tuple(self._engines.values()) or (self,)

    def at_call(self) -> Self:
        """Return the engine of the directory of a call that is made now; raises UnusableDirectory."""
        if self.of_tests is None:
            return self
        directories = self.directories_at_call()
        return self._engines.get(directories.written) or self._added(directories, self.of_tests)

    def directories_at_call(self) -> Directories:
        """Return the directories of a call that is made now."""
        directories = self.store.directories
        return directories if self.of_tests is None else self.of_tests.of(self.unredacted_test_id())

    def _added(self, directories: Directories, of_tests: DirectoriesOfTests) -> Self:
        """Add an engine that differs from this one only in what belongs to one directory."""
        of_tests.check(directories, self.mode)
        self._engines.setdefault(self.store.directories.written, self)
        engine = copy(self)
        engine.of_tests = None
        engine._work_in(Store(directories), self.ids)
        self.test_run.directories[directories] = None
        if process_usage.listeners:
            process_usage.tell_entered(directories.read, is_live=False)
        return self._engines.setdefault(directories.written, engine)

    def join(self, test_run: TestRun) -> None:
        """Belong to a test run that began after the session was opened."""
        for engine in self.in_directories():
            engine.test_run = engine._writer.test_run = test_run

    def store_put_off(self, task: object = None) -> None:
        """Store the collected streams of one task or thread, or of all."""
        for engine in self.in_directories():
            engine.captures.store_put_off(task)

    @property
    def attempt_series(self) -> AttemptSeries:
        """Where a call that is made now is counted."""
        running, given = self.test_run.attempt_series or self._attempt_series, given_test.get()
        return running if given is None or self.has_own_id else self.test_run.series_of(given, running)

    def current_test_id(self) -> str | None:
        """Return the test id of a call that is made now, without secrets."""
        return self.rules.scope(self.ids.of(self.unredacted_test_id()))

    def unredacted_test_id(self) -> str | None:
        """Return the same with its secrets."""
        return self.given_test_id if self.has_own_id else self.test_run.test_id_here()

    def count_on_in(self, outer_engines: Iterable[EngineParts]) -> None:
        """Count calls outside test attempts on from the nearest outer session with the same mode and directory.

        Otherwise the inner session would begin at the first position again and replace what the outer one recorded.
        """
        same = (each for each in outer_engines if each.is_open and each.mode_and_directory == self.mode_and_directory)
        if (outer := next(same, None)) is not None:
            self._attempt_series, self._counts_on = outer._attempt_series, True

    def close(self, left_by: BaseException | None = None) -> None:
        """Wait for what is being stored, and finish the series unless an outer session counts on in them.

        `left_by` is the exception that left the session's block: after an interruption, streams that are still open
        replace nothing; after any exception, the series keep recordings that the block did not reach.
        Raises the first error of storing that no caller got.
        """
        self.is_open, patience, is_interrupted = False, Patience(), is_interruption(left_by)
        engines = self.in_directories()
        errors = [error for each in engines for error in each.captures.close(patience, is_interrupted=is_interrupted)]
        if not self._counts_on:
            is_whole_run = not self.test_run.has_plugin and self.call_log.origin is None
            given = self.test_run.given_series() if is_whole_run else []
            for series in dict.fromkeys((self._attempt_series, *given)):
                errors += series.finish(patience, is_cut=left_by is None)
        for engine in engines:
            engine.store.sync()
        if errors:
            raise errors[0]
