"""Recordings that take another name: all answers to one request, or none of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ..errors import CorruptRecording, RecorderError, RecordingConflict
from ..request.jsonable import JsonObject
from ..storage.catalogue import Entry, entry_of
from ..storage.renames import Renaming, move_of, moved
from .console import Column, remark, show_json, show_table, tracked
from .directories import ChosenDirectories, store_of

_COLUMNS = (Column("test", gives_way=True), Column("recording"), Column("new name"))


@dataclass(slots=True)
class Relocation:
    """A recording, and what becomes of it."""

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
    """In the row of its new key, None for the one that it has."""
    new_request: JsonObject | None = None
    """Its "request" object from now on, None for the one that it has."""

    @property
    def renaming(self) -> Renaming:
        """What it is to become."""
        return Renaming(self.new_key, self.new_id, self.new_position, self.new_request)

    def as_json(self, directories: ChosenDirectories) -> dict[str, object]:
        """Return what a command with --json tells of it."""
        return {
            "path": directories.shown(self.path),
            "new_path": directories.shown(self.new_path),
            "test_id": self.test_id,
            "new_test_id": self.new_id,
            "refusal": self.refusal or None,
            "is_moved": self.is_moved,
        }


def entries_read(directories: ChosenDirectories) -> Iterator[Entry]:
    """Yield each recording that can be read, and name those that cannot."""
    for entry in directories.entries():
        if isinstance(entry, CorruptRecording):
            remark(f"passed over: {directories.shown(entry.path)} cannot be read ({entry.reason})", "bold red")
        else:
            yield entry


def relocated(
    found: Sequence[Relocation], directories: ChosenDirectories, *, is_dry_run: bool, is_json: bool
) -> tuple[int, int]:
    """Move what can move, unless it is a dry run, and tell of each; returns how many were accepted and refused."""
    _look_ahead(found)
    if not is_dry_run:
        _carry_out(found)
    refused = [one for one in found if one.refusal]
    if is_json:
        show_json([one.as_json(directories) for one in found])
    else:
        rows = [(one.new_id or "", one.path.name, one.new_path.name) for one in found if not one.refusal]
        show_table(_COLUMNS, rows)
    for one in refused:
        remark(f"stays as it is: {directories.shown(one.path)} ({one.test_id}): {one.refusal}", "bold red")
    return len(found) - len(refused), len(refused)


def _look_ahead(found: Sequence[Relocation]) -> None:
    """Refuse what cannot move, and with it all answers to the same request, before anything is moved."""
    taken: dict[Path, tuple[Path, bytes]] = {}
    for one in tracked(found, "Looking ahead"):
        if one.refusal:
            continue
        try:
            move = move_of(entry_of(one.path), one.renaming)
            store = store_of(one.path)
            one.new_path = store.path_of(move.name)
            content = sha256(move.content).digest()
            first, first_content = taken.setdefault(one.new_path, (one.path, content))
            obstacle = move.obstacle(store) if first_content == content else first
            if obstacle is not None:
                raise RecordingConflict(one.path, obstacle)
        except RecorderError as error:
            one.refusal = str(error)
    refused = {(one.path.parent, one.key): one for one in found if one.refusal}
    for one in found:
        if not one.refusal and (cause := refused.get((one.path.parent, one.key))):
            one.refusal = f"so does {cause.path.name}, which answers the same request"


def _carry_out(found: Sequence[Relocation]) -> None:
    """Move what is not refused."""
    for one in tracked([one for one in found if not one.refusal], "Renaming"):
        try:
            store, entry = store_of(one.path), entry_of(one.path)
            one.new_path = moved(store, entry, one.renaming)
            one.is_moved = True
        except RecorderError as error:  # it has changed since we looked, or the disk refuses
            one.refusal = str(error)
