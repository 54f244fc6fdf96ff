"""A cassette's calls as recordings of a folder, and what became of each of its interactions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from ...errors import CorruptRecording
from ...recording import json_bytes
from ...recording.layout import ATTACHED
from ...recording.sameness import renamed_ids
from ...request.jsonable import JsonValue
from ...storage.attachments import read_attachment
from ...storage.catalogue import Entry, entries_in
from ...storage.store import Store, recording_name
from .calls import call_of
from .cassettes import Cassette
from .interaction import Interaction, NotTaken, interaction_of
from .recording import Call, record

Outcome = Literal["imported", "unchanged", "retried", "skipped"]

_RETRIED = frozenset({408, 409, 429})
_RETRY_COUNT = "x-stainless-retry-count"
_PLACEHOLDER = re.compile(
    r"[<\[{(*_]+(redacted|filtered|masked|hidden|removed|dummy)[>\]})*_]+|REDACTED|FILTERED|MASKED|HIDDEN|DUMMY|\*{3,}"
)


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one interaction."""

    number: int
    """The interaction's place in the cassette, counted from 1."""
    request: str
    outcome: Outcome
    reason: str = ""
    """Why it is not imported, "" if it is."""
    recording: Path | None = None
    """Where it is recorded (in a dry run: would be)."""
    placeholders: tuple[str, ...] = ()
    """JSON paths in the request's body where the cassette's filter seems to have replaced what was sent."""


class _Became(NamedTuple):
    outcome: Outcome
    reason: str
    paths: list[Path]


class Importer:
    """Takes cassettes into one folder. An answer that is there already stays, unless it `overwrites`."""

    def __init__(self, store: Store, *, base_url: str | None, overwrites: bool, is_dry_run: bool) -> None:
        self._store = store
        self._base_url = base_url
        self._overwrites = overwrites
        self._is_dry_run = is_dry_run
        self._sources: dict[str, Path] = {}
        """Key -> the cassette that it was taken from."""

    def take(self, cassette: Cassette, test_id: str | None) -> list[Fate]:
        """Record the calls of a cassette as made in the test `test_id`; returns the fates of its interactions.

        Of a call that the SDK retried, only what its caller got is a recording. Raises UnwritableRecording.
        """
        fates: list[Fate] = []
        calls: list[Call] = []
        for number, raw in enumerate(cassette.interactions, start=1):
            request = f"interaction {number}"
            try:
                interaction = interaction_of(number, raw)
                request = interaction.summary
                calls.append(Call(call_of(interaction, self._base_url), interaction))
            except NotTaken as error:
                fates.append(Fate(number, request, "skipped", str(error)))
        retried = _retried(calls)
        fates += [
            Fate(interaction.number, interaction.summary, "retried", f"the SDK retried its {interaction.status_code}")
            for _, interaction in calls
            if interaction.number in retried
        ]
        fates += self._recorded([call for call in calls if call.interaction.number not in retried], cassette, test_id)
        return sorted(fates, key=lambda fate: fate.number)

    def _recorded(self, calls: Sequence[Call], cassette: Cassette, test_id: str | None) -> Iterator[Fate]:
        rows: dict[str, list[tuple[Call, Entry]]] = {}
        with TemporaryDirectory(prefix="inference-recorder-import-") as name:
            made = record(calls, Path(name), test_id)
            entries = _entries(Path(name))
            directories: Counter[str] = Counter()
            for call, (key, problem) in zip(calls, made, strict=True):
                if key is not None:
                    directories[key] += 1
                if key is None or problem:
                    yield Fate(call.interaction.number, call.interaction.summary, "skipped", problem)
                    continue
                of_the_key = entries[key]  # equal lists of models share a file
                rows.setdefault(key, []).append((call, of_the_key[min(directories[key], len(of_the_key)) - 1]))
            for key, row in rows.items():
                placed = self._placed(key, [entry for _, entry in row], cassette)
                for (call, _), path in zip(row, placed.paths, strict=True):
                    filtered = tuple(_placeholders(call.sdk_call.body))
                    interaction = call.interaction
                    yield Fate(interaction.number, interaction.summary, placed.outcome, placed.reason, path, filtered)

    def _placed(self, key: str, row: Sequence[Entry], cassette: Cassette) -> _Became:
        """Take a row of recordings into the folder, as a whole or not at all."""
        is_series = row[0].name.startswith(key)  # not lists of models, each of which has its own name
        names = [
            recording_name(key, position) if is_series else entry.name for position, entry in enumerate(row, start=1)
        ]
        paths = [self._store.path_of(name) for name in names]
        stored = [self._store.read(name) for name in names]
        following = self._store.read(recording_name(key, len(row) + 1))
        if following is None and all(
            old is not None and _is_the_same_answer(old.content, entry.content)
            for old, entry in zip(stored, row, strict=True)
        ):  # fmt: skip
            return _Became("unchanged", "it is recorded already", paths)
        if is_series and (source := self._sources.get(key)) is not None:
            return _Became("skipped", f"the same request of the same test was taken from {source}", paths)
        there = next((old.path for old in stored if old is not None), None)
        if there is not None and not self._overwrites:
            reason = f"it is recorded already, answered otherwise, in {there}; --overwrite replaces that"
            return _Became("skipped", reason, paths)
        self._sources[key] = cassette.path
        if not self._is_dry_run:
            for name, entry in zip(names, row, strict=True):
                self._store.write(name, entry.content, attachment=_attachment(entry), revised=_revised)
            if is_series:
                self._store.cut_series(key, len(row))
        return _Became("imported", "", paths)


