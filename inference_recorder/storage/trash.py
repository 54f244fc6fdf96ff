"""Deleted recordings: kept for two weeks in `.trash` of their directory, from where they can be restored.

A deletion is a directory `.trash/<time>-<token>-<command>`, with the same name in each directory of recordings that it
touched. Its files keep their names; `accepted` in it has what came from `.failed` into their place, if something did.
At any moment a recording is complete, either in its directory or in the trash: its attachment is copied before the
recording moves, and removed afterwards.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from itertools import chain
from pathlib import Path

from ..errors import CorruptRecording, UnwritableRecording
from ..recording.layout import is_model_list_name, name_of
from . import attachments, files
from .catalogue import key_of, paths_in, position_of, series_of
from .directories import Directories
from .locks import Locks
from .rollback import files_at
from .store import Store
from .walk import is_reached

TRASH_DIRECTORY = ".trash"
ACCEPTED_DIRECTORY = "accepted"
"""In a deletion: copies of the recordings that came from `.failed` into the place of the deleted ones."""
KEPT_FOR = timedelta(days=14)
_TIME = "%Y%m%dT%H%M%S.%fZ"
_DELETION = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}(-[a-z]+)?")
"""The name of a deletion: its time, and the command that made it, which older ones lack."""
UNDONE = ".undone"
"""Suffix of a deletion that was undone except for some recordings; later undos ignore it."""


class Deletion:
    """Recordings that move to the trash together and are restored together."""

    def __init__(self, time: datetime | None = None, *, command: str = "") -> None:
        """`command` is the word that `origin_of` returns; `time` defaults to now."""
        self.name = f"{_text(time or _now())}-{secrets.token_hex(4)}{command and f'-{command}'}"
        self.moved: dict[Path, Path] = {}
        """{where a recording was: where it is in the trash}."""
        self.kept: list[Path] = []
        """Recordings that stay because a later answer of their series stays, which would be replayed instead."""
        self._directories: set[str] = set()

    def discard(self, paths: Iterable[Path], directories: Iterable[Path] = (), *, is_dry_run: bool = False) -> None:
        """Move these recordings and their attachments to the trash; skips those that no longer exist.

        The last answers of a series move first, so that there is never a gap. Before, what expired is removed from the
        trash of their directories, and of `directories`. A dry run only fills `kept`. Raises UnwritableRecording;
        `moved` then has what was moved before.
        """
        by_directory: defaultdict[Path, set[Path]] = defaultdict(set)
        for path in paths:
            by_directory[path.parent].add(path)
        if not is_dry_run:
            remove_expired({*by_directory, *directories})
        for directory, named in by_directory.items():
            going, kept = _that_leave_no_gap(directory, named)
            self.kept += kept
            if is_dry_run:
                continue
            try:
                for path in going:
                    self._move(path)
            finally:
                for changed in (directory / TRASH_DIRECTORY / self.name, directory / TRASH_DIRECTORY, directory):
                    files.sync_directory(changed)

    def undo_command(self, root: Path) -> str:
        """Return the command that restores the recordings, for a shell whose working directory is `root`."""
        directories = sorted(self._directories)
        are_default = all(is_reached(Path(directory), root) for directory in directories)
        return shlex.join(["inference-recorder", "undo", *([] if are_default else directories)])

    def undo_advice(self, root: Path) -> str:
        """Return `undo_command` as a sentence."""
        return f"{self.undo_command(root)} brings {'it' if len(self.moved) == 1 else 'them'} back"

    def _move(self, path: Path) -> None:
        with locked(path):
            if not os.path.lexists(path):
                return
            entry = self._entry(path.parent)
            attachment = attachments.named_in(path, files.content_of(path))
            if attachment is not None and os.path.lexists(attachment):
                copy(attachment, entry / attachment.name, path.stem)
            files.despite_others(lambda: os.rename(path, entry / path.name))
            self.moved[path] = entry / path.name
            if attachment is not None:
                files.remove(attachment)

    def accept(self, failed: Path) -> Path:
        """Move a recording from `.failed` into place and return its path; what it replaces goes to the trash.

        Raises CorruptRecording and UnwritableRecording.
        """
        directory, name = failed.parent.parent, name_of(failed.name)
        new, store = files_at(failed), Store(Directories(directory, ()))
        if new is None:
            raise CorruptRecording(failed, "it or its attachment cannot be read")
        path = store.path_of(name)
        with locked(path):
            entry = self._entry(directory)
            _copy_recording(failed, entry / ACCEPTED_DIRECTORY)
            if os.path.lexists(path):
                _copy_recording(path, entry)
                self.moved[path] = entry / path.name
        store.write(name, new.content, attachment=new.attachment)
        if (key := key_of(failed)) == name or is_model_list_name(name):
            self.discard(map(store.path_of, store.other_outcomes(key, name)))
        for changed in (entry / ACCEPTED_DIRECTORY, entry, entry.parent, directory):
            files.sync_directory(changed)
        Store(Directories(failed.parent, ())).remove(name)
        return path

    def _entry(self, directory: Path) -> Path:
        """Return this deletion's part in a directory, made if necessary."""
        entry = directory / TRASH_DIRECTORY / self.name
        files.make_ignored(entry.parent)
        entry.mkdir(exist_ok=True)
        self._directories.add(str(directory))
        return entry


