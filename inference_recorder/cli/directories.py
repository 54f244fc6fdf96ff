"""The folders that a command looks through: the argument DIR, and what it stands for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import CorruptRecording
from ..recording.layout import is_key_name
from ..storage.catalogue import Entry, entry_of, paths_in
from ..storage.directories import Directories
from ..storage.store import Store
from ..storage.walk import unhidden
from .configured import directory_for
from .console import counted, remark, tracked

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ChosenDirectories:
    """What DIR stands for."""

    chosen: Path
    """Absolute."""
    read: tuple[Path, ...]
    """The folders whose files are looked at, in order; all exist."""

    def paths(self) -> list[Path]:
        """Return all files that should be recordings, by folder and then by name."""
        return list(paths_in(self.read))

    def entries(self, what: str = "Reading recordings") -> Iterator[Entry | CorruptRecording]:
        """Yield each recording, or the error that reading it gave; at a terminal a bar shows how far that is."""
        for path in tracked(self.paths(), what):
            try:
                yield entry_of(path)
            except CorruptRecording as error:
                yield error

    def shown(self, path: Path) -> str:
        """Return a file's path as people read it: below the working directory where it is there."""
        return shown(path)


def shown(path: Path) -> str:
    """Return a file's path as people read it: below the working directory where it is there."""
    working_directory = Path.cwd()
    return str(path.relative_to(working_directory) if path.is_relative_to(working_directory) else path)


def takes_directories(command: _Command) -> _Command:
    """Give a command the argument DIR and the option --recursive; its function takes `folders: Folders`."""

    def chosen(context: click.Context, parameter: click.Parameter, value: Path | None) -> ChosenDirectories | None:
        if context.resilient_parsing:  # a shell asks for completions
            return None
        return directories_from(value, is_recursive=bool(context.params.pop("recursive")))

    command = click.argument(
        "directories", metavar="[DIR]", required=False, type=click.Path(path_type=Path), callback=chosen
    )(command)
    return click.option(
        "-r", "--recursive", is_flag=True, is_eager=True, help="Look through all folders of recordings below DIR."
    )(command)


def directories_from(directory: Path | None, *, is_recursive: bool = False) -> ChosenDirectories:
    """Return what DIR stands for: the folders that `inference_recording()` would read, and those below if asked.

    A folder without recordings of its own stands for those below it. Raises click.UsageError where there is no folder.
    """
    directories, source = directory_for(directory)
    root = directories.written
    if not root.is_dir():
        reason = "is a file, not a folder" if root.exists() else "does not exist"
        told = "" if directory else f" (chosen by {source})"
        raise click.UsageError(f"the folder {root}{told} {reason}; name the folder of recordings as DIR")
    own = tuple(position for position in directories.read if position.is_dir())
    if is_recursive:
        below = tuple(folders_below(root))
        return ChosenDirectories(root, tuple(dict.fromkeys((*own, *below))))
    if any(_holds_recordings(position) for position in own):
        return ChosenDirectories(root, own)
    below = tuple(folders_below(root))
    if not below:
        return ChosenDirectories(root, own)
    remark(f"{root} holds no recordings itself; looking through {counted(len(below), 'folder')} below it")
    return ChosenDirectories(root, below)


def short_name(entry: Entry) -> str:
    """Return a recording's name with 12 digits of its key, which tell it from others: "792f5c2603ba.2"."""
    name = entry.name.replace(entry.key, entry.key[:12], 1)
    return name.rpartition("-")[0] if name.startswith("models-") else name


def store_of(path: Path) -> Store:
    """Return the store that writes and removes where this file lies."""
    return Store(Directories(written=path.parent, read=(path.parent,)))


def folders_below(root: Path) -> Iterator[Path]:
    """Yield the folders of recordings at and below `root`; hidden ones, such as .trash, are skipped."""
    return (directory for directory, _, files in unhidden(root) if _are_recordings(files))


def _holds_recordings(directory: Path) -> bool:
    try:
        return _are_recordings(os.listdir(directory))
    except OSError:
        return False


def _are_recordings(names: Iterable[str]) -> bool:
    return any(name.endswith(".json") and is_key_name(name.removesuffix(".json")) for name in names)
