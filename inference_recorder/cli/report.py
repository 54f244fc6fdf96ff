"""`inference-recorder report`: a page to look at all recordings of a folder."""

from __future__ import annotations

import time
from pathlib import Path

import click

from ..storage.catalogue import paths_in
from ..views import report as page
from ..views.parts import size_of
from .console import counted, remarks
from .directories import directories_from


@click.command()
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "file", metavar="FILE.html", required=True, type=click.Path(dir_okay=False, path_type=Path),
    help="Write the page here.",
)  # fmt: skip
def report(directory: Path | None, file: Path) -> None:
    """Write a page that shows every recording of a folder, by test.

    One HTML file that needs no network: open it in any browser, attach it to a pull request. DIR is the folder, else
    the one that the environment names, else "recordings"; one that holds only other folders stands for them. For what
    a run of the tests asked, with times and misses, run pytest with --inference-report=FILE.html.

    \b
    Exit codes:
      0  the page was written; it shows what cannot be read as such
      1  the page cannot be written
      2  there is no such folder, or no recording in it
    """
    directories = directories_from(directory)
    count = sum(1 for _ in paths_in(directories.read))
    if not count:
        raise click.UsageError(f"{directories.chosen} holds no recordings; name the folder of recordings as DIR")
    begun = time.monotonic()
    try:
        with remarks().status(f"Reading {count:,} recordings", spinner="line"):
            page.write(file, directories.read, [], [])
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror or error}") from error
    seconds = time.monotonic() - begun
    click.echo(f"{file}: {counted(count, 'recording')}, {size_of(file.stat().st_size)}, written in {seconds:.1f} s")
