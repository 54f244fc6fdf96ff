"""What `ls` lists: files, and tests with their calls."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..errors import CorruptRecording
from ..recording.answer import Streamed, failure_of, is_complete
from ..recording.layout import is_model_list_name, key_in, name_of
from ..storage.catalogue import Entry, entry_of
from .amounts import age_text, iso_time
from .console import OUTSIDE_A_TEST, Cell, shortened, size_cell
from .directories import shown
from .filters import Filter

_LONGEST_MODEL = 16
"""Characters of a model's name beside a test: the id needs the room."""
_UNREADABLE = "(cannot be read)"
"""Shown in place of a test id."""


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One file, as it is listed and as --json gives it; None stands for an unknown value."""

    path: str
    kind: str
    """"recording", "other" or "corrupt"."""
    size: int
    modified: float
    """Seconds since 1970."""
    reason: str | None = None
    """Why the file cannot be read."""
    test_id: str | None = None
    endpoint: str | None = None
    model: str | None = None
    position: int | None = None
    """In the series of its key; None if the file cannot be read."""
    is_streaming: bool | None = None
    is_complete: bool | None = None
    is_failed: bool | None = None

    @property
    def short_name(self) -> str:
        """The name with only the first 12 digits of its key: "792f5c2603ba.2"."""
        file = os.path.basename(self.path)
        key = key_in(file)
        name = name_of(file).replace(key, key[:12], 1)
        return name.rpartition("-")[0] if is_model_list_name(name) else name

    @property
    def answer(self) -> str:
        """The answer in a few words."""
        if self.kind == "corrupt":
            return f"unreadable: {self.reason}"
        if self.kind == "other":
            return "not the SDK's"
        form = "stream" if self.is_streaming else "whole"
        if self.is_failed:
            return f"{form}, failed"
        return form if self.is_complete else f"{form}, left early"

    def cells(self, now: float) -> list[Cell]:
        """Return its line; `now` is in seconds since 1970."""
        endpoint = self.endpoint or ""
        return [
            self.test_id or "",
            (endpoint.removeprefix("/v1/"), endpoint),
            self.model or "",
            self.answer,
            size_cell(self.size),
            _age_cell(now, self.modified),
            (self.short_name, self.path),
        ]

    def as_json(self) -> dict[str, object]:
        """Return what --json gives."""
        key = None if self.position is None else key_in(os.path.basename(self.path))
        return asdict(self) | {"modified": iso_time(self.modified), "key": key}


@dataclass(slots=True)
class ListedTest:
    """The recordings of one test in one directory, as they are listed in one line."""

    test_id: str
    directory: str
    number: int = 0
    failed: int = 0
    unreadable: int = 0
    models: set[str] = field(default_factory=set)
    size: int = 0
    modified: float = 0.0

    def add(self, file: ListedFile) -> None:
        """Count a file."""
        self.number += 1
        self.failed += bool(file.is_failed)
        self.unreadable += file.kind == "corrupt"
        self.models |= {file.model} if file.model else set()
        self.size += file.size
        self.modified = max(self.modified, file.modified)

    def cells(self, now: float) -> list[Cell]:
        """Return its line; `now` is in seconds since 1970."""
        failed = self.failed + self.unreadable
        return [
            (self.test_id or OUTSIDE_A_TEST, self.test_id),
            self.number,
            (str(failed or ""), str(failed)),
            self._models_cell(),
            size_cell(self.size),
            _age_cell(now, self.modified),
        ]

    def _models_cell(self) -> Cell:
        models = sorted(self.models)
        first = shortened(models[0], _LONGEST_MODEL) if models else ""
        return f"{first} +{len(models) - 1}" if len(models) > 1 else first, ", ".join(models)


def by_test(files: Iterable[ListedFile]) -> list[ListedTest]:
    """Return the tests of these files, which are not kept: thousands of them take a lot of memory.

    Tests of several projects may have the same id.
    """
    tests: dict[tuple[str, str], ListedTest] = {}
    for file in files:
        test_id = _UNREADABLE if file.kind == "corrupt" and file.test_id is None else file.test_id or ""
        key = test_id, os.path.dirname(file.path) or "."
        test = tests.get(key) or tests.setdefault(key, ListedTest(*key))
        test.add(file)
    return list(tests.values())


def listed(wanted: Filter, paths: Sequence[Path]) -> Iterator[ListedFile | None]:
    """Yield each file as it is listed; None for one that does not match."""
    for path in paths:
        try:
            status = path.stat()
        except OSError:  # a broken link, or the file has just been removed
            status = None
        if status is not None and not wanted.matches_file(status):
            yield None
            continue
        size, modified = (0, 0.0) if status is None else (status.st_size, status.st_mtime)
        try:
            entry = entry_of(path)
        except CorruptRecording as error:
            file = ListedFile(shown(path), "corrupt", size, modified, error.reason)
            yield None if wanted.needs_content else file
        else:
            yield _listed_file(entry, size, modified) if wanted.matches(entry) else None


def _listed_file(entry: Entry, size: int, modified: float) -> ListedFile:
    kind, reason, answer = ("recording" if entry.is_sdk_call else "other"), None, None
    try:
        answer = entry.recording().answer
    except CorruptRecording as error:
        if entry.is_sdk_call:
            kind, reason = "corrupt", error.reason
    return ListedFile(
        shown(entry.path),
        kind,
        size,
        modified,
        reason,
        # Interned, each is sent by another process, and held, once for many files.
        test_id=entry.test_id and sys.intern(entry.test_id),
        endpoint=sys.intern(entry.endpoint) or None,
        model=sys.intern(entry.model) or None,
        position=entry.position,
        is_streaming=None if answer is None else isinstance(answer, Streamed),
        is_complete=None if answer is None else is_complete(answer),
        is_failed=None if answer is None else failure_of(answer) is not None,
    )


def _age_cell(now: float, modified: float) -> Cell:
    return age_text(now - modified), iso_time(modified)
