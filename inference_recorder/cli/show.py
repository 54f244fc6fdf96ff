"""`inference-recorder show`: a recording as a person reads it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
from rich.console import Console
from rich.syntax import Syntax

from ..errors import CorruptRecording
from ..recording import json_bytes
from ..storage.catalogue import Entry, entry_of
from ..text import visible
from ..views.conversation import conversation_of
from .named_recordings import series_named, takes_dir
from .transcript import Transcript


@click.command()
@click.argument("recording", metavar="FILE|KEY")
@takes_dir
@click.option("--raw", is_flag=True, help="Show the file's JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print the conversation as JSON, for programs.")
def show(recording: str, directory: Path | None, raw: bool, as_json: bool) -> None:
    """Show what was asked and answered, as a person reads it.

    FILE is a recording; KEY is its name's 64 digits, or as many of the first ones as tell it from all others in the
    folder. Several answers to one key are shown in their order; KEY.2 is the second one. The folder is --dir, else the
    one that recorders take here.

    \b
    Exit codes:
      0  it was shown
      1  the file cannot be read
      2  there is no such recording, or several that the key's first digits fit
    """
    if raw and as_json:
        raise click.UsageError("--raw and --json are two ways of showing it; choose one")
    console = Console(highlight=False)
    (row,) = series_named((recording,), directory)
    try:
        shown = [(entry, conversation_of(entry)) for entry in map(entry_of, row)]
    except CorruptRecording as error:
        raise click.ClickException(visible(str(error))) from error
    if as_json:
        documents = [_document(entry) | dataclasses.asdict(said) for entry, said in shown]
        content = json_bytes.dumps(documents[0] if len(documents) == 1 else documents, indent=True)
        click.echo(visible(content.decode()).encode())
        return
    for number, (entry, said) in enumerate(shown):
        if number:
            console.print()
        if raw:
            _show_raw(entry, console)
        else:
            Transcript(console).show(entry, said)


def _show_raw(entry: Entry, console: Console) -> None:
    text = visible(entry.content.decode(errors="replace"))
    if console.is_terminal:
        # Not the Syntax itself, which is cut to the terminal's width.
        console.print(Syntax("", "json", background_color="default").highlight(text), soft_wrap=True)
    else:
        click.echo(text.encode(), nl=not text.endswith("\n"))


def _document(entry: Entry) -> dict[str, object]:
    return {
        "path": str(entry.path),
        "key": entry.key,
        "test_id": entry.test_id,
        "endpoint": entry.endpoint,
        "model": entry.model,
    }
