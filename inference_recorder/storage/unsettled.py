"""What a running test has overwritten, for another process to restore: recordings as they were before."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .rollback import Files, Rollback


class Unsettled:
    """The recordings of one test as they were before it, in a file to which several processes add."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def note(self, directory: Path, old: Iterable[tuple[str, Files | None]]) -> None:
        """Keep (name, files) of a directory before they are overwritten, None for no files. A full disk is ignored."""
        lines = [json.dumps([str(directory), name, _text(files)]) for name, files in old]
        if lines:
            with suppress(OSError), self.file.open("ab", buffering=0) as file:
                file.write("".join(f"{line}\n" for line in lines).encode())

    def settle(self) -> None:
        """Forget them: the test has ended."""
        self.file.unlink(missing_ok=True)

    def roll_back(self) -> list[Path]:
        """Move the new recordings of a crashed worker to .failed, restore the old ones, and return the new paths.

        Raises UnwritableRecording and OSError.
        """
        moved = [path for rollback in self.rollbacks().values() for path in rollback.roll_back().values()]
        self.settle()
        return moved

    def rollbacks(self) -> dict[Path, Rollback]:
        """Return what was noted, by directory; of each recording, what was noted first counts."""
        if not self.file.exists():  # most tests overwrite nothing, and need nothing of this
            return {}
        from .directories import Directories
        from .rollback import Rollback
        from .store import Store

        old: dict[Path, dict[str, Files | None]] = {}
        for line in self.file.read_bytes().splitlines():
            with suppress(ValueError):  # the disk was full
                directory, name, text = json.loads(line)
                old.setdefault(Path(directory), {}).setdefault(name, _files(text))
        return {directory: Rollback(Store(Directories(directory, ())), files) for directory, files in old.items()}


def _text(files: Files | None) -> list[str | None] | None:
    if files is None:
        return None
    return [None if content is None else b64encode(content).decode() for content in files]


def _files(text: list[str | None] | None) -> Files | None:
    from .rollback import Files

    if text is None:
        return None
    content, attachment = (None if encoded is None else b64decode(encoded) for encoded in text)
    return Files(content or b"", attachment)
