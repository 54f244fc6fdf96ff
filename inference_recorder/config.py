"""What a recorder's settings are and where each came from: command line, argument, environment, configuration.

The plugin's command line and the table are given as values; of the rest of the world only the environment is read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from .errors import RecorderError
from .modes import InferenceMode, parsed_mode
from .network import NetworkRules, ascii_host

IGNORE = "ignore"
LAST = "last"
REPEATS = (LAST, "error")
MODE_OPTION = "--inference-mode"
MODE_VARIABLES = ("LLAMA_STACK_TEST_INFERENCE_MODE", "OGX_TEST_INFERENCE_MODE")
DIRECTORY_OPTION = "--inference-recordings"
DIRECTORY_VARIABLES = ("LLAMA_STACK_TEST_RECORDING_DIR", "OGX_TEST_RECORDING_DIR")
DEFAULT_DIRECTORY = "recordings"
LLAMA_STACK_COMMON = "tests/integration/common"
"""`DEFAULT_STORAGE_DIR` in llama_stack/testing/api_recorder.py, below the root."""
TABLE = "[tool.inference_recorder]"
DEFAULT = "default"
UNMARKED = ("allow", "warn", "error")

_T = TypeVar("_T")


@dataclass(frozen=True)
class Setting(Generic[_T]):
    """A value and its source: an option, "mode", "storage_dir", the name of a variable, TABLE or DEFAULT."""

    value: _T
    source: str

    @property
    def is_explicit(self) -> bool:
        """Whether an argument or an option named this directory: then no other one is looked in."""
        return self.source in ("storage_dir", DIRECTORY_OPTION)


@dataclass(frozen=True, slots=True)
class Table:
    """`[tool.inference_recorder]` of a pyproject.toml. None stands for a key that is not there."""

    mode: InferenceMode | None = None
    recordings: Path | None = None
    """Absolute."""
    recordings_beside_tests: bool = False
    """Whether each test file's recordings are written beside it."""
    auto: bool = False
    """Whether every test gets a session."""
    record_errors: bool | None = None
    unused: str = "warn"
    """What the recordings are that tests no longer request: "ignore", "warn" or "error"."""
    repeats: str = LAST
    """What answers a request that is made more often than it was recorded: one of REPEATS."""
    redact: tuple[re.Pattern[str], ...] = ()
    """Secrets, in addition to those named in code."""
    secret_env: tuple[str, ...] = ()
    """Environment variables whose values are secrets, in addition to those named in code; "!NAME" excludes one."""
    children: bool = True
    """Whether Python processes that are started in a session join it."""
    normalize: tuple[str | Mapping[str, str], ...] | None = None
    """Normalizers of recorders that declare none: names, and mappings of path, pattern and placeholder."""
    block_network: bool = False
    """Whether connections to other machines are refused, beside the calls that are recorded."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts that are never refused, in addition to those named in code."""
    unmarked: str | None = None
    """What happens to calls of the SDK outside every session: one of UNMARKED."""


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration of a test run, or of a command.

    Precedence: command line, argument (of the marker or in code), environment, table, default. A `storage_dir` given in
    code is the exception: it precedes the command line.
    """

    command_line_mode: InferenceMode | None = None
    command_line_directory: Path | None = None
    table: Table = field(default_factory=Table)
    command_line_block_network: bool = False
    command_line_unmarked: str | None = None
    root: Path | None = None
    """Where the default directory is; None for the current directory."""

    def mode(self, argument: str | InferenceMode | None = None) -> Setting[InferenceMode]:
        """Return the mode of a recorder that was given `argument`. Raises UnknownMode, which names the source."""
        if self.command_line_mode is not None:
            return Setting(self.command_line_mode, MODE_OPTION)
        if argument is not None:
            return Setting(parsed_mode(argument, "mode"), "mode")
        for variable in MODE_VARIABLES:
            if name := os.environ.get(variable):
                return Setting(parsed_mode(name, variable), variable)
        if self.table.mode is not None:
            return Setting(self.table.mode, TABLE)
        return Setting(InferenceMode.REPLAY, DEFAULT)

    def directory(self, argument: str | os.PathLike[str] | None = None) -> Setting[Path]:
        """Return the directory of a recorder that was given `argument`, made absolute.

        It is made absolute at once, so that a test that changes the working directory keeps its recordings.
        """
        if argument:
            return Setting(absolute(argument), "storage_dir")
        if self.command_line_directory is not None:
            return Setting(self.command_line_directory, DIRECTORY_OPTION)
        for variable in DIRECTORY_VARIABLES:
            if name := os.environ.get(variable):
                return Setting(absolute(name), variable)
        if self.table.recordings is not None:
            return Setting(self.table.recordings, TABLE)
        return Setting(absolute(DEFAULT_DIRECTORY, self.root), DEFAULT)

    def network(self, blocks_all: bool | None = None, allow_hosts: tuple[str, ...] = ()) -> NetworkRules:
        """Return the rules for connections of a recorder that was given these arguments."""
        table_or_argument = self.table.block_network if blocks_all is None else blocks_all
        allowed = (*self.table.allow_hosts, *allow_hosts)
        return NetworkRules(self.command_line_block_network or table_or_argument, allowed)

    def children(self, argument: bool | None) -> bool:
        """Return whether child processes join the session of a recorder that was given `argument`."""
        return self.table.children if argument is None else argument

    def unmarked(self) -> str:
        """Return what happens to calls of the SDK outside every session."""
        return self.command_line_unmarked or self.table.unmarked or "warn"

    def record_errors(self, argument: bool | None, default: bool | None) -> bool | None:
        """Return whether a recorder that was given `argument` records failures; None for the rule of each failure."""
        settings = (argument, self.table.record_errors, default)
        return next((setting for setting in settings if setting is not None), None)


def check_type(name: str, value: object, *kinds: type, wanted: str = "") -> None:
    """Raise TypeError, which names the argument, for a value that is of none of these types."""
    if not isinstance(value, kinds):
        shown = repr(value) if bool in kinds else f"of type {type(value).__name__}"  # others may hold a secret
        raise TypeError(f"{name} is {shown}; it must be {wanted or 'True or False'}")


def checked_hosts(hosts: object, where: str) -> tuple[str, ...]:
    """Return host patterns in lower case. Raises RecorderError, which names `where`, for an invalid one."""
    if not isinstance(hosts, (list, tuple)):
        raise RecorderError(f'{where} is {hosts!r}; it must be a list of hosts, such as ["*.example.org"]')
    for host in hosts:
        if not isinstance(host, str) or not host or "/" in host:
            raise RecorderError(f'{where} holds {host!r}; it takes hosts, such as "api.example.org" or "*.example.org"')
    return tuple(ascii_host(host).lower() for host in hosts)


def absolute(path: str | os.PathLike[str], base: Path | None = None) -> Path:
    """Return a path below `base`, or below the current directory, with "~" expanded and without resolving links."""
    return Path(os.path.abspath(os.path.join(base or "", os.path.expanduser(path))))
