"""What `check` finds in directories of recordings."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ..recording.layout import (
    ATTACHMENT_ENDING,
    attachment_parts,
    file_of,
    is_key_name,
    is_model_list_name,
    name_of,
    owner_of_temporary,
)
from ..request.keys import KEY_VERSIONS
from ..storage.catalogue import position_of, series_of
from ..storage.projects import Projects
from .configured import Secrets
from .directories import SearchedDirectories
from .examined_files import ExaminedFile, Finding, examined, finding
from .processes import mapped


@dataclass(slots=True)
class Examination:
    """Reads every file of some directories once and collects findings."""

    directories: SearchedDirectories
    rootdir: Path
    """To which test ids are relative, except in directories that another project has recorded."""
    findings: list[Finding] = field(default_factory=list)
    recordings: int = 0
    others: int = 0
    key_versions: dict[str, int] = field(default_factory=dict)
    """Key version -> how many names it gives, the newest first, then "none"."""
    _test_files: Counter[bool] = field(default_factory=Counter)
    """Whether the named file exists -> number of recordings."""
    _test_directories: set[Path] = field(default_factory=set)
    """Where the named files are, or were."""
    _series: defaultdict[tuple[Path, str], dict[int, Path]] = field(default_factory=lambda: defaultdict(dict))
    """(directory, key) -> position -> file, of series with more than a first answer."""
    _attachments: set[Path] = field(default_factory=set)
    _unreadable: set[Path] = field(default_factory=set)

    def run(self, secrets: Secrets) -> None:
        """Examine everything; raises nothing because of a file."""
        counts: Counter[str] = Counter()
        projects = Projects(self.rootdir)
        work = partial(examined, secrets, {each: projects.root_of(each) for each in self.directories.searched})
        for file in mapped(work, self.directories.paths(), "Checking recordings", self.directories.count):
            self._add(file)
            if file.is_sdk_call:
                counts[file.key_version] += 1
        names = (*(version.name for version in KEY_VERSIONS), "none")
        self.key_versions = {name: counts[name] for name in names if counts[name]}
        for series in self._series.values():
            self._examine_series(series)
        for directory in self.directories.searched:
            self._examine_leftovers(directory)

    @property
    def are_all_test_files_missing(self) -> bool:
        """Whether tests were named and there are none where they were, so that `rootdir` is probably not pytest's."""
        if not self._test_files[False] or self._test_files[True]:
            return False
        existing = filter(os.path.isdir, self._test_directories)  # False also for an impossible name
        return not any(any(directory.glob("*test*.py")) for directory in existing)

    def _add(self, file: ExaminedFile) -> None:
        self.findings += file.findings
        if file.is_unreadable:
            self._unreadable.add(file.path)
        if file.attachment is not None:
            self._attachments.add(file.attachment)
        if file.has_test_file is not None:
            self._test_files[file.has_test_file] += 1
        if file.test_directory is not None:
            self._test_directories.add(file.test_directory)
        if file.is_sdk_call is None:
            return
        self.recordings += file.is_sdk_call
        self.others += not file.is_sdk_call
        name, position = name_of(file.path.name), position_of(file.path)
        if file.is_sdk_call and is_key_name(name) and not is_model_list_name(name):
            series = series_of(file.path)
            # The later answers come first: "2.json" is sorted before "json".
            if position > 1 or series in self._series:
                self._series[series][position] = file.path

    def _examine_series(self, series: dict[int, Path]) -> None:
        last = max(series)
        missing = [position for position in range(1, last) if position not in series]
        if missing:
            effect = "a replay misses" if 1 in missing else "a replay repeats the one before"
            positions = ", ".join(map(str, missing[:5])) + (", …" if len(missing) > 5 else "")
            self.findings.append(finding("gap", series[last], f"its series has no answer {positions}: {effect}"))

    def _examine_leftovers(self, directory: Path) -> None:
        # Not with Path.glob, which holds an object for each file.
        with os.scandir(directory) as files:
            names = sorted(file.name for file in files if file.name.endswith((ATTACHMENT_ENDING, ".tmp")))
        for path in (directory / name for name in names):
            parts = attachment_parts(path.name)
            owner = None if parts is None else directory / file_of(parts[0])
            if owner is not None and path not in self._attachments and owner not in self._unreadable:
                self.findings.append(finding("attachment", path, f"{owner.name} does not exist, or does not name it"))
            elif owner_of_temporary(path.name) is not None:
                self.findings.append(finding("temporary", path, "half-written"))
