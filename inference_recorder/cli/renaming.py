"""Recordings that get another name: all answers to one request, or none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ..errors import RecorderError, RecordingConflict
from ..request.jsonable import JsonObject
from ..storage.catalogue import entry_of
from ..storage.renames import Renaming, move_of, moved
from .console import Column, show_json, show_table, tracked
from .directories import remark_refusal, shown, store_of

_COLUMNS = (Column("test", gives_way=True), Column("recording"), Column("new name"))


@dataclass(slots=True)
class PlannedRename:
    """A recording, and the name, test and request that it gets."""

    path: Path
    key: str
    test_id: str | None
    new_id: str | None
    new_key: str
    new_path: Path
    refusal: str = ""
    """Why it stays as it is."""
    is_moved: bool = False
    new_position: int | None = None
    """Its position in the series of its new key; None keeps the one that it has."""
    new_request: JsonObject | None = None
    """Its new "request" object; None keeps the one that it has."""

    @property
    def renaming(self) -> Renaming:
        return Renaming(self.new_key, self.new_id, self.new_position, self.new_request)

    def as_json(self) -> dict[str, object]:
        return {
            "path": shown(self.path),
            "new_path": shown(self.new_path),
            "test_id": self.test_id,
            "new_test_id": self.new_id,
            "refusal": self.refusal or None,
            "is_moved": self.is_moved,
        }


def carry_out(renames: Sequence[PlannedRename], *, is_dry_run: bool, is_json: bool) -> tuple[int, int]:
    """Rename what can be renamed, unless this is a dry run, and print each.

    Returns how many were accepted and how many were refused.
    """
    _refuse_conflicts(renames)
    if not is_dry_run:
        _move(renames)
    refused = [rename for rename in renames if rename.refusal]
    if is_json:
        show_json([rename.as_json() for rename in renames])
    else:
        accepted = (rename for rename in renames if not rename.refusal)
        show_table(_COLUMNS, [(rename.new_id or "", rename.path.name, rename.new_path.name) for rename in accepted])
    for rename in refused:
        remark_refusal(rename.path, rename.test_id, rename.refusal)
    return len(renames) - len(refused), len(refused)


def _refuse_conflicts(renames: Sequence[PlannedRename]) -> None:
    """Refuse what cannot be renamed, and all other answers to the same request, before anything is moved."""
    claimed: dict[Path, tuple[Path, bytes]] = {}
    """New path -> the first recording that gets it, and the digest of its new content."""
    for rename in tracked(renames, "Checking"):
        if rename.refusal:
            continue
        try:
            move = move_of(entry_of(rename.path), rename.renaming)
            store = store_of(rename.path)
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
            store, entry = store_of(rename.path), entry_of(rename.path)
            rename.new_path = moved(store, entry, rename.renaming)
            rename.is_moved = True
        except RecorderError as error:  # the file has just changed, or cannot be written
            rename.refusal = str(error)
