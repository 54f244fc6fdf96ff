"""A trial: one tool, one row of the table, one server and one directory. Runs calls in processes of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..support.openai_server import OpenAIServer
from .tools import CHECKOUT, TOOLS, Tool

KEY, DUMMY_KEY = "sk-live0123456789abcdefghijklmnopqrstuvwxyzABCD", "sk-dummy0123456789abcdefghijklmnopqrstuvwxyzABC"
TEST = """\
import json, os, pathlib, pytest
from tests.comparison.child import perform, settings_of

SPECIFICATION = json.loads(pathlib.Path(os.environ["COMPARISON"]).read_text())

@pytest.fixture(scope="module")
def vcr_config():
    return {name: value for name, value in settings_of(SPECIFICATION).items() if name != "all_played"}

@pytest.fixture(scope="module")
def vcr_cassette_dir():
    return SPECIFICATION["directory"]

@pytest.mark.MARK
def test_calls(FIXTURES):
    perform(SPECIFICATION)
    if "all_played" in settings_of(SPECIFICATION):
        assert vcr.all_played, "unused"
"""
_INHERITED = ("PATH", "HOME", "LANG", "SYSTEMROOT", "TMPDIR", "VIRTUAL_ENV")
_TIMEOUT_SECONDS = 120


class CannotTell(Exception):
    """The trial itself broke, so it says nothing about the tool."""


@dataclass
class Trial:
    """Where a row is tried."""

    name: str
    command: list[str]
    """The Python of the tool's environment, or the command of its server."""
    server: OpenAIServer
    work: Path
    bytecode: Path
    """Where compiled modules are kept from run to run, outside of the checkout."""
    option: str = ""
    """The row whose option is used; none otherwise."""
    sent: int = 0
    """How many requests reached the server in the last run."""
    output: str = field(default="", repr=False)
    """What pytest printed in the last run."""

    @property
    def tool(self) -> Tool:
        return TOOLS[self.name]

    @property
    def directory(self) -> Path:
        return self.work / "recordings"

    def files(self) -> dict[str, bytes]:
        """Return what is stored, by path."""
        found = (path for path in sorted(self.directory.rglob("*")) if path.is_file())
        return {str(path.relative_to(self.directory)): path.read_bytes() for path in found}

    def run(self, mode: str, *calls: dict[str, Any], key: str | None = None, **how: Any) -> list[Any]:
        """Make calls in one process in this mode, with a dummy key in replay; returns what came of each.

        Raises CannotTell if they could not be made.
        """
        return self.run_at_once(1, mode, *calls, key=key, **how)[0]

    def run_at_once(
        self,
        count: int,
        mode: str,
        *calls: dict[str, Any],
        key: str | None = None,
        is_async: bool | None = None,
        limit_bytes: int = 0,
        in_pytest: bool = False,
    ) -> list[list[Any]]:
        """Make the calls in as many processes at the same time."""
        before = self.server.count
        self.directory.mkdir(parents=True, exist_ok=True)
        specification = {
            "tool": self.name,
            "mode": mode,
            "directory": str(self.directory),
            "option": self.option,
            "calls": calls,
            "is_async": self.tool.is_async if is_async is None else is_async,
            "barrier": str(self.work) if count > 1 else "",
            "limit_bytes": limit_bytes,
            "pytest": in_pytest or (self.tool.block is None and bool(self.tool.mark)),
        }
        key = (DUMMY_KEY if mode == "replay" else KEY) if key is None else key
        with self._base_url(mode, limit_bytes) as base_url:
            processes = [self._started(specification, number, base_url, key) for number in range(count)]
            self._release_together(processes)
            printed = [process.communicate(timeout=_TIMEOUT_SECONDS)[0] for process in processes]
        self.sent, self.output = self.server.count - before, "".join(printed)
        return [[]] if limit_bytes else [self._results(number) for number in range(count)]

    def _release_together(self, processes: list[subprocess.Popen[str]]) -> None:
        while len(list(self.work.glob("ready-*"))) < len(processes) > 1:
            if any(process.poll() is not None for process in processes):
                break
            time.sleep(0.01)
        (self.work / "go").touch()

    def _started(self, specification: dict[str, Any], number: int, base_url: str, key: str) -> subprocess.Popen[str]:
        path = self.work / f"specification-{number}.json"
        path.write_text(json.dumps(specification | {"output": str(self.work / f"output-{number}.json")}))
        (self.work / f"output-{number}.json").unlink(missing_ok=True)
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment |= {"OPENAI_BASE_URL": base_url, "COMPARISON": str(path), "PYTHONPATH": str(CHECKOUT)}
        environment |= {"OPENAI_API_KEY": key} if key else {}
        environment["PYTHONPYCACHEPREFIX"] = str(self.bytecode)
        environment |= {"PYTHONDONTWRITEBYTECODE": "1"} if specification["limit_bytes"] else {}
        python = [self.command[0] if self.tool.block or self.tool.mark else self.command[-1]]
        command = [*python, "-m", "tests.comparison.child", str(path)]
        if specification["pytest"]:
            test = TEST.replace("MARK", self.tool.mark).replace("FIXTURES", self.tool.fixture)
            (self.work / "test_calls.py").write_text(test)
            mode = self.tool.pytest_options[specification["mode"]]
            command = [*python, "-m", "pytest", "-p", "no:cacheprovider", mode, "test_calls.py"]
            if self.name == "ours":
                command.append(f"--inference-recordings={self.directory}")
        return subprocess.Popen(
            command, cwd=self.work, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def _results(self, number: int) -> list[Any]:
        try:
            written = json.loads((self.work / f"output-{number}.json").read_text())
        except FileNotFoundError as error:
            raise CannotTell(self.output) from error
        if written["error"]:
            self.output += written["error"]
            if not written["results"]:
                raise CannotTell(written["error"])
        return list(written["results"])

    @contextmanager
    def _base_url(self, mode: str, limit_bytes: int, *options: str) -> Iterator[str]:
        """Yield where the calls go: to the server, or to the tool's own server while it runs."""
        if self.tool.block or self.tool.mark:
            yield self.server.base_url
            return
        upstream = self.server.base_url.removesuffix("/v1")
        if mode == "again":
            shutil.rmtree(self.directory)  # a recorded request is never sent again
            self.directory.mkdir()
        recording = ["--record", "--provider-openai", upstream]
        strict = ["--strict"] if self.files() else []  # it does not start with nothing to answer from
        how = strict if mode == "replay" else recording
        command = [*self.command[:-1], "-p", "0", "-f", str(self.directory), *how, *options]

        def limit() -> None:
            if limit_bytes:
                import resource  # Windows has none

                resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes,) * 2)

        with subprocess.Popen(
            command, cwd=self.work, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=limit
        ) as process:
            try:
                yield f"{_url_printed_by(process)}/v1"
            finally:
                process.terminate()

    @contextmanager
    def served(self, mode: str, *options: str) -> Iterator[str]:
        """Run the tool's own server; yields its base URL."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._base_url(mode, 0, *options) as base_url:
            yield base_url


def _url_printed_by(process: subprocess.Popen[str]) -> str:
    printed = ""
    for line in process.stdout or ():
        printed += line
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found[0]
    raise CannotTell(printed)
