"""The importer: turns the calls of a cassette into recordings of a directory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from ...json_tree import JsonObject
from ...recording import json_bytes
from ...recording.answer import Value
from ...recording.layout import ATTACHED, recording_name
from ...recording.stability import renamed_ids
from ...storage.attachments import read_attachment
from ...storage.catalogue import Entry, entry_of
from ...storage.store import Store
from .calls import SdkCall, sdk_call_of
from .cassettes import Cassette
from .interaction import Interaction, NotImportable, interaction_of
from .record import record_calls

Outcome = Literal["imported", "unchanged", "retried", "skipped"]

_RETRIED_STATUS_CODES = frozenset({408, 409, 429})
_RETRY_COUNT = "x-stainless-retry-count"
_PLACEHOLDER = re.compile(
    r"[<\[{(*_]+(redacted|filtered|masked|hidden|removed|dummy)[>\]})*_]+|REDACTED|FILTERED|MASKED|HIDDEN|DUMMY|\*{3,}"
)


@dataclass(frozen=True, slots=True)
class InteractionResult:
    """The result of importing one interaction."""

    number: int
    """The interaction's position in the cassette, counted from 1."""
    request: str
    outcome: Outcome
    reason: str = ""
    """Why it is not imported, "" if it is."""
    recording: Path | None = None
    """Where it is recorded (in a dry run: would be)."""
    placeholders: tuple[str, ...] = ()
    """JSON paths in the request's body where a filter of the cassette seems to have replaced what was sent."""

    def as_json(self) -> JsonObject:
        return {
            "number": self.number,
            "request": self.request,
            "outcome": self.outcome,
            "reason": self.reason or None,
            "recording": None if self.recording is None else str(self.recording),
            "filtered": list(self.placeholders),
        }


class Importer:
    """Imports cassettes into one directory. Existing recordings stay, unless it `overwrites`."""

    def __init__(self, store: Store, *, base_url: str | None, overwrites: bool, is_dry_run: bool) -> None:
        self._store = store
        self._base_url = base_url
        self._overwrites = overwrites
        self._is_dry_run = is_dry_run
        self._sources: dict[str, Path] = {}
        """Key -> the cassette it was imported from."""

    def import_cassette(self, cassette: Cassette, test_id: str | None) -> list[InteractionResult]:
        """Record the calls of a cassette as made in the test `test_id`; returns a result for each interaction.

        If the SDK retried a call, only the last answer is recorded. Raises UnwritableRecording.
        """
        results: list[InteractionResult] = []
        calls: list[SdkCall] = []
        for number, raw in enumerate(cassette.interactions, start=1):
            request = f"interaction {number}"
            try:
                interaction = interaction_of(number, raw)
                request = interaction.summary
                calls.append(sdk_call_of(interaction, self._base_url))
            except NotImportable as error:
                results.append(InteractionResult(number, request, "skipped", str(error)))
        retried = _retried_numbers(calls)
        results += [
            _result(call, "retried", f"the SDK retried its {call.interaction.status_code}")
            for call in calls
            if call.interaction.number in retried
        ]
        results += self._record([call for call in calls if call.interaction.number not in retried], cassette, test_id)
        return sorted(results, key=lambda result: result.number)

    def _record(self, calls: Sequence[SdkCall], cassette: Cassette, test_id: str | None) -> Iterator[InteractionResult]:
        series_by_key: dict[str, list[tuple[SdkCall, Entry]]] = {}
        with TemporaryDirectory(prefix="inference-recorder-import-") as name:
            for call, recorded in zip(calls, record_calls(calls, Path(name), test_id), strict=True):
                if isinstance(recorded, str):
                    yield _result(call, "skipped", recorded)
                else:
                    entry = entry_of(recorded)
                    series_by_key.setdefault(entry.key, []).append((call, entry))
            for key, series in series_by_key.items():
                entries = [entry for _, entry in series]
                is_series = entries[0].name.startswith(key)  # model lists are not one: each has a name of its own
                names = [
                    recording_name(key, position) if is_series else entry.name
                    for position, entry in enumerate(entries, start=1)
                ]
                outcome, reason = self._store_series(key, is_series, dict(zip(names, entries, strict=True)), cassette)
                for (call, _), name in zip(series, names, strict=True):
                    yield _result(call, outcome, reason, self._store.path_of(name))

    def _store_series(
        self, key: str, is_series: bool, entries: Mapping[str, Entry], cassette: Cassette
    ) -> tuple[Outcome, str]:
        """Store the answers to one request under these names, all of them or none."""
        existing = [self._store.read(name) for name in entries]
        following = self._store.read(recording_name(key, len(entries) + 1))
        if following is None and all(
            old is not None and _has_same_answer(old.content, entry.content)
            for old, entry in zip(existing, entries.values(), strict=True)
        ):
            return "unchanged", "it is recorded already"
        if is_series and key in self._sources:
            return "skipped", f"the same request of the same test was imported from {self._sources[key]}"
        conflict = next((old.path for old in existing if old is not None), None)
        if conflict is not None and not self._overwrites:
            return "skipped", f"{conflict} records another answer to it; --overwrite replaces that"
        self._sources[key] = cassette.path
        if not self._is_dry_run:
            for name, entry in entries.items():
                with self._store.replacing(name) as slot:
                    if slot.old is None or not _has_same_answer(slot.old, entry.content):
                        slot.put(entry.content, _attachment(entry))
            if is_series:
                self._store.cut_series(key, len(entries))
        return "imported", ""


