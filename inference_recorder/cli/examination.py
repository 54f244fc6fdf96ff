"""What `check` finds in directories of recordings, file by file."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CorruptRecording, assert_never
from ..recording import body, codec, damage, json_bytes
from ..recording.answer import Failed, ModelList, Streamed, Value
from ..recording.layout import (
    ATTACHMENT_ENDING,
    attachment_parts,
    file_of,
    is_key_name,
    is_model_list_name,
    owner_of_temporary,
)
from ..recording.model_lists import models_in
from ..redaction.leaks import leaks_in
from ..redaction.redactor import Redactor
from ..request.keys import KEY_VERSIONS, KeyVersion
from ..sdk.bodies import body_bytes, check_body, check_chunk, is_kept_as_sent
from ..sdk.methods import method_for
from ..storage import attachments
from ..storage.catalogue import Entry
from ..storage.key_versions import is_shared, key_version
from ..test_files import file_of_test
from .directories import SearchedDirectories, shown

_ERRORS = frozenset({"unreadable", "secret"})


@dataclass(slots=True)
class TestFiles:
    """The files and directories that test ids name, and whether they exist.

    What is in a file is not checked: tests are also inherited, generated, or made by decorators and plugins.
    """

    rootdir: Path
    _exist: Counter[bool] = field(default_factory=Counter)
    """Whether the named file exists -> number of recordings."""

    def missing(self, entry: Entry, version: KeyVersion | None) -> str | None:
        """Return the file or directory that is missing; None if it exists, or if the recording is shared."""
        if entry.test_id is None or (name := file_of_test(entry.test_id)) is None:
            return None
        try:
            exists = (self.rootdir / name).exists()
        except (OSError, ValueError):  # the name is too long, or has a NUL
            exists = False
        self._exist[exists] += 1
        return None if exists or entry.asked is None or is_shared(entry, version) else name

    @property
    def are_all_missing(self) -> bool:
        """Whether files were named and none of them exists, so that `rootdir` is probably not pytest's."""
        return self._exist[False] > 0 and not self._exist[True]


@dataclass(frozen=True, slots=True)
class Finding:
    """An error or a note about one file."""

    kind: str
    path: str
    reason: str
    test_id: str | None = None
    is_error: bool = False


@dataclass(slots=True)
class Examination:
    """Reads every file of some directories once and collects findings."""

    directories: SearchedDirectories
    test_files: TestFiles
    redactor: Redactor
    findings: list[Finding] = field(default_factory=list)
    recordings: int = 0
    others: int = 0
    key_versions: dict[str, int] = field(default_factory=dict)
    """Key version -> how many names it gives, the newest first, then "none"."""
    _series: defaultdict[tuple[Path, str], dict[int, Path]] = field(default_factory=lambda: defaultdict(dict))
    """(directory, key) -> position -> file."""
    _attachments: set[Path] = field(default_factory=set)
    _unreadable: set[Path] = field(default_factory=set)

    def run(self) -> None:
        """Examine everything; raises nothing because of a file."""
        counts: Counter[str] = Counter()
        for entry in self.directories.entries("Checking recordings"):
            if isinstance(entry, CorruptRecording):
                self._note_unreadable(entry)
            else:
                self._examine_content(entry)
                if entry.is_sdk_call:
                    counts[self._examine_name(entry)] += 1
        names = (*(version.name for version in KEY_VERSIONS), "none")
        self.key_versions = {name: counts[name] for name in names if counts[name]}
        for series in self._series.values():
            self._examine_series(series)
        for directory in self.directories.searched:
            self._examine_leftovers(directory)

    def _examine_content(self, entry: Entry) -> None:
        for leak in leaks_in(entry.content, self.redactor):
            self._note("secret", entry.path, f"line {leak.line}: {leak.kind} {leak.shown}", entry)
        if (attachment := attachments.named_in(entry.path, entry.content)) is not None:
            self._attachments.add(attachment)
        try:
            _read_thoroughly(entry)
        except CorruptRecording as error:
            self._note_unreadable(error, entry)
        if entry.is_sdk_call:
            self.recordings += 1
        else:
            self.others += 1

    def _examine_name(self, entry: Entry) -> str:
        """Return the name of the key version that gives the entry's name, or "none"."""
        if not is_key_name(entry.name):
            self._note("name", entry.path, "its name is not a key", entry)
        elif not is_model_list_name(entry.name):
            self._series[entry.path.parent, entry.key][entry.position] = entry.path
        version = key_version(entry)
        if version is None and is_key_name(entry.name):
            self._note("no key version", entry.path, "no key version gives its name", entry)
        if (missing := self.test_files.missing(entry, version)) is not None:
            self._note("orphan", entry.path, f"{missing} does not exist", entry)
        return "none" if version is None else version.name

    def _examine_series(self, series: Mapping[int, Path]) -> None:
        last = max(series)
        missing = [position for position in range(1, last) if position not in series]
        if missing:
            effect = "a replay misses" if 1 in missing else "a replay repeats the one before"
            positions = ", ".join(map(str, missing[:5])) + (", …" if len(missing) > 5 else "")
            self._note("gap", series[last], f"its series has no answer {positions}: {effect}")

    def _examine_leftovers(self, directory: Path) -> None:
        for path in sorted(directory.glob(f"*{ATTACHMENT_ENDING}")):
            parts = attachment_parts(path.name)
            owner = None if parts is None else directory / file_of(parts[0])
            if owner is not None and path not in self._attachments and owner not in self._unreadable:
                self._note("attachment", path, f"{owner.name} does not exist, or does not name it")
        for path in sorted(directory.glob(".*.tmp")):
            if owner_of_temporary(path.name) is not None:
                self._note("temporary", path, "half-written")

    def _note_unreadable(self, error: CorruptRecording, entry: Entry | None = None) -> None:
        self._unreadable.add(error.path)
        self._note("unreadable", error.path, error.reason, entry)

    def _note(self, kind: str, path: Path, reason: str, entry: Entry | None = None) -> None:
        test_id = None if entry is None else entry.test_id
        self.findings.append(Finding(kind, shown(path), reason, test_id, kind in _ERRORS))


def _read_thoroughly(entry: Entry) -> None:
    """Raise CorruptRecording for anything that could stop a replay, such as the last chunk or the attachment."""
    path = str(entry.path)
    if not entry.is_sdk_call:
        _parse(entry)
        return
    answer = codec.decode_thoroughly(entry.content, path).answer
    method = method_for(entry.endpoint) if entry.request.get("method") == "POST" else None
    if method is not None and method.is_list:
        models_in(answer, path)
    else:
        match answer:
            case Streamed():
                for chunk in answer.chunks:
                    check_chunk(body.chunk_value(chunk, path), path)
            case Value() | ModelList():
                if answer.is_complete:
                    check_body(answer, path, method)
            case Failed():
                pass
            case _:
                assert_never(answer)
    if isinstance(answer, Value) and is_kept_as_sent(answer.body):
        body_bytes(answer, path, is_model_list=False)


def _parse(entry: Entry) -> None:
    try:
        json_bytes.loads(entry.content, exactly=b'"has_large_integers"' in entry.content)
    except (ValueError, RecursionError) as error:
        raise CorruptRecording(entry.path, damage.unreadable(entry.content, error)) from None
