"""Deleted recordings: kept for two weeks in `.trash` of their directory, from where they can be restored.

A deletion is a directory `.trash/<time>-<token>`, with the same name in each directory of recordings that it touched.
Its files keep their names. At any moment a recording is complete, either in its directory or in the trash: its
attachment is copied before the recording moves, and removed afterwards.
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
from typing import NamedTuple

from ..errors import UnwritableRecording
from ..recording.layout import ATTACHMENT_ENDING, file_of, name_of
from . import attachments, files
from .catalogue import paths_in, position_of, series_of
from .locks import Locks
from .walk import is_reached

TRASH_DIRECTORY = ".trash"
KEPT_FOR = timedelta(days=14)
_TIME = "%Y%m%dT%H%M%S.%fZ"
_DELETION = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}")
_UNDONE = ".undone"
"""Suffix of a deletion that was undone except for some recordings; later undos ignore it."""


class Deletion:
    """Recordings that move to the trash together and are restored together."""

    def __init__(self, time: datetime | None = None) -> None:
        """`time` defaults to now."""
        self.name = f"{_text(time or _now())}-{secrets.token_hex(4)}"
        self.moved: dict[Path, Path] = {}
        """{where a recording was: where it is in the trash}."""
        self.kept: list[Path] = []
        """Recordings that stay because a later answer of their series stays, which would be replayed instead."""

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
        directories = sorted({str(path.parent) for path in self.moved})
        are_default = all(is_reached(Path(directory), root) for directory in directories)
        return shlex.join(["inference-recorder", "undo", *([] if are_default else directories)])

    def _move(self, path: Path) -> None:
        with _locked(path):
            if not os.path.lexists(path):
                return
            entry = path.parent / TRASH_DIRECTORY / self.name
            files.make_ignored(entry.parent)
            entry.mkdir(exist_ok=True)
            attachment = attachments.named_in(path, files.content_of(path))
            if attachment is not None and os.path.lexists(attachment):
                _copy(attachment, entry / attachment.name, path.stem)
            os.rename(path, entry / path.name)
            self.moved[path] = entry / path.name
            if attachment is not None:
                attachment.unlink(missing_ok=True)


class Undone(NamedTuple):
    """The result of an undo."""

    restored: list[Path]
    conflict: dict[Path, Path]
    """{where a recording was: where it stays in the trash}, because another recording has its name or series."""


def last_deletion(directories: Iterable[Path]) -> list[Path]:
    """Return the directories of the last deletion that was not undone, [] without one.

    Raises UnwritableRecording if a trash cannot be read.
    """
    last: list[Path] = []
    for entry in chain.from_iterable(map(_entries, directories)):
        with files.refusals_of(entry):
            if entry.name.endswith(_UNDONE) or not any(paths_in([entry])):
                continue
        if not last or entry.name > last[0].name:
            last = [entry]
        elif entry.name == last[0].name:
            last.append(entry)
    return last


def undo(entries: Iterable[Path]) -> Undone:
    """Restore the recordings of a deletion, given by its directories; replaces no recording.

    Either all answers of a series are restored or none. What cannot be restored stays in the trash, where
    `last_deletion` ignores it. Raises UnwritableRecording; after that, the same deletion can be undone again.
    """
    undone = Undone([], {})
    for entry in entries:
        directory = entry.parent.parent
        series: defaultdict[tuple[Path, str], list[Path]] = defaultdict(list)
        for deleted in sorted(paths_in([entry]), key=position_of):
            series[series_of(deleted)].append(deleted)
        attachment_paths = _attachments_in(entry)
        restored: list[Path] = []
        conflict: list[Path] = []
        for answers in series.values():
            if any(_is_conflict(directory / deleted.name, deleted) for deleted in answers):
                conflict += answers
                continue
            for deleted in answers:
                is_restored = _restore(deleted, directory / deleted.name, attachment_paths[deleted.name])
                (restored if is_restored else conflict).append(deleted)
        # Once for all, since it takes as long as a write; before anything leaves the trash.
        files.sync_directory(directory)
        for deleted in restored:
            with _locked(directory / deleted.name):
                for path in (deleted, *attachment_paths[deleted.name]):
                    path.unlink(missing_ok=True)
            undone.restored.append(directory / deleted.name)
        if not conflict:
            with suppress(OSError):  # another process is still moving recordings to it, for the next undo
                entry.rmdir()
            continue
        remainder = entry.with_name(entry.name + _UNDONE)
        with files.refusals_of(remainder), suppress(FileNotFoundError):  # another process has renamed it
            entry.rename(remainder)
        undone.conflict.update({directory / deleted.name: remainder / deleted.name for deleted in conflict})
    return undone


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
            if _DELETION.fullmatch(entry.name.removesuffix(_UNDONE)) and entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)


def _attachments_in(entry: Path) -> defaultdict[str, list[Path]]:
    """Return {file name of a deleted recording: its attachments}."""
    paths: defaultdict[str, list[Path]] = defaultdict(list)
    for path in entry.glob(f"*{ATTACHMENT_ENDING}"):
        paths[file_of(attachments.owner_of(path))].append(path)
    return paths


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


def _is_conflict(path: Path, deleted: Path) -> bool:
    """Whether another recording has the deleted one's name. A killed undo may leave the same one in both places."""
    deleted_content = files.content_of(deleted)
    if not os.path.lexists(path) or not os.path.lexists(deleted):  # or another process has restored it
        return False
    content = files.content_of(path)
    return content is None or content != deleted_content


def _restore(deleted: Path, path: Path, attachment_paths: Iterable[Path]) -> bool:
    """Copy a deleted recording back, unless another one has its name by now; returns whether it is restored."""
    with _locked(path):
        if _is_conflict(path, deleted):
            return False
        if not os.path.lexists(deleted):  # another process has restored it
            return os.path.lexists(path)
        for attachment in attachment_paths:
            _copy(attachment, path.parent / attachment.name, path.stem)
        if not os.path.lexists(path):
            try:
                os.link(deleted, path, follow_symlinks=False)
            except FileExistsError:  # recorded meanwhile, without the lock
                return False
            except (OSError, NotImplementedError):  # a file system without links
                os.rename(deleted, path)
    return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the write lock of a recording; raises UnwritableRecording if it is taken or the block raises OSError."""
    name = name_of(path.name)
    locks = Locks(path.parent)
    with files.refusals_of(path), locks.writing(name) as is_held:
        if not is_held:
            raise UnwritableRecording(path, f"another process is writing it (it holds {locks.path_of(name)})")
        yield


def _copy(source: Path, target: Path, owner: str) -> None:
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


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _text(time: datetime) -> str:
    return time.astimezone(timezone.utc).strftime(_TIME)
