"""Which classes, files and directories this run runs whole: only then is what their tests share recorded again."""

from __future__ import annotations

import os
from collections.abc import Generator
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pytest

from ..fixture_ids import moved_id
from ..test_files import file_of_test, is_in_its_file
from .marker import arguments_of
from .scopes import ITEM_ID, id_of


class _Named(NamedTuple):
    """An argument of the command line."""

    path: Path
    names: tuple[str, ...]
    """The class and function, for what was named with "::"."""


class Selection:
    """The hooks of collection, which note what is left out. When in doubt, a scope does not run whole."""

    def __init__(self, config: pytest.Config) -> None:
        self.collected_ids: list[str] = []
        """The tests that exist, deselected or not."""
        self._config = config
        self._collected: list[pytest.Item] = []
        """The tests before -k, -m, --deselect or a plugin leaves some out; [] once that is done."""
        self._in_part: set[str] = set()
        """The node ids of what holds a test that was left out, or could not be collected."""
        self._whole: dict[str, bool] = {}
        """Node id -> whether all its tests run, as far as it was asked for."""

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Make a wrong marker an error of its file, and note what could not be collected."""
        report = yield
        if report.passed:
            try:
                for node in report.result:
                    if isinstance(node, pytest.Item):
                        arguments_of(node)
            except pytest.UsageError as error:
                report.outcome, report.longrepr, report.result = "failed", str(error), []
        if report.failed:
            self._in_part |= {node.nodeid for node in collector.listchain()}
        return report

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        self._collected.append(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            item.stash[ITEM_ID] = item.nodeid
        self.collected_ids = [id_of(item) for item in items]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        selected = set(map(id, session.items))
        for item in self._collected:
            if id(item) not in selected:
                self._in_part |= {node.nodeid for node in item.listchain()}
        self._collected = []

    def has_test(self, test_id: str, root: Path) -> bool:
        """Return whether a test exists: it was collected, or its file was not collected whole and names it.

        The id is relative to `root`.
        """
        id_in_run = moved_id(test_id, root, self._config.rootpath) or test_id
        if id_in_run in self.collected_ids:
            return True
        file = file_of_test(id_in_run) or ""
        is_collected = any(each.startswith(f"{file}::") for each in self.collected_ids)
        is_part = self._config.getoption("lf", False)
        is_whole = is_collected and not is_part and self._names(self._config.rootpath / file)
        return not is_whole and is_in_its_file(test_id, root)

    def holds_all_of(self, node: pytest.Item | pytest.Collector) -> bool:
        """Whether all tests of a class, a file, a directory or the session run."""
        if node.nodeid not in self._whole:
            self._whole[node.nodeid] = self._holds_all_of(node)
        return self._whole[node.nodeid]

    def _holds_all_of(self, node: pytest.Item | pytest.Collector) -> bool:
        option = self._config.getoption
        if node.nodeid in self._in_part or option("lf", False):  # --lf leaves tests out while it collects
            return False
        if not node.nodeid or node.path.is_dir():
            if option("ignore", None) or option("ignore_glob", None):
                return False
            return self._names_all_below(self._config.rootpath if not node.nodeid else node.path)
        return self._names(node.path, tuple(node.nodeid.split("::")[1:]))

    @cached_property
    def _named(self) -> list[_Named]:
        named = []
        for argument in self._config.args:
            path, *names = str(argument).split("::")
            named.append(_Named(Path(os.path.abspath(self._config.invocation_params.dir / path)), tuple(names)))
        return named

    def _names(self, path: Path, names: tuple[str, ...] = ()) -> bool:
        """Whether an argument names this file or directory, a class of it, or what it is in."""
        return any(
            path == named.path and named.names == names[: len(named.names)]
            if named.names
            else path.is_relative_to(named.path)
            for named in self._named
        )

    def _names_all_below(self, directory: Path) -> bool:
        """Whether the arguments name a directory or all there is to run in it."""
        if self._names(directory):
            return True
        test_paths = self._config.getini("testpaths") if directory == self._config.rootpath else []
        if test_paths and all(self._names(directory / path) for path in test_paths):
            return True
        return all(self._names(path) for path in self._test_files_below(directory))

    def _test_files_below(self, directory: Path) -> list[Path]:
        patterns, passed_over = self._config.getini("python_files"), self._config.getini("norecursedirs")
        found = []
        for parent, directories, files in os.walk(directory):
            directories[:] = [
                name
                for name in directories
                if not any(fnmatch(name, pattern) for pattern in passed_over)
                and not os.path.exists(os.path.join(parent, name, "pyvenv.cfg"))
            ]
            paths = [Path(parent, name) for name in files if name.endswith(".py")]
            found += [path for path in paths if any(path.match(pattern) for pattern in patterns)]
        return found
