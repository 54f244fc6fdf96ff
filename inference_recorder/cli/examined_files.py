"""What `check` finds in single files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CorruptRecording, assert_never
from ..recording import body, codec, damage, json_bytes
from ..recording.answer import Failed, ModelList, Streamed, Value
from ..recording.layout import is_key_name
from ..recording.model_lists import models_in
from ..redaction.leaks import leaks_in
from ..redaction.redactor import Redactor
from ..request.keys import KeyVersion
from ..sdk.bodies import body_bytes, check_body, check_chunk, is_kept_as_sent
from ..sdk.methods import method_for
from ..storage import attachments
from ..storage.catalogue import Entry, entry_of
from ..storage.key_versions import is_shared, key_version
from ..test_files import file_of_test
from .configured import Secrets
from .directories import shown

_ERRORS = frozenset({"unreadable", "secret"})


@dataclass(frozen=True, slots=True)
class Finding:
    """An error or a note about one file."""

    kind: str
    path: str
    reason: str
    test_id: str | None = None
    is_error: bool = False


def finding(kind: str, path: Path, reason: str, test_id: str | None = None) -> Finding:
    """Return an error or a note, which its kind decides."""
    return Finding(kind, shown(path), reason, test_id, kind in _ERRORS)


@dataclass(slots=True)
class ExaminedFile:
    """What one file shows."""

    path: Path
    findings: list[Finding] = field(default_factory=list)
    is_sdk_call: bool | None = None
    """None if no request can be read."""
    key_version: str = "none"
    """The version that gives the name of a call of the SDK."""
    attachment: Path | None = None
    """The attachment that it names."""
    has_test_file: bool | None = None
    """Whether the file exists that the test id names; None if it names none."""
    test_directory: Path | None = None
    """Where that file is, or was."""

    def note(self, kind: str, reason: str, entry: Entry | None = None) -> None:
        """Add a finding."""
        self.findings.append(finding(kind, self.path, reason, None if entry is None else entry.test_id))

    @property
    def is_unreadable(self) -> bool:
        return any(finding.kind == "unreadable" for finding in self.findings)


def examined(secrets: Secrets, roots: Mapping[Path, Path], paths: Sequence[Path]) -> Iterator[ExaminedFile]:
    """Yield what each file shows; raises nothing because of a file.

    `roots` holds what the test ids in each directory are relative to.
    """
    redactor = Redactor(*secrets)
    for path in paths:
        file = ExaminedFile(path)
        try:
            entry = entry_of(path)
        except CorruptRecording as error:
            file.note("unreadable", error.reason)
        else:
            _examine_content(file, entry, redactor)
            if entry.is_sdk_call:
                _examine_name(file, entry, roots[path.parent])
        yield file


def _examine_content(file: ExaminedFile, entry: Entry, redactor: Redactor) -> None:
    for leak in leaks_in(entry.content, redactor):
        file.note("secret", f"line {leak.line}: {leak.kind} {leak.shown}", entry)
    file.attachment = attachments.named_in(entry.path, entry.content)
    try:
        _read_thoroughly(entry)
    except CorruptRecording as error:
        file.note("unreadable", error.reason, entry)
    file.is_sdk_call = entry.is_sdk_call


def _examine_name(file: ExaminedFile, entry: Entry, rootdir: Path) -> None:
    if not is_key_name(entry.name):
        file.note("name", "its name is not a key", entry)
    version = key_version(entry)
    if version is not None:
        file.key_version = version.name
    elif is_key_name(entry.name):
        file.note("no key version", "no key version gives its name", entry)
    _examine_test(file, entry, version, rootdir)


def _examine_test(file: ExaminedFile, entry: Entry, version: KeyVersion | None, rootdir: Path) -> None:
    """Note whether the file of its test exists, unless the recording is shared.

    What is in the file is not checked: tests are also inherited, generated, or made by decorators and plugins.
    """
    if entry.test_id is None or (name := file_of_test(entry.test_id)) is None:
        return
    try:
        file.has_test_file = (rootdir / name).exists()
    except (OSError, ValueError):  # the name is too long, or has a NUL
        file.has_test_file = False
    file.test_directory = (rootdir / name).parent
    if not file.has_test_file and entry.asked is not None and not is_shared(entry, version):
        file.note("orphan", f"{name} does not exist", entry)


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
