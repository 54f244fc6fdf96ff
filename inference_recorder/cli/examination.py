"""What `check` finds in folders of recordings, file by file."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CorruptRecording
from ..recording import codec, json_bytes
from ..recording.layout import attachment_parts, is_key_name, owner_of_temporary
from ..recording.model_lists import models_in
from ..redaction.leaks import leaks_in
from ..redaction.redactor import Redactor
from ..request.keys import GENERATIONS
from ..sdk.bodies import body_bytes, check_body, check_chunk, is_kept_as_sent
from ..sdk.methods import method_for
from ..storage import attachments
from ..storage.catalogue import Entry
from .directories import ChosenDirectories
from .orphans import Orphans, naming_rule

_ERRORS = frozenset({"unreadable", "secret"})


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that `check` tells of one file."""

    kind: str
    path: str
    reason: str
    test_id: str | None = None
    is_error: bool = False


@dataclass(slots=True)
class Examination:
    """Reads every file of some folders once."""

    directories: ChosenDirectories
    orphans: Orphans
    redactor: Redactor
    findings: list[Finding] = field(default_factory=list)
    recordings: int = 0
    others: int = 0
    rules: dict[str, int] = field(default_factory=dict)
    """Key rule -> how many names it gives, the newest first, then "none"."""
    _rows: defaultdict[tuple[Path, str], dict[int, Path]] = field(default_factory=lambda: defaultdict(dict))
    """(folder, key) -> the places that are filled."""
    _attachments: set[Path] = field(default_factory=set)
    _unreadable: set[Path] = field(default_factory=set)

    def run(self) -> None:
        """Look at everything; what is found is in `findings`, and nothing is raised for a file."""
        rules: Counter[str] = Counter()
        for one in self.directories.entries("Checking recordings"):
            if isinstance(one, CorruptRecording):
                self._note_unreadable(one)
                continue
            rule = self._examine(one)
            if rule is not None:
                rules[rule] += 1
        names = (*(generation.name for generation in GENERATIONS), "none")
        self.rules = {name: rules[name] for name in names if rules[name]}
        for row in self._rows.values():
            self._examine_row(row)
        for directory in self.directories.read:
            self._examine_leftovers(directory)

    def _examine(self, entry: Entry) -> str | None:
        """Return the name of the key rule that gives the entry's name, None for what is no call of the SDK."""
        for leak in leaks_in(entry.content, self.redactor):
            self._note("secret", entry.path, f"line {leak.line}: {leak.kind} {leak.shown}", entry)
        if (attachment := attachments.named_in(entry.path, entry.content)) is not None:
            self._attachments.add(attachment)
        try:
            _read_thoroughly(entry)
        except CorruptRecording as error:
            self._note_unreadable(error, entry)
        if not entry.is_of_the_sdk:
            self.others += 1
            return None
        self.recordings += 1
        if not is_key_name(entry.name):
            self._note("name", entry.path, "its name is not a key", entry)
        elif not entry.name.startswith("models-"):
            self._rows[entry.path.parent, entry.key][entry.position] = entry.path
        rule = naming_rule(entry)
        if rule is None and is_key_name(entry.name):
            self._note("no rule", entry.path, "no key rule gives its name", entry)
        if (missing := self.orphans.missing(entry, rule)) is not None:
            self._note("orphan", entry.path, f"{missing} does not exist", entry)
        return "none" if rule is None else rule.name

    def _examine_row(self, row: Mapping[int, Path]) -> None:
        last = max(row)
        missing = [position for position in range(1, last) if position not in row]
        if missing:
            effect = "a replay misses" if 1 in missing else "a replay repeats the one before"
            told = ", ".join(map(str, missing[:5])) + (", …" if len(missing) > 5 else "")
            self._note("gap", row[last], f"no answer {told} to its request is there: {effect}")

    def _examine_leftovers(self, directory: Path) -> None:
        for path in sorted(directory.glob("*.bin")):
            parts = attachment_parts(path.name)
            owner = None if parts is None else directory / f"{parts[0]}.json"
            if owner is not None and path not in self._attachments and owner not in self._unreadable:
                self._note("attachment", path, f"{owner.name} is not there, or does not name it")
        for path in sorted(directory.glob(".*.tmp")):
            if owner_of_temporary(path.name) is not None:
                self._note("temporary", path, "half-written")

    def _note_unreadable(self, error: CorruptRecording, entry: Entry | None = None) -> None:
        self._unreadable.add(error.path)
        self._note("unreadable", error.path, error.reason, entry)

    def _note(self, kind: str, path: Path, reason: str, entry: Entry | None = None) -> None:
        test_id = None if entry is None else entry.test_id
        self.findings.append(Finding(kind, self.directories.shown(path), reason, test_id, kind in _ERRORS))


def _read_thoroughly(entry: Entry) -> None:
    """Raise CorruptRecording for a file that a replay could trip over, also in its last chunk or beside it."""
    path = str(entry.path)
    if not entry.is_of_the_sdk:
        _parsed_whole(entry)
        return
    recording = codec.decode_thoroughly(entry.content, path)
    answer = recording.answer
    method = method_for(entry.endpoint) if entry.request.get("method") == "POST" else None
    if method is not None and method.is_list:
        models_in(answer, path)
    elif answer.is_streaming:
        for chunk in answer.chunks or ():
            check_chunk(codec.chunk_value(chunk, path), path)
    elif answer.failure is None and answer.is_complete:
        check_body(recording, method)
    if is_kept_as_sent(answer.body):
        body_bytes(recording, is_model_list=False)


def _parsed_whole(entry: Entry) -> None:
    try:
        json_bytes.loads(entry.content, exactly=b'"has_large_integers"' in entry.content)
    except (ValueError, RecursionError) as error:
        raise CorruptRecording(entry.path, codec.unreadable(entry.content, error)) from None
