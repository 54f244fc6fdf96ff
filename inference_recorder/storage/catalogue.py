"""The recordings of whole folders, for those who look at many: what came nearest, what lies there, what is unused."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

from ..errors import CorruptRecording
from ..recording import json_bytes
from ..recording.codec import decode, unreadable
from ..recording.layout import (
    LARGE_INTEGERS_NAME,
    RECORDING_ENDING,
    RESPONSE_START,
    is_key_name,
    key_in,
    name_of,
    position_in,
)
from ..recording.recording import Recording
from ..redaction.requests import recorded_request
from ..request.jsonable import JsonObject, JsonValue
from ..request.keys import EXACT, generation_of, request_key
from ..request.normalizers import Normalizers
from ..request.request import Request
from . import files

_USUAL_QUESTION = 1 << 15
_NUMBER_AS_NAME = re.compile(r'"-?[0-9]+": ')


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of recordings with its request parsed; its answer is parsed when asked for."""

    path: Path
    content: bytes
    test_id: str | None
    request: JsonObject
    """The file's own "request" object; {} where it has none."""

    @property
    def name(self) -> str:
        """The file's name without ".json"."""
        return name_of(self.path.name)

    @property
    def key(self) -> str:
        """The key that the name holds: without the place in its row, and without what a list of models adds."""
        return key_of(self.path)

    @property
    def position(self) -> int:
        """The place in the key's row, counted from 1."""
        return path_of(self.path)

    @property
    def is_of_the_sdk(self) -> bool:
        """Whether a call of the SDK was recorded here; the ancestor's folders hold tools' and others' calls too."""
        return isinstance(self.request.get("endpoint"), str) and isinstance(self.request.get("body"), dict)

    @property
    def endpoint(self) -> str:
        return str(self.request.get("endpoint", ""))

    @property
    def model(self) -> str:
        """The model that was asked for, "" where the request names none."""
        body = self.request.get("body")
        model = body.get("model") if isinstance(body, dict) else None
        return model if isinstance(model, str) else ""

    @property
    def body(self) -> JsonObject:
        body = self.request.get("body")
        return body if isinstance(body, dict) else {}

    @property
    def asked(self) -> Request | None:
        """The call as a lookup sees it; None where the file does not hold a whole call that the SDK can make."""
        try:
            asked = self.asked_under(None)
            urlparse(asked.url)
            return asked
        except (ValueError, RecursionError):  # such as an address without its bracket, arguments nested too deep
            return None

    def asked_under(self, normalizers: Normalizers | None) -> Request:
        """Return the call as a lookup under these normalizers sees it, else under those that the file declares.

        Raises ValueError where the file holds no call, RecursionError for arguments nested too deep.
        """
        asked = recorded_request(self.request, normalizers)
        if _NUMBER_AS_NAME.search(asked.body_text) is None:
            return asked
        numbered = recorded_request(self.request).with_numbers_as_names()
        # Only the name tells which they were.
        names_numbers = generation_of(self.key, numbered, self.test_id) is not None
        return asked.with_numbers_as_names() if names_numbers else asked

    @property
    def is_exact(self) -> bool:
        """Whether it says that it answers only a request equal to its own; otherwise it answers by folding too."""
        return self.request.get("key_version") == EXACT.name

    @property
    def exact_key(self) -> str | None:
        """The exact key of its own request, None where it holds no call of the SDK."""
        asked = self.asked
        return None if asked is None else request_key(asked, self.test_id)

    def recording(self) -> Recording:
        """Return what a replay would see; raises CorruptRecording."""
        return decode(self.content, str(self.path))


def key_of(path: Path) -> str:
    """Return the key that the name of a recording's file holds."""
    return key_in(path.name)


def path_of(path: Path) -> int:
    """Return the place in its row, counted from 1, that the name of a recording's file holds."""
    return position_in(name_of(path.name))


def series_of(path: Path) -> tuple[Path, str]:
    """Return what the answers to one request have in common; a file whose name is not a key is alone."""
    name = name_of(path.name)
    return path.parent, name.partition(".")[0] if is_key_name(name) else name


def paths_in(directories: Iterable[Path]) -> Iterator[Path]:
    """Yield the files of recordings directly in these folders, by folder and then by name; hidden ones are none."""
    for directory in directories:
        try:
            names = sorted(entry.name for entry in os.scandir(directory) if entry.name.endswith(RECORDING_ENDING))
        except (FileNotFoundError, NotADirectoryError):
            continue
        yield from (directory / name for name in names if not name.startswith("."))


def entries_in(directories: Iterable[Path]) -> Iterator[Entry | CorruptRecording]:
    """Yield each recording of these folders, or the error that reading it gave."""
    for path in paths_in(directories):
        try:
            yield entry_of(path)
        except CorruptRecording as error:
            yield error


def entry_of(path: Path) -> Entry:
    """Return the recording in this file, its request half parsed; raises CorruptRecording."""
    stored = files.read(str(path))
    if stored is None:
        raise CorruptRecording(path, "it is not there")
    return entry_in(path, stored.content)


def entry_in(path: Path, content: bytes) -> Entry:
    """Return the recording that `content` of a file holds, its request half parsed; raises CorruptRecording."""
    document = _head(content)
    if document is None:
        try:
            document = json_bytes.loads(content, exactly=LARGE_INTEGERS_NAME in content)
        except (ValueError, RecursionError) as error:
            raise CorruptRecording(path, unreadable(content, error)) from None
    if not isinstance(document, dict):
        raise CorruptRecording(path, f"it holds a JSON {type(document).__name__}, not an object")
    return _entry(path, content, document)


def question_of(path: Path) -> Entry:
    """Return the recording in this file without its answer, which is not even read where the layout allows.

    For those who look at thousands of requests; `content` is then only the file's beginning. Raises CorruptRecording.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            content = file.read(_USUAL_QUESTION)
    except OSError as error:
        raise CorruptRecording(path, error.strerror or str(error)) from error
    document = _head(content)
    return _entry(path, content, document) if isinstance(document, dict) else entry_of(path)


def _entry(path: Path, content: bytes, document: JsonObject) -> Entry:
    test_id, request = document.get("test_id"), document.get("request")
    return Entry(
        path,
        content,
        test_id if isinstance(test_id, str) else None,
        request if isinstance(request, dict) else {},
    )


def _head(content: bytes) -> JsonValue | None:
    """Return what stands before the response, parsed alone; None for a layout in which that cannot be cut off."""
    start = content.find(RESPONSE_START) if content.startswith(b"{\n") else -1
    if start < 0:
        return None
    try:
        return json_bytes.loads(content[:start].rstrip().rstrip(b",") + b"}", exactly=LARGE_INTEGERS_NAME in content)
    except (ValueError, RecursionError):
        return None