def last_deletion(directories: Iterable[Path]) -> list[Path]:
    """Return the directories of the last deletion that was not undone, [] without one.

    Raises UnwritableRecording if a trash cannot be read.
    """
    by_name: defaultdict[str, list[Path]] = defaultdict(list)
    for entry in chain.from_iterable(map(_entries, directories)):
        with files.refusals_of(entry):
            if not entry.name.endswith(UNDONE) and any(paths_in([entry, entry / ACCEPTED_DIRECTORY])):
                by_name[entry.name].append(entry)
    return by_name[max(by_name)] if by_name else []


def origin_of(entry: Path) -> tuple[str, datetime]:
    """Return the command that made a deletion, given by one of its directories ("" if unknown), and when, in UTC."""
    time, _, *command = entry.name.split("-")
    return "".join(command), datetime.strptime(time, _TIME).replace(tzinfo=timezone.utc)


def remove_expired(directories: Iterable[Path], time: datetime | None = None) -> None:
    """Remove what was deleted from these directories more than two weeks before `time`, which defaults to now."""
    oldest = _text((time or _now()) - KEPT_FOR)
    for directory in directories:
        with suppress(UnwritableRecording):  # an unreadable trash stays
            for entry in _entries(directory):
                if entry.name < oldest:
                    shutil.rmtree(entry, ignore_errors=True)


def _entries(directory: Path) -> Iterator[Path]:
    """Yield the deletions in a directory's trash; raises UnwritableRecording. Follows no link: it may lead anywhere."""
    trash = directory / TRASH_DIRECTORY
    with files.refusals_of(trash):
        try:
            entries = [] if trash.is_symlink() else list(os.scandir(trash))
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            if _DELETION.fullmatch(entry.name.removesuffix(UNDONE)) and entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)


def _that_leave_no_gap(directory: Path, named: set[Path]) -> tuple[list[Path], list[Path]]:
    """Return the recordings that can move, last answers first, and those that stay because a later answer stays."""
    last_kept: defaultdict[tuple[Path, str], int] = defaultdict(int)
    for path in paths_in([directory]):
        if path not in named:
            last_kept[series_of(path)] = max(last_kept[series_of(path)], position_of(path))
    going: list[Path] = []
    kept: list[Path] = []
    for path in sorted(named, key=lambda path: (-position_of(path), path.name)):
        (kept if position_of(path) < last_kept[series_of(path)] else going).append(path)
    return going, kept


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the write lock of a recording; raises UnwritableRecording if it is taken or the block raises OSError."""
    name = name_of(path.name)
    locks = Locks(path.parent)
    with files.refusals_of(path), locks.writing(name) as is_held:
        if not is_held:
            raise UnwritableRecording(path, f"another process is writing it (it holds {locks.path_of(name)})")
        yield


def copy(source: Path, target: Path, owner: str) -> None:
    """Copy an attachment of `owner` to `target`, a link as a link, unless a complete one is there; raises OSError."""
    try:
        os.link(source, target, follow_symlinks=False)
    except (OSError, NotImplementedError) as error:
        exists = isinstance(error, FileExistsError)
        if exists and attachments.is_whole(target):
            return
        if (content := files.content_of(source)) is not None:
            files.replace(target, content, owner)
        elif not exists:
            raise


def _copy_recording(path: Path, directory: Path) -> None:
    """Copy a recording and its attachment to a directory, made if necessary; raises OSError."""
    directory.mkdir(exist_ok=True)
    attachment = attachments.named_in(path, files.content_of(path))
    for source in (attachment, path):
        if source is not None and os.path.lexists(source):
            copy(source, directory / source.name, path.stem)


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _text(time: datetime) -> str:
    return time.astimezone(timezone.utc).strftime(_TIME)
