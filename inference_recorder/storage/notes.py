"""Notes about tests: a small file for each test, in a directory beside its recordings that git ignores.

Notes are never replayed or trusted: a file that is not one of ours counts as none.
"""

from __future__ import annotations

import json
import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from . import files

_MOST_BYTES = 1 << 18


class Notes(NamedTuple):
    """The notes of one kind."""

    directory: str
    """The name of their directory."""
    member: str
    """The member of each file that holds the note."""

    def has_any(self, recordings: Path) -> bool:
        """Whether any test has a note beside these recordings."""
        return os.path.lexists(recordings / self.directory)

    def path(self, recordings: Path, test_id: str | None) -> Path:
        """Return the path of a test's file: what a person recognizes of its id, and a digest of all of it."""
        digest = sha256(repr(test_id).encode(errors="backslashreplace")).hexdigest()[:16]
        readable = re.sub(r"[^A-Za-z0-9_]+", "-", test_id or "outside a test")[-60:].strip("-")
        return recordings / self.directory / f"{readable}-{digest}.json"

    def read(self, recordings: Path, test_id: str | None) -> Any:
        """Return the note about a test: any JSON, since a stranger may have written it; None without one."""
        path = self.path(recordings, test_id)
        try:
            if files.is_directory(path.parent) and os.stat(path).st_size <= _MOST_BYTES:
                return json.loads(files.content_of(path) or b"{}")[self.member]
        except (OSError, ValueError, TypeError, LookupError, RecursionError):
            pass
        return None

    def write(self, recordings: Path, test_id: str | None, note: object) -> None:
        """Replace the note about a test, or remove it if `note` is empty; raises OSError."""
        path = self.path(recordings, test_id)
        if note:
            files.make_ignored(path.parent)
            document = {"test_id": test_id, self.member: note}
            files.replace(path, json.dumps(document, indent=1).encode(), path.name)
        elif files.is_directory(path.parent):
            files.remove(path)
