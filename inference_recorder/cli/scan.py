"""`inference-recorder scan`: secrets in existing recordings."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click

from ..recording.layout import LOCK_DIRECTORY
from ..redaction.leaks import Leak, leaks_in
from ..redaction.redactor import Redactor
from .configured import Secrets, chosen_directory, configured_secrets, root_of_beside
from .console import Column, counted, remark, show_json, show_table
from .directories import directories_beside
from .processes import mapped

_COLUMNS = (Column("file", gives_way=True), Column("line", is_number=True), Column("kind"), Column("secret"))
_LARGEST_BYTES = 64 * 1024 * 1024
_SKIPPED_DIRECTORIES = frozenset({".git", LOCK_DIRECTORY, "__pycache__", "node_modules"})


class _Scanned(NamedTuple):
    """What was found in one file."""

    path: str
    leaks: list[Leak]
    is_cut: bool = False
    failure: str | None = None
    """Why it cannot be read."""


@click.command()
@click.argument("paths", metavar="[DIR|FILE]...", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--ignore",
    "ignored",
    metavar="PATTERN",
    multiple=True,
    help="Ignore secrets that match this regular expression.",
)
@click.option("--json", "is_json", is_flag=True, help="Print a JSON array of {file, line, kind, secret}.")
def scan(paths: tuple[Path, ...], ignored: tuple[str, ...], is_json: bool) -> None:
    """Find secrets in recordings, attachments and cassettes.

    FILE is scanned, and all files in and below DIR; by default, the directory that recorders use. A secret is what a
    recorder would hide: a known shape of key, the value of an environment variable named *_KEY, *_TOKEN, *_SECRET or
    *_PASSWORD, or what is configured (redact and secret_env in [tool.inference_recorder] of the nearest
    pyproject.toml). Only its first characters are shown.

    As a pre-commit hook: id inference-recorder-scan.

    \b
    Exit codes:
      0  no secrets
      1  a secret was found
      2  a file cannot be read, or the options are wrong
    """
    try:
        patterns = [re.compile(pattern) for pattern in ignored]
    except re.error as error:
        raise click.UsageError(f"--ignore takes a regular expression: {error}") from None
    roots = paths or _default_directories()
    number = 0
    leaks: list[tuple[str, Leak]] = []
    work = partial(_scanned, configured_secrets(), patterns)
    for scanned in mapped(work, _files(roots), "Scanning", lambda: sum(1 for _ in _files(roots))):
        number += 1
        if scanned is None:
            continue
        if scanned.failure is not None:
            raise click.UsageError(f"{scanned.path} cannot be read: {scanned.failure}")
        if scanned.is_cut:
            remark(f"{scanned.path} is larger than 64 MB: only its start is scanned", "yellow")
        leaks += [(scanned.path, leak) for leak in scanned.leaks]
    if is_json:
        show_json([{"file": path, "line": leak.line, "kind": leak.kind, "secret": leak.shown} for path, leak in leaks])
    else:
        result = "no secrets"
        if leaks:
            show_table(_COLUMNS, [(path, leak.line, leak.kind, leak.shown) for path, leak in leaks])
            result = f"{counted(len(leaks), 'secret')} in {counted(len({path for path, _ in leaks}), 'file')}"
        remark(f"{result}; {counted(number, 'file')} scanned")
    sys.exit(1 if leaks else 0)


def _default_directories() -> list[Path]:
    """Return the directories that recorders use, except those that are in another one."""
    common, tests = chosen_directory(None).value, root_of_beside()
    directories = [path for path in (common, *(() if tests is None else directories_beside(tests))) if path.is_dir()]
    if not directories:
        raise click.UsageError(f"the directory {common} does not exist; name files or directories to scan")
    return [path for path in dict.fromkeys(directories) if not any(parent in directories for parent in path.parents)]


def _files(paths: Sequence[Path]) -> Iterator[str]:
    # As texts: to make and to send a path of each takes longer than to scan a small file.
    for path in paths:
        if not path.is_dir():
            yield str(path)
            continue
        for directory, names, files in os.walk(path):
            names[:] = sorted(set(names) - _SKIPPED_DIRECTORIES)
            start = str(Path(directory, "_"))[:-1]
            yield from (start + name for name in sorted(files))


def _scanned(secrets: Secrets, ignored: Sequence[re.Pattern[str]], paths: Sequence[str]) -> Iterator[_Scanned | None]:
    """Yield what there is to say about each file, None for nothing."""
    redactor = Redactor(*secrets)
    for path in paths:
        try:
            with open(path, "rb") as file:
                is_cut = os.fstat(file.fileno()).st_size > _LARGEST_BYTES
                # Without need, a buffer of 64 MB would take longer than the scan.
                content = file.read(_LARGEST_BYTES if is_cut else -1)
        except OSError as error:
            yield _Scanned(path, [], failure=error.strerror)
        else:
            leaks = leaks_in(content, redactor, ignored)
            yield _Scanned(path, leaks, is_cut) if leaks or is_cut else None
