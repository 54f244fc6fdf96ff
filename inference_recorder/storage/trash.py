"""Deleted recordings: kept for two weeks in `.trash` of their directory, and restored from there.

A deletion is a folder `.trash/<time>-<token>`, of the same name in each directory of recordings that it touched. The
files in it keep their names. At every moment a recording is whole, in its place or in the trash: its attachment is
copied before the recording moves, and removed after it.
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
from .catalogue import path_of, paths_in, series_of
from .locks import Locks
from .walk import is_reached

TRASH_DIRECTORY = ".trash"
KEPT_FOR = timedelta(days=14)
_TIME = "%Y%m%dT%H%M%S.%fZ"
_DELETION = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}")
_UNDONE = ".undone"
"""Ends the name of a deletion that was undone but for some recordings: no later undo looks at it."""


class Deletion:
    """Recordings that go to the trash together, and come back together."""

    def __init__(self, time: datetime | None = None) -> None:
        """`time` is now unless given."""
        self.name = f"{_text(time or _now())}-{secrets.token_hex(4)}"
        self.moved: dict[Path, Path] = {}
        """Where each recording was -> where it is in the trash."""
        self.kept: list[Path] = []
        """Recordings that stay because a later answer of their series stays: it would be replayed in their place."""

    def discard(self, paths: Iterable[Path], *, is_dry_run: bool = False) -> None:
        """Move these recordings and their attachments to the trash, and remove what is there for over two weeks.

        One that is gone already is skipped. Of a series the last answers go first, so that nothing leaves a gap.
        A dry run only finds what stays. Raises UnwritableRecording; what was moved until then is in `moved`.
        """
        by_directory: defaultdict[Path, set[Path]] = defaultdict(set)
        for path in paths:
            by_directory[path.parent].add(path)
        for directory, named in by_directory.items():
            going, kept = _that_leave_no_gap(directory, named)
            self.kept += kept
            if is_dry_run:
                continue
            remove_expired([directory])
            try:
                for path in going:
                    self._move(path)
            finally:
                for changed in (directory / TRASH_DIRECTORY / self.name, directory / TRASH_DIRECTORY, directory):
                    files.sync_directory(changed)

    def undo_command(self, root: Path) -> str:
        """Return the command that brings the recordings back, for a shell whose working directory is `root`."""
        directories = sorted({str(path.parent) for path in self.moved})
        are_found = all(is_reached(Path(directory), root) for directory in directories)
        return shlex.join(["inference-recorder", "undo", *([] if are_found else directories)])

    def _move(self, path: Path) -> None:
        with _locked(path):
            if not os.path.lexists(path):
                return
            entry = path.parent / TRASH_DIRECTORY / self.name
            files.make_ignored(entry.parent)
            entry.mkdir(exist_ok=True)
            beside = attachments.named_in(path, files.content_of(path))
            if beside is not None and os.path.lexists(beside):
                _copy(beside, entry / beside.name, path.stem)
            os.rename(path, entry / path.name)
            self.moved[path] = entry / path.name
            if beside is not None:
                beside.unlink(missing_ok=True)


class Undone(NamedTuple):
    """What an undo did."""

    restored: list[Path]
    conflict: dict[Path, Path]
    """Where a recording was -> where it stays in the trash: there is another file of that name or of its series."""


def last_deletion(directories: Iterable[Path]) -> list[Path]:
    """Return the folders of the last deletion in these directories that was not undone; [] if there is none.

    Raises UnwritableRecording for a trash that cannot be read.
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
    """Restore the recordings of a deletion; replaces no recording. Raises UnwritableRecording.

    `entries` are its folders. Of a series all answers come back or none. What cannot come back stays in the trash, and
    no later `last_deletion` returns it. After an error the same deletion can be undone again.
    """
    undone = Undone([], {})
    for entry in entries:
        directory = entry.parent.parent
        series: defaultdict[tuple[Path, str], list[Path]] = defaultdict(list)
        for deleted in sorted(paths_in([entry]), key=path_of):
            series[series_of(deleted)].append(deleted)
        beside = _attachments_in(entry)
        back: list[Path] = []
        conflict: list[Path] = []
        for answers in series.values():
            if any(_is_conflict(directory / deleted.name, deleted) for deleted in answers):
                conflict += answers
                continue
            for deleted in answers:
                is_back = _put_back(deleted, directory / deleted.name, beside[deleted.name])
                (back if is_back else conflict).append(deleted)
        files.sync_directory(
            directory
        )  # once for all, since it takes as long as a write; before anything leaves the trash
        for deleted in back:
            with _locked(directory / deleted.name):
                for done in (deleted, *beside[deleted.name]):
                    done.unlink(missing_ok=True)
            undone.restored.append(directory / deleted.name)
        if not conflict:
            with suppress(OSError):  # another process is still moving recordings to it; they come back next time
                entry.rmdir()
            continue
        left = entry.with_name(entry.name + _UNDONE)
        with files.refusals_of(left), suppress(FileNotFoundError):  # another process has done so
            entry.rename(left)
        undone.conflict.update({directory / deleted.name: left / deleted.name for deleted in conflict})
    return undone


