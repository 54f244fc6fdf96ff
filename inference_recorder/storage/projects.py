"""Which directory of recordings a test uses, and what the ids in it are relative to, in a repository of many projects.

pytest's rootdir depends on where it is started, and so do the ids of tests and the default directory. What was recorded
from one directory is to be found from the other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from ..config import DEFAULT_DIRECTORY
from ..errors import CorruptRecording, RecorderError
from ..fixture_ids import SESSION, parsed_fixture_id
from ..pyproject import table_of
from .catalogue import entry_without_answer, keyed_paths_in
from .directories import directories_from

_MOST_READ = 2000


class Projects:
    """Finds what other runs, with another rootdir, have recorded for the tests of this run.

    It looks at each directory only once.
    """

    def __init__(self, rootdir: Path) -> None:
        self._rootdir = rootdir
        self._top = repository_root(rootdir)
        """Where the search ends."""
        self._roots: dict[Path, Path | None] = {}
        self._nearest: dict[tuple[Path, bool], Path | None] = {}
        """(where the search began, whether for what tests share) -> the directory found."""

    def holds(self, directory: Path) -> bool:
        """Whether this directory was found for a test."""
        return directory in self._nearest.values()

    def nearest(self, start: Path, *, is_shared: bool) -> Path | None:
        """Return the nearest directory of recordings, at `start` or above, that has recordings of another rootdir.

        None if the default directory is nearer, or if there is none. Directories beside tests are not for what tests
        share. Above rootdir, the recordings must be of tests below rootdir.
        """
        if (start, is_shared) not in self._nearest:
            self._nearest[start, is_shared] = self._found_nearest(start, is_shared)
        return self._nearest[start, is_shared]

    def _found_nearest(self, start: Path, is_shared: bool) -> Path | None:
        if not start.is_relative_to(self._rootdir):
            return None
        for parent in self._from(start):
            if parent == self._rootdir:
                if any(next(keyed_paths_in(path), None) for path in directories_from(parent / DEFAULT_DIRECTORY).read):
                    return None
                continue
            for directory in _directories_of(parent):
                if (root := self.root_of(directory)) != self._rootdir and (root == parent or not is_shared):
                    return directory
        return None

    def elsewhere(self, start: Path, directories: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
        """Yield directories of recordings of another rootdir, at `start` or above, and that rootdir.

        None of them is one of `directories`; they are where those would be if pytest were started there.
        """
        names = [os.path.relpath(each, self._rootdir) for each in directories if each.is_relative_to(self._rootdir)]
        for parent in self._from(start):
            for directory in (*_directories_of(parent), *(parent / name for name in names)):
                if directory not in directories and (root := self.root_of(directory)) != self._rootdir:
                    yield directory, root

    def _from(self, start: Path) -> Iterator[Path]:
        """Yield a directory and those above it, to the root of the repository."""
        for parent in (start, *start.parents):
            yield parent
            if parent == self._top:
                return

    def root_of(self, directory: Path) -> Path:
        """Return what the test ids in a directory of recordings are relative to: rootdir, unless they show otherwise.

        It is the nearest directory above that has the file of a recorded test, if that is a test below rootdir.
        """
        if directory not in self._roots:
            is_searched = directory.is_relative_to(self._top) and directory != self._rootdir / DEFAULT_DIRECTORY
            self._roots[directory] = next(self._found_roots(directory), None) if is_searched else None
        return self._roots[directory] or self._rootdir

    def _found_roots(self, directory: Path) -> Iterator[Path]:
        for path in islice(keyed_paths_in(directory), _MOST_READ):
            file = _test_file(path)
            for root in self._from(directory.parent) if file else ():
                test = root / file
                if test.is_relative_to(self._rootdir) and os.path.exists(test):
                    yield root


def repository_root(directory: Path) -> Path:
    """Return the root of the git repository that a directory is in; outside of one, the directory."""
    parents = (directory, *directory.parents)
    return next((parent for parent in parents if os.path.exists(parent / ".git")), directory)


def _directories_of(project: Path) -> Iterator[Path]:
    """Yield the directory that the configuration of a project names, and the default one."""
    try:
        pyproject = project / "pyproject.toml"
        configured = table_of(pyproject if os.path.isfile(pyproject) else None).recordings
    except RecorderError:  # an error of another configuration than this run's
        configured = None
    yield from () if configured is None else (configured,)
    yield project / DEFAULT_DIRECTORY


def _test_file(path: Path) -> str:
    """Return the file, relative to some root, of the test that a recording is of; "" if it names none."""
    try:
        node_id = entry_without_answer(path).test_id or ""
    except CorruptRecording:
        return ""
    if (fixture := parsed_fixture_id(node_id)) is not None:
        node_id = fixture.definer.rstrip("/:") if fixture.scope == SESSION else fixture.node_id
    file = node_id.partition("::")[0]
    parts = Path(file)
    return "" if parts.anchor or ".." in parts.parts else file  # a stranger's recording names no other file
