"""Recordings that nothing in this run used, each with the reason to keep it, if there is one."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from ..children.usage import Use
from ..errors import CorruptRecording
from ..fixture_ids import moved_id, parsed_fixture_id
from ..recording.layout import is_model_list_name
from ..request.keys import EXACT, FOLDING, request_key
from ..storage.catalogue import Entry, entries_in, key_of
from ..storage.directories import directories_from
from ..storage.key_versions import DIGITS_WITHOUT_TEST, is_shared, key_version
from .run_report import RunReport

NOT_RUN = "their tests did not run"
NOT_COLLECTED = "their tests were not collected in this run"
NOT_FOUND = "no test with their id was found"
OF_FIXTURES = "they belong to fixtures that several tests share"
OF_NEEDED_FIXTURES = f"{OF_FIXTURES}, which this run may not have needed"
NO_TEST_ID = "they have no test id: scripts made them, or tests share them"
SHARED = "other tests may use them too"
OUTSIDE = "they are outside rootdir, where other suites may keep theirs"
ELSEWHERE = "their tests had sessions only in other directories"
ONLY_READ = "they are in a directory that this run only reads"


class Unused(NamedTuple):
    """A recording that nothing used."""

    path: Path
    test_id: str | None
    """In this run."""
    reason: str
    is_needless: bool = False
    """Whether its own test has shown in this run that it does not need it."""
    recorded_id: str | None = None
    """The test id in the file, which is relative to another directory than rootdir if it differs."""


class RunRecordings:
    """The recordings in the directories of a run: those that it wrote to or read, and that recorders use by default."""

    def __init__(self, report: RunReport, root: Path, common: Path, has_test: Callable[[str, Path], bool]) -> None:
        """`root` is pytest's rootdir, `common` the directory of recorders that name none.

        `has_test` says whether a test or fixture, with its id relative to a directory, may still exist.
        """
        self._used = _Used(chain(report.calls, report.used))
        self._reasons = report.unproven
        real = {path: _real(Path(path)) for path in chain.from_iterable(report.proven.values())}
        self._proven = {
            test_id: {real[path] for path in paths}
            for test_id, paths in report.proven.items()
            if test_id not in self._reasons
        }
        self._collected = set(report.collected)
        self._has_test = cache(has_test)
        self._root, self._rootdir = _real(root), root
        self._roots = {
            path: Path(root) for name, root in report.roots.items() for path in directories_from(Path(name)).read
        }
        by_default = directories_from(common).read
        self._directories = [
            directory
            for directory in dict.fromkeys((*by_default, *map(Path, report.directories)))
            if directory in by_default or directory.is_relative_to(root)
        ]
        written = (common, *map(Path, report.written))
        self._written = {_real(directory) for path in written for directory in directories_from(path).read}
        workers = ", ".join([*report.crashed_workers, *report.silent_workers])
        self._lost = f"worker {workers} ended without reporting what its tests used" if workers else None

    def unused(self, *, of: Container[str | None] | None = None) -> Iterator[Unused]:
        """Yield the recordings that nothing used, of these tests or of all.

        A recording is needless if its own test ran and passed in this run and all recordings that the test used are
        known. It is never needless if other tests or suites may need it: if it is shared, in a directory that this run
        only reads, or outside rootdir, where another suite may even have a test with the same id.
        """
        for entry in entries_in(self._directories):
            if isinstance(entry, CorruptRecording) or not entry.is_sdk_call:
                continue
            test_id = self._in_run(entry)
            if (of is None or test_id in of) and not self._used.holds(entry):
                reason = self._reason_to_keep(entry, test_id)
                needless = "its test passed and did not use it"
                yield Unused(entry.path, test_id, reason or needless, reason is None, entry.test_id)

    def own_directories(self) -> list[Path]:
        """Return the directories below rootdir that this run writes to, and in which it may delete."""
        own = {directory for directory in self._written if directory.is_relative_to(self._root)}
        return [directory for directory in self._directories if _real(directory) in own]

    def _in_run(self, entry: Entry) -> str | None:
        """Return the id that the test of a recording has in this run."""
        root = self._roots.get(entry.path.parent)
        if root is None or entry.test_id is None:
            return entry.test_id
        return moved_id(entry.test_id, root, self._rootdir) or entry.test_id

    def _reason_to_keep(self, entry: Entry, test_id: str | None) -> str | None:
        """Return why a recording may be needed, as a clause about several of them; None if it is needless."""
        directory = _real(entry.path.parent)
        if test_id is None:
            return NO_TEST_ID
        if not directory.is_relative_to(self._root):
            return OUTSIDE
        if test_id in self._proven:
            if is_shared(entry, key_version(entry)):
                return SHARED
            if directory not in self._proven[test_id]:
                return ELSEWHERE
            return self._lost or (None if directory in self._written else ONLY_READ)
        if test_id in self._reasons:
            return self._reasons[test_id]
        if parsed_fixture_id(test_id) is not None:
            return OF_NEEDED_FIXTURES if self._has_test(test_id, self._rootdir) else OF_FIXTURES
        if _may_be_shared(entry):
            return SHARED
        if test_id in self._collected:
            return self._lost or NOT_RUN
        return self._lost or (NOT_COLLECTED if self._has_test(test_id, self._rootdir) else NOT_FOUND)


class _Used:
    """What was replayed or recorded, by any process."""

    def __init__(self, uses: Iterable[Use]) -> None:
        self._paths: set[str] = set()
        self._recorded: set[str] = set()
        """Keys. A series that was recorded again may have closed its gaps."""
        self._lists: set[tuple[str, str | None, bool]] = set()
        """(key, test id, whether a list under that key answered) for each list of models.

        The path of such a call is one of the several files that may have answered it together.
        """
        self._real: dict[Path, Path] = {}
        for use in uses:
            if use["path"] is None:
                continue
            if use["outcome"] == "recorded":
                self._recorded.add(use["key"])
            path = Path(use["path"])
            self._paths.add(self._where(path))
            if is_model_list_name(path.name):
                self._lists.add((use["key"], use["test_id"], key_of(path) == use["key"]))

    def holds(self, entry: Entry) -> bool:
        return self._where(entry.path) in self._paths or entry.key in self._recorded or self._is_one_of_lists(entry)

    def _where(self, path: Path) -> str:
        """Return the path of a file in its real directory: processes may know it under several names."""
        if path.parent not in self._real:
            self._real[path.parent] = _real(path.parent)
        return f"{self._real[path.parent]}{os.sep}{path.name}"

    def _is_one_of_lists(self, entry: Entry) -> bool:
        if not is_model_list_name(entry.name) or (request := entry.asked) is None:
            return False
        return any(
            entry.key == key
            if is_exact
            else key in (request_key(request, test_id, each) for each in (EXACT, FOLDING[0]))
            for key, test_id, is_exact in self._lists
        )


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _may_be_shared(entry: Entry) -> bool:
    """Whether a recording is shared. Only these requests had keys without the test; the check takes milliseconds."""
    endpoint = str(entry.request.get("endpoint", ""))
    has_old_key = len(entry.key) == DIGITS_WITHOUT_TEST or endpoint.endswith(("/models", "/tags"))
    return has_old_key and is_shared(entry, key_version(entry))