def remove_expired(directories: Iterable[Path], time: datetime | None = None) -> None:
    """Remove what was deleted from these folders more than two weeks before `time`, now unless given."""
    oldest = _text((time or _now()) - KEPT_FOR)
    for directory in directories:
        with suppress(UnwritableRecording):  # one that cannot be read stays
            for entry in _entries(directory):
                if entry.name < oldest:
                    shutil.rmtree(entry, ignore_errors=True)


def _entries(directory: Path) -> Iterator[Path]:
    """Yield the deletions in a folder's trash; raises UnwritableRecording. Follows no link: it may lead anywhere."""
    trash = directory / TRASH_DIRECTORY
    with files.refusals_of(trash):
        try:
            found = [] if trash.is_symlink() else list(os.scandir(trash))
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in found:
            if _DELETION.fullmatch(entry.name.removesuffix(_UNDONE)) and entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)


def _attachments_in(entry: Path) -> defaultdict[str, list[Path]]:
    """Return the file name of a deleted recording -> what lay beside it."""
    beside: defaultdict[str, list[Path]] = defaultdict(list)
    for path in entry.glob(f"*{ATTACHMENT_ENDING}"):
        beside[file_of(attachments.owner_of(path))].append(path)
    return beside


def _that_leave_no_gap(directory: Path, named: set[Path]) -> tuple[list[Path], list[Path]]:
    """Return which of these recordings can go, last answers first, and which cannot since a later answer stays."""
    last_kept: defaultdict[tuple[Path, str], int] = defaultdict(int)
    for path in paths_in([directory]):
        if path not in named:
            last_kept[series_of(path)] = max(last_kept[series_of(path)], path_of(path))
    going: list[Path] = []
    kept: list[Path] = []
    for path in sorted(named, key=lambda path: (-path_of(path), path.name)):
        (kept if path_of(path) < last_kept[series_of(path)] else going).append(path)
    return going, kept


def _is_conflict(path: Path, deleted: Path) -> bool:
    """Whether another file than the deleted recording is in its place. An undo that is killed may leave both."""
    old = files.content_of(deleted)
    if not os.path.lexists(path) or not os.path.lexists(deleted):  # or another process has put it back
        return False
    content = files.content_of(path)
    return content is None or content != old


def _put_back(deleted: Path, path: Path, beside: Iterable[Path]) -> bool:
    """Have a deleted recording in its place too unless another one is there by now; returns whether it is."""
    with _locked(path):
        if _is_conflict(path, deleted):
            return False
        if not os.path.lexists(deleted):  # another process has put it back
            return os.path.lexists(path)
        for attachment in beside:
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
    """Hold the write lock of a recording; raises UnwritableRecording without it, and for an OSError of the block."""
    name = name_of(path.name)
    locks = Locks(path.parent)
    with files.refusals_of(path), locks.writing(name) as is_held:
        if not is_held:
            raise UnwritableRecording(path, f"another process is writing it (it holds {locks.path_of(name)})")
        yield


def _copy(source: Path, target: Path, owner: str) -> None:
    """Have an attachment of `owner` at `target` too, a link as a link; raises OSError. A whole one there stays."""
    try:
        os.link(source, target, follow_symlinks=False)
    except (OSError, NotImplementedError) as error:
        is_there = isinstance(error, FileExistsError)
        if is_there and attachments.is_whole(target):
            return
        if (content := files.content_of(source)) is not None:
            files.replace(target, content, owner)
        elif not is_there:
            raise


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _text(time: datetime) -> str:
    return time.astimezone(timezone.utc).strftime(_TIME)
