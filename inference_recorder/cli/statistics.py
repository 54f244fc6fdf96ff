"""The figures of `ls --stats`: how much was recorded for what, what it cost, and what was recorded twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import PurePath

from ..errors import CorruptRecording
from ..recording import json_bytes
from ..recording.answer import Answer, Recording, Value, failure_of, items_of
from ..recording.stability import recorded_id
from ..recording.usage import Usage, usage_of
from ..request.keys import request_key
from ..storage.catalogue import Entry
from ..views.parts import size_of
from .console import OUTSIDE_A_TEST, Cell, Column, counted, output, remark, show_rest, show_table, size_cell
from .directories import SearchedDirectories, shown
from .filters import Filter, matching

_NO_MODEL = "(none)"
_MOST_SHOWN = 15
_NUMBERS = tuple(Column(name, is_number=True) for name in ("number", "size", "tokens in", "tokens out"))
_DUPLICATE_COLUMNS = (
    Column("recorded by several tests", gives_way=True),
    Column("model", gives_way=True),
    Column("number", is_number=True),
    Column("to spare", is_number=True),
    Column("tests", is_number=True),
    Column("answers", is_number=True),
    Column("one of them"),
)


@dataclass(slots=True)
class Tally:
    """The sums over a number of recordings."""

    number: int = 0
    size: int = 0
    """Bytes of the files."""
    tokens_in: int = 0
    tokens_out: int = 0

    def add(self, size: int, usage: Usage | None) -> None:
        self.number += 1
        self.size += size
        if usage is not None:
            self.tokens_in += usage.tokens_in
            self.tokens_out += usage.tokens_out

    def cells(self) -> list[Cell]:
        return [self.number, size_cell(self.size), self.tokens_in, self.tokens_out]


@dataclass(slots=True)
class Duplicate:
    """One request that several tests recorded."""

    endpoint: str
    model: str
    paths: list[str] = field(default_factory=list)
    tests: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    answers: set[bytes] = field(default_factory=set)
    """A digest of each different answer."""
    sizes: list[int] = field(default_factory=list)

    @property
    def spare_size(self) -> int:
        """Bytes of all files but the first."""
        return sum(self.sizes[1:])

    def cells(self) -> list[Cell]:
        return [
            self.endpoint,
            self.model,
            len(self.paths),
            size_cell(self.spare_size),
            len(self.tests),
            len(self.answers),
            (PurePath(self.paths[0]).stem[:12], self.paths[0]),
        ]

    def as_json(self) -> dict[str, object]:
        return {
            "endpoint": self.endpoint,
            "model": self.model,
            "tests": sorted(self.tests),
            "paths": self.paths,
            "different_answers": len(self.answers),
            "spare_size": self.spare_size,
        }


@dataclass(slots=True)
class Statistics:
    """Sums over all recordings that were added."""

    total: Tally = field(default_factory=Tally)
    by: Mapping[str, defaultdict[str, Tally]] = field(
        default_factory=lambda: {name: defaultdict(Tally) for name in ("endpoint", "model", "test")}
    )
    requests: dict[str, Duplicate] = field(default_factory=dict)
    """By the key that the request has outside a test."""
    others: int = 0
    corrupt: list[str] = field(default_factory=list)

    def add(self, entry: Entry, recording: Recording, path: str) -> None:
        """Count a recorded call of the SDK.

        Raises ValueError or RecursionError, and counts nothing, if its usage or its key cannot be computed.
        """
        size, usage, request = len(entry.content), usage_of(recording), entry.asked
        key = None if request is None else request_key(request, None)
        names = {"endpoint": entry.endpoint, "model": entry.model or _NO_MODEL, "test": entry.test_id or OUTSIDE_A_TEST}
        for tally in (self.total, *(self.by[kind][name] for kind, name in names.items())):
            tally.add(size, usage)
        if key is None:
            return
        duplicate = self.requests.setdefault(key, Duplicate(entry.endpoint, entry.model))
        duplicate.paths.append(path)
        duplicate.keys.add(entry.key)
        duplicate.tests.add(entry.test_id or OUTSIDE_A_TEST)
        duplicate.answers.add(_answer_digest(entry, recording.answer))
        duplicate.sizes.append(size)

    def ranked(self, kind: str) -> list[tuple[str, Tally]]:
        """Return the tallies by "endpoint", "model" or "test", the largest number first."""
        return sorted(self.by[kind].items(), key=lambda item: (-item[1].number, -item[1].size, item[0]))

    def duplicates(self) -> list[Duplicate]:
        """Return the requests that several tests recorded, each under a key of its own; the largest first."""
        several = (request for request in self.requests.values() if len(request.tests) > 1 and len(request.keys) > 1)
        return sorted(several, key=lambda duplicate: -duplicate.spare_size)

    def as_json(self) -> dict[str, object]:
        by = {f"by_{kind}": [{"name": name} | asdict(tally) for name, tally in self.ranked(kind)] for kind in self.by}
        return {
            "total": asdict(self.total),
            **by,
            "duplicates": [duplicate.as_json() for duplicate in self.duplicates()],
            "others": self.others,
            "corrupt": self.corrupt,
        }


def statistics_of(directories: SearchedDirectories, wanted: Filter) -> Statistics:
    """Return the statistics of all recordings that match."""
    statistics = Statistics()
    for entry, _ in matching(directories, wanted):
        path = shown(entry.path)
        try:
            if isinstance(entry, CorruptRecording):
                statistics.corrupt.append(path)
            elif entry.is_sdk_call:
                statistics.add(entry, entry.recording(), path)
            else:
                statistics.others += 1
        except (CorruptRecording, ValueError, RecursionError):
            statistics.corrupt.append(path)
    return statistics


def show_statistics(statistics: Statistics, *, shows_all: bool) -> None:
    """Print the tables: at a terminal with heads and a last line of totals, in a pipe each line with its kind."""
    if output().is_terminal:
        _show_tables(statistics, None if shows_all else _MOST_SHOWN)
    else:
        rows: list[Sequence[Cell]] = [("total", "", *statistics.total.cells())]
        for kind in statistics.by:
            rows += [(kind, name, *tally.cells()) for name, tally in statistics.ranked(kind)]
        rows += [("duplicate", *duplicate.cells()) for duplicate in statistics.duplicates()]
        show_table((), rows)


def remark_uncounted(statistics: Statistics) -> None:
    """Print on stderr how many files were not counted, and why."""
    if statistics.others:
        remark(f"not counted: {counted(statistics.others, 'file')} that hold no call of the SDK")
    if statistics.corrupt:
        unreadable = counted(len(statistics.corrupt), "file")
        remark(f"not counted: {unreadable} that cannot be read; see inference-recorder check")


def _show_tables(statistics: Statistics, most: int | None) -> None:
    console, duplicates, total = output(), statistics.duplicates(), statistics.total
    for kind in statistics.by:
        ranked = statistics.ranked(kind)
        rows = [(name, *tally.cells()) for name, tally in ranked[:most]]
        show_table((Column(f"by {kind}", gives_way=True), *_NUMBERS), rows)
        show_rest(len(ranked), most)
        console.print()
    if duplicates:
        show_table(_DUPLICATE_COLUMNS, [duplicate.cells() for duplicate in duplicates[:most]])
        show_rest(len(duplicates), most)
        console.print()
    spare = sum(duplicate.spare_size for duplicate in duplicates)
    console.print(
        f"{counted(total.number, 'recording')}, {size_of(total.size)}, "
        f"{total.tokens_in:,} tokens in, {total.tokens_out:,} tokens out; "
        f"{counted(len(duplicates), 'request')} recorded by several tests ({size_of(spare)} to spare)"
    )


def _answer_digest(entry: Entry, answer: Answer) -> bytes:
    """Return a digest that two answers share if they differ only in ids made from their keys."""
    body = answer.body if isinstance(answer, Value) else None
    lines = (item if isinstance(item, bytes) else json_bytes.dumps(item) for item in items_of(answer))
    content = b"\n".join((json_bytes.dumps(body), repr(failure_of(answer)).encode(), *lines))
    return sha256(content.replace(recorded_id(entry.key).encode(), b"")).digest()
