"""What the recordings of some folders come to: numbers, sizes, tokens, and what is there twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from ..recording import json_bytes
from ..recording.recording import Answer, Recording
from ..recording.usage import Usage, usage_of
from ..recording.volatile import recorded_id
from ..request.keys import request_key
from ..storage.catalogue import Entry

_OUTSIDE = "(outside a test)"
_NO_MODEL = "(none)"


@dataclass(slots=True)
class Tally:
    """What a number of recordings come to."""

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
        """Bytes of all files but one."""
        return sum(self.sizes) - self.sizes[0]


@dataclass(slots=True)
class Statistics:
    """What a command has seen of its folders."""

    total: Tally = field(default_factory=Tally)
    by: Mapping[str, defaultdict[str, Tally]] = field(
        default_factory=lambda: {name: defaultdict(Tally) for name in ("endpoint", "model", "test")}
    )
    requests: dict[str, Duplicate] = field(default_factory=dict)
    """By the key that a request has without its test."""
    others: int = 0
    corrupt: list[str] = field(default_factory=list)

    def see(self, entry: Entry, recording: Recording, path: str) -> None:
        """Count a call of the SDK. Raises ValueError or RecursionError, counting nothing, where that cannot be told."""
        size, usage, asked = len(entry.content), usage_of(recording), entry.asked
        key = None if asked is None else request_key(asked, None)
        names = {"endpoint": entry.endpoint, "model": entry.model or _NO_MODEL, "test": entry.test_id or _OUTSIDE}
        for tally in (self.total, *(self.by[kind][name] for kind, name in names.items())):
            tally.add(size, usage)
        if key is None:
            return
        request = self.requests.setdefault(key, Duplicate(entry.endpoint, entry.model))
        request.paths.append(path)
        request.keys.add(entry.key)
        request.tests.add(entry.test_id or _OUTSIDE)
        request.answers.add(_answer_digest(entry, recording.answer))
        request.sizes.append(size)

    @property
    def duplicates(self) -> list[Duplicate]:
        """The requests that several tests recorded, each for itself; those that take most room first."""
        several = (one for one in self.requests.values() if len(one.tests) > 1 and len(one.keys) > 1)
        return sorted(several, key=lambda one: -one.spare_size)


def _answer_digest(entry: Entry, answer: Answer) -> bytes:
    """Return what tells one answer from another; ids that were made from the key are no difference."""
    chunks = answer.chunks or ()
    lines = (chunk if isinstance(chunk, bytes) else json_bytes.dumps(chunk) for chunk in chunks)
    content = b"\n".join((json_bytes.dumps(answer.body), repr(answer.failure).encode(), *lines))
    return sha256(content.replace(recorded_id(entry.key).encode(), b"")).digest()
