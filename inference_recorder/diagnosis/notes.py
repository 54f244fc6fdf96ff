"""The last misses of each folder, noted where `inference-recorder explain` finds them.

Beside the system's temporary files and not in the folder itself, which may be read-only, and is somebody's repository.
One file a miss, named after its folder and key: a call that is tried again is noted once, and parallel workers need
no lock.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ..errors import RecorderError
from ..recording import json_bytes
from ..request.keys import named
from ..request.normalizers import Normalizers
from ..request.request import Request
from .nearest import Question

MOST_NOTES = 300
"""Of all folders together; of more, the oldest hundred are forgotten."""
_FORGOTTEN_AT_ONCE = 100
_MOST_BYTES = 1 << 20


class Note(NamedTuple):
    """A miss as it was noted."""

    question: Question
    node_id: str | None
    """The test as pytest names it, where one ran."""
    time: float
    """In seconds since 1970."""


def note(directory: Path, question: Question, node_id: str | None) -> None:
    """Remember a miss of this folder, and forget the oldest of all folders. Raises OSError."""
    request = question.request
    document = {
        "key": question.key,
        "test_id": question.test_id,
        "node_id": node_id,
        "place": question.position,
        "normalize": question.normalizers.declared,
        "key_version": question.version.name,
        "variables": question.variables,
        # The text of the body as it was asked: the caller may go on changing the body itself.
        "request": [request.method, request.endpoint, request.url, request.body_text],
    }
    content = json_bytes.dumps(document)
    if len(content) > _MOST_BYTES:
        return
    notes = _private_directory()
    temporary = notes / f"{secrets.token_hex(8)}.tmp"
    temporary.write_bytes(content)
    os.replace(temporary, notes / f"{_digest(directory)}-{question.key}.json")
    if len(os.listdir(notes)) > MOST_NOTES:
        for path in _by_age(notes, "")[:_FORGOTTEN_AT_ONCE]:
            path.unlink(missing_ok=True)


def notes_in(directory: Path) -> Iterator[Note]:
    """Yield the last misses of this folder, the newest first. Raises OSError."""
    for path in reversed(_by_age(_directory(), f"{_digest(directory)}-")):
        try:
            found, changed = json_bytes.loads(path.read_bytes()), path.stat().st_mtime
            method, endpoint, url, text = found["request"]
            request = Request(method, endpoint, url, json.loads(text), text)
            rules, version = Normalizers(found["normalize"]), named(found["key_version"])
            question = Question(request, found["key"], found["test_id"], found["place"], rules, version)
            question = question._replace(variables=tuple(found["variables"]))
            yield Note(question, found["node_id"], changed)
        except (OSError, ValueError, KeyError, TypeError, RecorderError):
            continue  # it was forgotten meanwhile, or another version wrote it


def _digest(directory: Path) -> str:
    return sha256(os.fsencode(os.path.realpath(directory))).hexdigest()[:16]


def _directory() -> Path:
    user = str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()
    return Path(tempfile.gettempdir()) / f"inference_recorder-{user}" / "misses"


def _private_directory() -> Path:
    """Return the folder, made; what is asked of a model is for nobody else on this machine. Raises PermissionError."""
    directory = _directory()
    directory.parent.mkdir(mode=0o700, exist_ok=True)
    found = directory.parent.lstat()
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
        raise PermissionError(f"{directory.parent} is somebody else's")
    directory.mkdir(exist_ok=True)
    return directory


def _by_age(directory: Path, start: str) -> list[Path]:
    """Return the files whose name starts so, the oldest first."""
    found = []
    try:
        for entry in os.scandir(directory):
            if entry.name.startswith(start):
                try:
                    found.append((entry.stat().st_mtime_ns, entry.path))
                except FileNotFoundError:  # another worker has forgotten it
                    pass
    except FileNotFoundError:
        pass
    return [Path(path) for _, path in sorted(found)]
