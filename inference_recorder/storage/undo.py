"""Deletions that are undone: what is in the trash comes back, and what was accepted in its place is set aside again."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ..recording.layout import ATTACHMENT_ENDING, file_of, name_of
from . import attachments, files
from .catalogue import paths_in, position_of, series_of
from .directories import Directories
from .rollback import FAILED_DIRECTORY, files_at
from .store import Store
from .trash import ACCEPTED_DIRECTORY, UNDONE, copy, locked


class Undone(NamedTuple):
    """The result of an undo."""

    restored: list[Path]
    """In their places, and in `.failed` what was accepted from there."""
    conflict: dict[Path, Path]
    """{where a recording was: where it stays in the trash}, because another recording has its name or series."""


def undo(entries: Iterable[Path]) -> Undone:
    """Restore the recordings of a deletion, given by its directories; replaces no recording.

    Either all answers of a series are restored or none. What cannot be restored stays in the trash, where
    `last_deletion` ignores it. Raises UnwritableRecording; after that, the same deletion can be undone again.
    """
    undone = Undone([], {})
    for entry in entries:
        directory = entry.parent.parent
        accepted_back, conflict = _set_aside_again(entry)
        undone.restored.extend(accepted_back)
        series: defaultdict[tuple[Path, str], list[Path]] = defaultdict(list)
        for deleted in sorted(paths_in([entry]), key=position_of):
            series[series_of(deleted)].append(deleted)
        attachment_paths = _attachments_in(entry)
        restored: list[Path] = []
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
            with locked(directory / deleted.name):
                for path in (deleted, *attachment_paths[deleted.name]):
                    files.remove(path)
            undone.restored.append(directory / deleted.name)
        if not conflict:
            with suppress(OSError):  # another process is still moving recordings to it, for the next undo
                entry.rmdir()
            continue
        remainder = entry.with_name(entry.name + UNDONE)
        with files.refusals_of(remainder), suppress(FileNotFoundError):  # another process has renamed it
            entry.rename(remainder)
        undone.conflict.update({directory / path.name: remainder / path.relative_to(entry) for path in conflict})
    return undone


def places_of(entries: Iterable[Path]) -> dict[Path, Path]:
    """Return {where an undo puts a recording: where it is in the trash}, for all recordings of a deletion."""
    places: dict[Path, Path] = {}
    for entry in entries:
        directory, accepted = entry.parent.parent, paths_in([entry / ACCEPTED_DIRECTORY])
        places |= {directory / FAILED_DIRECTORY / path.name: path for path in accepted}
        places |= {directory / path.name: path for path in paths_in([entry])}
    return places


def _set_aside_again(entry: Path) -> tuple[list[Path], list[Path]]:
    """Move what a deletion's recordings were replaced by back to `.failed`.

    Returns the paths there, and the copies in the trash of those that stay in place since their series has changed.
    """
    directory, accepted = entry.parent.parent, entry / ACCEPTED_DIRECTORY
    store, failed = (Store(Directories(path, ())) for path in (directory, directory / FAILED_DIRECTORY))
    back: list[Path] = []
    kept: list[Path] = []
    paths = sorted(paths_in([accepted]), key=position_of, reverse=True)
    changed = {series_of(path) for path in paths if _is_conflict(directory / path.name, path)}
    for path in paths:
        name, new = name_of(path.name), files_at(path)
        if series_of(path) in changed or new is None:
            kept.append(path)
            continue
        with files.refusals_of(failed.path_of(name)):
            files.make_ignored(directory / FAILED_DIRECTORY)
        failed.write(name, new.content, attachment=new.attachment)
        failed.sync()
        store.remove(name)
        back.append(failed.path_of(name))
        for done in (path, *_attachments_in(accepted)[path.name]):
            files.remove(done)
    with suppress(OSError):  # there is none, or something stays in it
        accepted.rmdir()
    return back, kept


def _attachments_in(entry: Path) -> defaultdict[str, list[Path]]:
    """Return {file name of a deleted recording: its attachments}."""
    paths: defaultdict[str, list[Path]] = defaultdict(list)
    for path in entry.glob(f"*{ATTACHMENT_ENDING}"):
        paths[file_of(attachments.owner_of(path))].append(path)
    return paths


def _is_conflict(path: Path, deleted: Path) -> bool:
    """Whether another recording has the deleted one's name. A killed undo may leave the same one in both places."""
    deleted_content = files.content_of(deleted)
    if not os.path.lexists(path) or not os.path.lexists(deleted):  # or another process has restored it
        return False
    content = files.content_of(path)
    return content is None or content != deleted_content


def _restore(deleted: Path, path: Path, attachment_paths: Iterable[Path]) -> bool:
    """Copy a deleted recording back, unless another one has its name by now; returns whether it is restored."""
    with locked(path):
        if _is_conflict(path, deleted):
            return False
        if not os.path.lexists(deleted):  # another process has restored it
            return os.path.lexists(path)
        for attachment in attachment_paths:
            copy(attachment, path.parent / attachment.name, path.stem)
        if not os.path.lexists(path):
            try:
                os.link(deleted, path, follow_symlinks=False)
            except FileExistsError:  # recorded meanwhile, without the lock
                return False
            except (OSError, NotImplementedError):  # a file system without links
                files.despite_others(lambda: os.rename(deleted, path))
    return True
