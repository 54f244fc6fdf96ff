"""The directories that a command searches: the argument DIR, and what it stands for."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from ..config import DEFAULT_DIRECTORY, absolute
from ..errors import CorruptRecording
from ..recording.layout import RECORDING_ENDING, is_key_name, name_of
from ..storage.catalogue import Entry, entry_of, keyed_paths_in, paths_in
from ..storage.directories import directories_from
from ..storage.files import is_inside
from ..storage.walk import unhidden
from .configured import chosen_directory, root_of_beside
from .console import counted, remark, tracked

_Command = TypeVar("_Command", bound=Callable[..., object])

RECURSIVE = "Search all directories of recordings below DIR, without DIR also below the current directory."

takes_dir = click.option(
    "--dir", "directory", type=click.Path(path_type=Path), help="Search this directory, not the one that recorders use."
)


takes_dirs = click.option(
    "-d", "--dir", "dirs", metavar="DIR", multiple=True, type=click.Path(path_type=Path),
    help="Search DIR, not the directories that recorders use.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SearchedDirectories:
    """The directories that DIR stands for."""

    root: Path
    """DIR itself, or the directory that is configured; absolute."""
    searched: tuple[Path, ...]
    """The directories whose files are read, in order; all exist."""
    only: tuple[Path, ...] | None = None
    """The recordings that are meant; None for all."""

    def paths(self) -> Iterator[Path]:
        """Yield the recordings in their order."""
        return paths_in(self.searched) if self.only is None else iter(self.only)

    def count(self) -> int:
        """Return the number of recordings."""
        return sum(1 for _ in self.paths())

    def entries(self, activity: str = "Reading recordings") -> Iterator[Entry | CorruptRecording]:
        """Yield each recording, or the error that reading it gave; a terminal gets a progress bar."""
        for path in tracked(self.paths(), activity, self.count):
            try:
                yield entry_of(path)
            except CorruptRecording as error:
                yield error

    def readable_entries(self) -> Iterator[Entry]:
        """Yield each recording that can be read; name the others on stderr."""
        for entry in self.entries():
            if isinstance(entry, CorruptRecording):
                remark_unreadable(entry)
            else:
                yield entry


def shown(path: Path) -> str:
    """Return a path for people: relative to the working directory if it is below it."""
    # As texts: Path.relative_to takes a quarter of the time of `ls`.
    text, start = str(path), os.path.join(os.getcwd(), "")
    return "." if f"{text}{os.sep}" == start else text.removeprefix(start)


def remark_unreadable(error: CorruptRecording) -> None:
    """Print on stderr that a file was skipped, and why."""
    remark(f"skipped: {shown(error.path)} cannot be read ({error.reason})", "bold red")


def remark_refusal(path: Path, test_id: str | None, refusal: str) -> None:
    """Print on stderr that a recording was not changed, and why."""
    remark(f"stays as it is: {shown(path)} ({test_id}): {refusal}", "bold red")


def takes_directories(command: _Command) -> _Command:
    """Give a command the argument DIR and the option --recursive; its function takes `directories`."""

    def searched(context: click.Context, parameter: click.Parameter, value: Path | None) -> SearchedDirectories | None:
        if context.resilient_parsing:  # a shell asks for completions
            return None
        return searched_directories(value, is_recursive=bool(context.params.pop("recursive")))

    command = click.argument(
        "directories", metavar="[DIR]", required=False, type=click.Path(path_type=Path), callback=searched
    )(command)
    return click.option("-r", "--recursive", is_flag=True, is_eager=True, help=RECURSIVE)(command)


def searched_directories(directory: Path | None, *, is_recursive: bool = False) -> SearchedDirectories:
    """Return the directories that `inference_recording()` would read, and those below if `is_recursive`.

    Unless `directory` is given, those below the current directory are "below" too, and `recordings_beside_tests` adds
    those beside all tests. A directory without recordings of its own stands for those below it. Raises click.UsageError
    if it does not exist.
    """
    if directory is not None and "::" in str(directory) and not directory.exists():
        ls = shlex.join(["inference-recorder", "ls", str(directory)])
        raise click.UsageError(f"{directory} is not a directory; a test's recordings are listed by: {ls}")
    setting = chosen_directory(directory)
    root, tests = setting.value, None if directory else root_of_beside()
    beside = () if tests is None else tuple(directories_beside(tests))
    if is_recursive and directory is None:
        beside = (*beside, *directories_below(Path.cwd()))
    if not root.is_dir() and not beside:
        chosen_by = "" if directory else f" (chosen by {setting.source})"
        raise click.UsageError(
            f"the directory {root}{chosen_by} {why_no_directory(root)}; name the directory of your recordings"
        )
    own = tuple(dict.fromkeys((*(path for path in directories_from(root).read if path.is_dir()), *beside)))
    if is_recursive:
        return SearchedDirectories(root, tuple(dict.fromkeys((*own, *directories_below(root)))))
    if any(any(keyed_paths_in(path)) for path in own) or not (below := tuple(directories_below(root))):
        return SearchedDirectories(root, own)
    number = counted(len(below), "directory", "directories")
    remark(f"{root} has no recordings of its own; searching {number} below it")
    return SearchedDirectories(root, below)


def why_no_directory(path: Path) -> str:
    """Return the words that say why a path is not that of a directory."""
    return "is a file, not a directory" if path.exists() else "does not exist"


def directories_beside(path: Path) -> Iterator[Path]:
    """Yield the directories of recordings beside a test file, or beside all test files below a directory."""
    if os.path.isdir(path):  # unlike Path.is_dir, False also for an impossible name
        beside = [directory for directory, _, _ in unhidden(path) if directory.name == DEFAULT_DIRECTORY]
    else:
        beside = [path.parent / DEFAULT_DIRECTORY]
    for directory in beside:
        existing = filter(os.path.isdir, directories_from(absolute(directory)).read)
        yield from inside_root(SearchedDirectories(directory, tuple(existing)))


def inside_root(directories: SearchedDirectories) -> Iterator[Path]:
    """Yield the searched directories, except links that leave the root: recorders refuse those too."""
    for directory in directories.searched:
        if directory == directories.root or is_inside(directory, directories.root):
            yield directory


def directories_below(root: Path) -> Iterator[Path]:
    """Yield `root` and the directories below it that have recordings, except hidden ones such as .trash."""
    return (directory for directory, _, files in unhidden(root) if _are_recordings(files))


def _are_recordings(names: Iterable[str]) -> bool:
    return any(name.endswith(RECORDING_ENDING) and is_key_name(name_of(name)) for name in names)
