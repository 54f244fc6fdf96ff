"""All recordings of a directory, for code that reads many: diagnosis, the commands, pruning."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

from ..errors import CorruptRecording
from ..json_tree import JsonObject, JsonValue
from ..recording import json_bytes
from ..recording.answer import Recording
from ..recording.codec import decode
from ..recording.damage import unreadable
from ..recording.layout import (
    LARGE_INTEGERS_NAME,
    RECORDING_ENDING,
    RESPONSE_START,
    is_key_name,
    key_in,
    name_of,
    position_in,
)
from ..redaction.requests import recorded_request
from ..request.keys import EXACT, key_version_of
from ..request.normalizers import Normalizers
from ..request.request import Request
from . import files

_USUAL_REQUEST_SIZE = 1 << 15
_NUMBER_AS_NAME = re.compile(r'"-?[0-9]+": ')


@dataclass(frozen=True, slots=True)
class Entry:
    """A recording with its request parsed; `recording()` parses the answer."""

    path: Path
    content: bytes
    test_id: str | None
    request: JsonObject
    """The file's "request" object; {} if it has none."""

    @property
    def name(self) -> str:
        """The file's name without ".json"."""
        return name_of(self.path.name)

    @property
    def key(self) -> str:
        """The key in the file's name."""
        return key_of(self.path)

    @property
    def position(self) -> int:
        """The position in the key's series, counted from 1."""
        return position_of(self.path)

    @property
    def is_sdk_call(self) -> bool:
        """Whether this is a call of the SDK; llama-stack's recorder records tools and others too."""
        return isinstance(self.request.get("endpoint"), str) and isinstance(self.request.get("body"), dict)

    @property
    def endpoint(self) -> str:
        return str(self.request.get("endpoint", ""))

    @property
    def model(self) -> str:
        """The requested model, "" if the request names none."""
        model = self.body.get("model")
        return model if isinstance(model, str) else ""

    @property
    def body(self) -> JsonObject:
        body = self.request.get("body")
        return body if isinstance(body, dict) else {}

    @property
    def normalize(self) -> list[JsonValue]:
        """The normalizers that the request declares, in JSON."""
        declared = self.request.get("normalize")
        return declared if isinstance(declared, list) else []

    @property
    def asked(self) -> Request | None:
        """The request as used for its key; None if the file does not hold a request that the SDK can make."""
        try:
            request = self.asked_under(None)
            urlparse(request.url)
            return request
        except (ValueError, RecursionError):  # such as an unclosed "[" in the URL, or arguments nested too deep
            return None

    def asked_under(self, normalizers: Normalizers | None) -> Request:
        """Return the request as used for its key under these normalizers; None means those that the file declares.

        Raises ValueError if the file holds no request, RecursionError if its arguments are nested too deep.
        """
        request = recorded_request(self.request, normalizers)
        if _NUMBER_AS_NAME.search(request.body_text) is None:
            return request
        numbered = recorded_request(self.request).with_numbers_as_names()
        # Only the key shows whether the names were numbers or texts.
        has_numbers_as_names = key_version_of(self.key, numbered, self.test_id) is not None
        return request.with_numbers_as_names() if has_numbers_as_names else request

    @property
    def is_exact(self) -> bool:
        """Whether it answers only a request equal to its own, and not those that a key version folds with it."""
        return self.request.get("key_version") == EXACT.name

    def recording(self) -> Recording:
        """Return the recording as used for a replay; raises CorruptRecording."""
        return decode(self.content, str(self.path))


def key_of(path: Path) -> str:
    """Return the key in the name of a recording's file, without position and digest of a model list."""
    return key_in(path.name)


def position_of(path: Path) -> int:
    """Return the position in its series, counted from 1, in the name of a recording's file."""
    return position_in(name_of(path.name))


def series_of(path: Path) -> tuple[Path, str]:
    """Return what identifies the series of a recording; a file whose name is not a key has a series of its own."""
    name = name_of(path.name)
    return path.parent, name.partition(".")[0] if is_key_name(name) else name


def paths_in(directories: Iterable[Path]) -> Iterator[Path]:
    """Yield the recordings directly in these directories, by directory and then by name, without hidden files."""
    for directory in directories:
        try:
            names = sorted(entry.name for entry in os.scandir(directory) if entry.name.endswith(RECORDING_ENDING))
        except (FileNotFoundError, NotADirectoryError):
            continue
        yield from (directory / name for name in names if not name.startswith("."))


def keyed_paths_in(directory: Path) -> Iterator[Path]:
    """Yield the recordings in a directory that have a key for a name, in any order; none if it cannot be read."""
    try:
        with os.scandir(directory) as found:
            for entry in found:
                if entry.name.endswith(RECORDING_ENDING) and is_key_name(name_of(entry.name)):
                    yield directory / entry.name
    except OSError:
        return


def entries_in(directories: Iterable[Path]) -> Iterator[Entry | CorruptRecording]:
    """Yield each recording in these directories, or the error from reading it."""
    for path in paths_in(directories):
        try:
            yield entry_of(path)
        except CorruptRecording as error:
            yield error


def entry_of(path: Path) -> Entry:
    """Return the recording in this file; raises CorruptRecording."""
    content = files.read(path)
    if content is None:
        raise CorruptRecording(path, "it does not exist")
    return entry_in(path, content)


def entry_in(path: Path, content: bytes) -> Entry:
    """Return the recording with this content; raises CorruptRecording."""
    document: JsonValue = _head(content)
    if document is None:
        try:
            document = json_bytes.loads(content, exactly=LARGE_INTEGERS_NAME in content)
        except (ValueError, RecursionError) as error:
            raise CorruptRecording(path, unreadable(content, error)) from None
    if not isinstance(document, dict):
        raise CorruptRecording(path, f"it holds a JSON {type(document).__name__}, not an object")
    return _entry(path, content, document)


def entry_without_answer(path: Path) -> Entry:
    """Return the recording in this file, if possible without reading its answer; raises CorruptRecording.

    For code that compares thousands of requests. `content` may be only the beginning of the file.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            content = file.read(_USUAL_REQUEST_SIZE)
    except OSError as error:
        raise CorruptRecording(path, error.strerror or str(error)) from error
    document = _head(content)
    return entry_of(path) if document is None else _entry(path, content, document)


def _entry(path: Path, content: bytes, document: JsonObject) -> Entry:
    test_id, request = document.get("test_id"), document.get("request")
    return Entry(
        path,
        content,
        test_id if isinstance(test_id, str) else None,
        request if isinstance(request, dict) else {},
    )


def _head(content: bytes) -> JsonObject | None:
    """Return the parsed part before the response; None for another layout than ours."""
    start = content.find(RESPONSE_START) if content.startswith(b"{\n") else -1
    if start < 0:
        return None
    try:
        head = json_bytes.loads(content[:start].rstrip().rstrip(b",") + b"}", exactly=LARGE_INTEGERS_NAME in content)
    except (ValueError, RecursionError):
        return None
    return head if isinstance(head, dict) else None
