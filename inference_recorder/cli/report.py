"""`inference-recorder report`: a page that shows all recordings of a directory."""

from __future__ import annotations

import time
from pathlib import Path

import click

from ..storage.catalogue import paths_in
from ..views import report as page
from ..views.parts import size_of
from .console import counted, remarks
from .directories import searched_directories


@click.command()
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "file", metavar="FILE.html", required=True, type=click.Path(dir_okay=False, path_type=Path),
    help="Write the page here.",
)  # fmt: skip
def report(directory: Path | None, file: Path) -> None:
    """Write a page that shows all recordings by test.

    The page is one HTML file that needs no network: open it in any browser, attach it to a pull request. By default,
    DIR is the directory that your tests' recorders use. If it has no recordings of its own, the page shows those of the
    directories below. For a page of a test run, with times and misses, run pytest with --inference-report=FILE.html.

    \b
    Exit codes:
      0  the page was written; it lists the files that cannot be read
      1  the page cannot be written
      2  the directory does not exist, or has no recordings
    """
    directories = searched_directories(directory)
    count = sum(1 for _ in paths_in(directories.searched))
    if not count:
        raise click.UsageError(f"{directories.root} has no recordings; name the directory of recordings as DIR")
    started = time.monotonic()
    try:
        with remarks().status(f"Reading {count:,} recordings", spinner="line"):
            page.write(file, directories.searched, [], [])
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror or error}") from error
    seconds = time.monotonic() - started
    click.echo(f"{file}: {counted(count, 'recording')}, {size_of(file.stat().st_size)}, written in {seconds:.1f} s")