def _result(call: SdkCall, outcome: Outcome, reason: str, path: Path | None = None) -> InteractionResult:
    interaction = call.interaction
    placeholders = () if path is None else tuple(_placeholders(call.body))
    return InteractionResult(interaction.number, interaction.summary, outcome, reason, path, placeholders)


def _has_same_answer(old: bytes, new: bytes) -> bool:
    """Whether two recordings of one key differ at most in the order of the request's arguments."""
    try:
        documents = [json_bytes.loads(content, exactly=True) for content in (old, new)]
        answers = [
            json_bytes.dumps({**document, "request": None}) for document in documents if isinstance(document, dict)
        ]
        return len(answers) == len(documents) and renamed_ids(*answers) == {}
    except (ValueError, RecursionError):
        return False


def _attachment(entry: Entry) -> bytes | None:
    answer = entry.recording().answer
    body = answer.body if isinstance(answer, Value) else None
    if not isinstance(body, dict) or body.get("__type__") != ATTACHED:
        return None
    return read_attachment(str(entry.path), str(body["__data__"]))


def _retried_numbers(calls: Sequence[SdkCall]) -> frozenset[int]:
    """Return the numbers of the interactions whose answer the SDK did not return but retried.

    These have an answer that the SDK retries, and the cassette's next interaction of the same call is a retry by the
    SDK's header that counts retries; without that header, any next interaction of the same call counts as one.
    """
    following: dict[str, Interaction] = {}
    retried = set()
    for call in reversed(calls):
        identity, interaction = repr(call), call.interaction
        retry = following.get(identity)
        if retry is not None and retry.headers.get(_RETRY_COUNT) != "0" and _is_retried_by_the_sdk(interaction):
            retried.add(interaction.number)
        following[identity] = interaction
    return frozenset(retried)


def _is_retried_by_the_sdk(interaction: Interaction) -> bool:
    # As openai/_base_client.py, _should_retry.
    should_retry = dict(interaction.answer_headers).get("x-should-retry")
    if should_retry in ("true", "false"):
        return should_retry == "true"
    return interaction.status_code in _RETRIED_STATUS_CODES or interaction.status_code >= 500


def _placeholders(value: object, path: str = "$") -> Iterator[str]:
    if isinstance(value, str) and _PLACEHOLDER.fullmatch(value):
        yield path
    for name, item in value.items() if isinstance(value, dict) else ():
        yield from _placeholders(item, f"{path}.{name}")
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from _placeholders(item, f"{path}[{index}]")
