"""What a whole test run has been told about recording: on the command line and in its configuration files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Settings(NamedTuple):
    """What recorders go by that are not told otherwise. None, and "" for a source, stands for what was not said."""

    forced_mode: str | None = None
    """From the command line: goes before everything, an argument in code too."""
    mode: str | None = None
    """From a configuration file: goes after the environment."""
    mode_source: str = ""
    forced_directory: Path | None = None
    """From the command line: goes before all but a folder given in code."""
    directory: Path | None = None
    """From a configuration file, else the default: goes after the environment."""
    directory_source: str = ""
    is_beside_tests: bool = False
    """Whether each test file's recordings are written beside it."""
    record_errors: bool | None = None
    redact: tuple[re.Pattern[str], ...] = ()
    """What is a secret beside what the code says is one."""
    secret_env: tuple[str, ...] = ()
    """Environment variables whose values are secrets beside those named so; "!NAME" excludes one."""
    normalize: tuple[str | Mapping[str, str], ...] = ()
    """The normalizers of recorders that declare none: names, and path, pattern and placeholder."""
