"""Recordings that get another name: all answers to one request, or none of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

from ..errors import RecorderError, RecordingConflict
from ..storage.catalogue import entry_of
from ..storage.directories import Directories
from ..storage.renames import Renaming, move_of, moved
from ..storage.store import Store
from .console import Column, counted, remark, show_json, show_table, tracked
from .directories import remark_refusal, shown

_COLUMNS = (Column("test", gives_way=True), Column("recording"), Column("new name"))


@dataclass(slots=True)
class PlannedRename:
    """A recording, and what it becomes."""

    path: Path
    key: str
    test_id: str | None
    renaming: Renaming
    new_path: Path
    refusal: str = ""
    """Why it stays as it is."""
    is_moved: bool = False

    def as_json(self) -> dict[str, object]:
        return {
            "path": shown(self.path),
            "new_path": shown(self.new_path),
            "test_id": self.test_id,
            "new_test_id": self.renaming.test_id,
            "refusal": self.refusal or None,
            "is_moved": self.is_moved,
        }


def carry_out(
    renames: Sequence[PlannedRename], *, of: int, note: str = "", is_dry_run: bool, is_json: bool
) -> NoReturn:
    """Rename what can be renamed, unless this is a dry run, print each and how many `of` how many, and exit.

    The exit code is 1 if a recording stays as it is, otherwise 0.
    """
    _refuse_conflicts(renames)
    if not is_dry_run:
        _move(renames)
    accepted = [rename for rename in renames if not rename.refusal]
    if is_json:
        show_json([rename.as_json() for rename in renames])
    else:
        rows = [(rename.renaming.test_id or "", rename.path.name, rename.new_path.name) for rename in accepted]
        show_table(_COLUMNS, rows)
    for rename in renames:
        if rename.refusal:
            remark_refusal(rename.path, rename.test_id, rename.refusal)
    would_be = "would be " if is_dry_run else ""
    remark(f"{len(accepted):,} of {counted(of, 'recording')} {would_be}renamed{note}")
    sys.exit(0 if len(accepted) == len(renames) else 1)


def _refuse_conflicts(renames: Sequence[PlannedRename]) -> None:
    """Refuse what cannot be renamed, and all other answers to the same request, before anything is moved."""
    claimed: dict[Path, tuple[Path, bytes]] = {}
    """New path -> the first recording that gets it, and the digest of its new content."""
    for rename in tracked(renames, "Checking"):
        if rename.refusal:
            continue
        try:
            move = move_of(entry_of(rename.path), rename.renaming)
            store = _store_of(rename)
            rename.new_path = store.path_of(move.name)
            digest = sha256(move.content).digest()
            first, first_digest = claimed.setdefault(rename.new_path, (rename.path, digest))
            obstacle = move.obstacle(store) if first_digest == digest else first
            if obstacle is not None:
                raise RecordingConflict(rename.path, obstacle)
        except RecorderError as error:
            rename.refusal = str(error)
    refused = {(rename.path.parent, rename.key): rename for rename in renames if rename.refusal}
    for rename in renames:
        if not rename.refusal and (cause := refused.get((rename.path.parent, rename.key))):
            rename.refusal = f"so does {cause.path.name}, which answers the same request"


def _move(renames: Sequence[PlannedRename]) -> None:
    """Rename the files that are not refused."""
    for rename in tracked([rename for rename in renames if not rename.refusal], "Renaming"):
        try:
            store, entry = _store_of(rename), entry_of(rename.path)
            rename.new_path = moved(store, entry, rename.renaming)
            rename.is_moved = True
        except RecorderError as error:  # the file has just changed, or cannot be written
            rename.refusal = str(error)


def _store_of(rename: PlannedRename) -> Store:
    directory = rename.path.parent
    return Store(Directories(written=directory, read=(directory,)))
