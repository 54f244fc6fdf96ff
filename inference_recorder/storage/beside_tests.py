"""Where llama-stack's recorder keeps the recordings of each test: beside its file, or in a common directory.

Source of the rule: `ResponseStorage._get_test_dir` and `find_recording` in llama_stack/testing/api_recorder.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from pathlib import Path

from ..config import DEFAULT_DIRECTORY
from ..errors import UnusableDirectory
from ..fixture_ids import parsed_fixture_id
from ..modes import InferenceMode
from .directories import LLAMA_STACK_DIRECTORIES, Directories, check_usable, roots_from
from .files import is_inside
from .projects import repository_root

_MOST_TEST_IDS = 1024
_NOT_IN_PATHS = frozenset("\\:\0")
_REPAIR = "repair it: recordings of the tests beside it belong there, whatever storage_dir is"


class DirectoriesOfTests:
    """The directories of each test in a session that was given a base directory.

    Recordings are written to `<root>/<directory of the test's file>/recordings`, and to the common directory if no test
    runs, a wider fixture runs, or there is no such root. They are read from both, then from the base directory.

    llama-stack's recorder takes `<base>/../../..` for the root, or the working directory if the base is relative. Here
    it is pytest's rootdir, the working directory, the base or the nearest directory above it: the first that has the
    test's file, otherwise the first that has its recordings. The result is always inside the project.
    """

    def __init__(
        self,
        base: Directories,
        rootdir: Path | None,
        root_of: Callable[[Path], Path],
        common: Path | None = None,
    ) -> None:
        """`rootdir` is pytest's; `root_of` returns what the test ids in a directory of recordings are relative to.

        The common directory is `<base>/recordings` by default, or the base itself if that is its name.
        """
        is_common = base.written.name in LLAMA_STACK_DIRECTORIES
        self._common = common or (base.written if is_common else base.written / DEFAULT_DIRECTORY)
        self._base, self._rootdir, self._root_of = base, rootdir, root_of
        known = [] if rootdir is None else [rootdir]
        with suppress(OSError):  # the working directory may have been removed
            known.append(Path.cwd())
        self._starts = (*known, base.written, *base.written.parents)
        self._project = _project_of(base.written, known)
        self.of = lru_cache(maxsize=_MOST_TEST_IDS)(self._directories_of)
        """Returns the directories of a test id."""

    def _directories_of(self, test_id: str | None) -> Directories:
        written = self._beside(test_id) or self._common
        read = tuple(dict.fromkeys((written, self._common, *self._base.read)))
        roots = None if self._rootdir is None else roots_from(self._rootdir, map(self._root_of, read))
        return Directories(written, read, roots)

    def _beside(self, test_id: str | None) -> Path | None:
        """Return the directory beside a test's file, None if it has none. The id may come from a stranger."""
        if test_id is None or parsed_fixture_id(test_id) is not None:
            return None
        file = test_id.partition("::")[0]
        *parents, name = file.split("/")
        if any(not part or part.startswith(".") for part in (*parents, name)) or _NOT_IN_PATHS & set(file):
            return None
        beside = ((start / file, start.joinpath(*parents, DEFAULT_DIRECTORY)) for start in self._starts)
        inside = [each for each in beside if each[1].is_relative_to(self._project)]
        by_file = (directory for path, directory in inside if os.path.isfile(path))
        by_directory = (directory for _, directory in inside if os.path.isdir(directory))
        return next(chain(by_file, by_directory), None)

    def check(self, directories: Directories, mode: InferenceMode) -> None:
        """Raise UnusableDirectory if `mode` cannot work in the directory of a test, or a link there leaves the project.

        The session has checked the others.
        """
        written = directories.written
        try:
            check_usable(replace(directories, read=(written,)), mode)
            if written != self._common and not is_inside(written, self._project):
                raise UnusableDirectory(written, f"a link leads from there out of the project in {self._project}")
        except UnusableDirectory as error:
            if written == self._common:
                raise
            raise UnusableDirectory(error.directory, error.reason, _REPAIR) from error.__cause__


def _project_of(base: Path, known: Iterable[Path]) -> Path:
    """Return the directory that no recording of a test may leave: a repository or a known directory with `base` in it.

    The parent of `base` if there is none. The root of the file system is not a project.
    """
    roots = (*map(repository_root, known), *(path for path in base.parents if os.path.exists(path / ".git")), *known)
    around = (root for root in roots if base.is_relative_to(root) and root != root.parent)
    return next(around, base.parent)
