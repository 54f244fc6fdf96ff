"""The command `scan`: secrets in recordings that are there already."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from ..redaction.leaks import leaks_in
from .configured import configured_redactor, directory_for
from .console import Column, counted, remark, show_json, show_table, tracked

_COLUMNS = (Column("file", gives_way=True), Column("line", is_number=True), Column("kind"), Column("secret"))
_LARGEST_BYTES = 64 * 1024 * 1024


@click.command()
@click.argument("paths", metavar="[DIR|FILE]...", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--ignore",
    "ignored",
    metavar="PATTERN",
    multiple=True,
    help="Leave out secrets in which this regular expression finds something.",
)
@click.option("--json", "is_json", is_flag=True, help="Print an array of {file, line, kind, secret}.")
def scan(paths: tuple[Path, ...], ignored: tuple[str, ...], is_json: bool) -> None:
    """Find secrets in files that are recordings, attachments of theirs, or cassettes: in all files of a DIR and below.

    Looked for is what recording itself would hide: known shapes of keys, and the values of environment variables named
    *_KEY, *_TOKEN, *_SECRET or *_PASSWORD, and what is configured (redact and secret_env in
    [tool.inference_recorder] of the nearest pyproject.toml). A secret is shown by its first characters only.

    Exit codes: 0 nothing found, 1 something found, 2 wrong usage. As a pre-commit hook: id inference-recorder-scan.
    """
    try:
        patterns = [re.compile(pattern) for pattern in ignored]
    except re.error as error:
        raise click.UsageError(f"--ignore takes a regular expression: {error}") from None
    files = list(_files(paths or (_default_directory(),)))
    redactor = configured_redactor()
    found = [
        (path, leak) for path in tracked(files, "Scanning") for leak in leaks_in(_content(path), redactor, patterns)
    ]
    if is_json:
        show_json(
            [{"file": str(path), "line": line, "kind": kind, "secret": shown} for path, (line, kind, shown) in found]
        )
    elif found:
        show_table(_COLUMNS, [(str(path), str(line), kind, shown) for path, (line, kind, shown) in found])
    if not is_json:
        told = (
            f"{counted(len(found), 'secret')} in {counted(len({path for path, _ in found}), 'file')}"
            if found
            else "no secrets"
        )
        remark(f"{told}; {counted(len(files), 'file')} scanned")
    if found:
        raise SystemExit(1)


def _default_directory() -> Path:
    directory = directory_for(None)[0].written
    if not directory.is_dir():
        raise click.UsageError(f"the folder {directory} does not exist; name files or folders to scan")
    return directory


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for directory, names, files in os.walk(path):
            names[:] = sorted(name for name in names if name not in (".git", ".locks", "__pycache__", "node_modules"))
            yield from (Path(directory, name) for name in sorted(files))


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            remark(f"{path} is larger than 64 MB: only its start is scanned", "yellow")
        with path.open("rb") as file:
            return file.read(_LARGEST_BYTES)
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}") from None
