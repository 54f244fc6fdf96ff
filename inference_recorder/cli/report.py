"""`inference-recorder report`: a page that shows the recordings of directories or tests."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from ..json_tree import JsonObject
from ..storage.catalogue import entry_of
from ..views import report as page
from ..views.parts import size_of
from .console import counted, remarks
from .named_recordings import in_order
from .node_ids import directories_named


@click.command()
@click.argument("names", metavar="[DIR|NODEID]...", nargs=-1)
@click.option(
    "-o", "--output", "file", metavar="FILE.html", required=True, type=click.Path(dir_okay=False, path_type=Path),
    help="Write the page here.",
)  # fmt: skip
def report(names: tuple[str, ...], file: Path) -> None:
    """Write a page that shows recordings by test.

    The page is one HTML file that needs no network: open it in any browser, attach it to a pull request. By default,
    DIR is the directory that your tests' recorders use. If it has no recordings of its own, the page shows those of the
    directories below. NODEID is pytest's id of a test, class, file or directory, or a fixture's as `ls` shows it. For a
    page of a test run, with times and misses, run pytest with --inference-report=FILE.html.

    \b
    Exit codes:
      0  the page was written; it lists the files that cannot be read
      1  the page cannot be written
      2  the directory does not exist, or has no recordings
    """
    directories = directories_named(names, shlex.join(["report", "-o", str(file)]))
    number = directories.count()
    if not number:
        raise click.UsageError(f"{directories.root} has no recordings; name the directory of recordings as DIR")
    started = time.monotonic()
    try:
        with remarks().status(f"Reading {number:,} recordings", spinner="line"):
            calls = [] if directories.only is None else [*_calls(directories.only)]
            page.write(file, directories.searched, calls, [])
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror or error}") from error
    seconds = time.monotonic() - started
    click.echo(f"{file}: {counted(number, 'recording')}, {size_of(file.stat().st_size)}, written in {seconds:.1f} s")


def _calls(paths: Iterable[Path]) -> Iterator[JsonObject]:
    """Yield the calls of these recordings as the page takes them; nothing is known of when they were made."""
    for path in in_order(paths):
        entry = entry_of(path)
        named: JsonObject = {"test_id": entry.test_id, "endpoint": entry.endpoint, "model": entry.model}
        yield {"outcome": "stored", "path": str(path), "key": entry.key, **named}