def _entries(directory: Path) -> dict[str, list[Entry]]:
    """Return the recordings of a folder by key, in their rows' order."""
    entries: dict[str, list[Entry]] = {}
    for entry in entries_in([directory]):
        if isinstance(entry, CorruptRecording):
            raise entry
        entries.setdefault(entry.key, []).append(entry)
    return {key: sorted(row, key=lambda entry: entry.position) for key, row in entries.items()}


def _is_the_same_answer(old: bytes, new: bytes) -> bool:
    """Whether two recordings of one key differ in no more than the order in which the request names its arguments."""
    try:
        documents = [json_bytes.loads(content, exactly=True) for content in (old, new)]
        one, other = (json_bytes.dumps(document | {"request": None}) for document in documents)
        return renamed_ids(one, other) == {}
    except (TypeError, ValueError, RecursionError):
        return False


def _revised(old: bytes, new: bytes) -> bytes:
    return old if _is_the_same_answer(old, new) else new


def _attachment(entry: Entry) -> bytes | None:
    body = entry.recording().answer.body
    is_attached = isinstance(body, dict) and body.get("__type__") == ATTACHED
    return read_attachment(str(entry.path), body["__data__"]) if is_attached else None


def _retried(calls: Sequence[Call]) -> frozenset[int]:
    """Return the numbers of the interactions whose answer the SDK kept from its caller, and asked again.

    That is one with an answer that the SDK retries, when the cassette's next interaction of the same call is a retry:
    by the SDK's header that counts them, and where a cassette lacks it, whenever there is one.
    """
    following: dict[str, Interaction] = {}
    retried = set()
    for sdk_call, interaction in reversed(calls):
        same = repr(sdk_call)
        retry = following.get(same)
        if retry is not None and retry.headers.get(_RETRY_COUNT) != "0" and _is_retried(interaction):
            retried.add(interaction.number)
        following[same] = interaction
    return frozenset(retried)


def _is_retried(interaction: Interaction) -> bool:
    # As openai/_base_client.py, _should_retry.
    said = dict(interaction.answer_headers).get("x-should-retry")
    if said in ("true", "false"):
        return said == "true"
    return interaction.status_code in _RETRIED or interaction.status_code >= 500


def _placeholders(value: JsonValue, where: str = "$") -> Iterator[str]:
    if isinstance(value, str) and _PLACEHOLDER.fullmatch(value):
        yield where
    for name, item in value.items() if isinstance(value, dict) else ():
        yield from _placeholders(item, f"{where}.{name}")
    for position, item in enumerate(value if isinstance(value, list) else ()):
        yield from _placeholders(item, f"{where}[{position}]")
