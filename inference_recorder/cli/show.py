"""`inference-recorder show`: a recording as a person reads it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
from rich.console import Console
from rich.syntax import Syntax

from ..json_tree import JsonObject, JsonValue
from ..recording import json_bytes
from ..storage.catalogue import Entry, entry_of
from ..text import visible
from ..views.conversation import conversation_of
from .directories import takes_dir
from .named_recordings import series_named
from .transcript import show_transcript


@click.command()
@click.argument("recording", metavar="FILE|KEY")
@takes_dir
@click.option("--raw", is_flag=True, help="Show the file's JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print the conversation as JSON, for programs.")
def show(recording: str, directory: Path | None, raw: bool, as_json: bool) -> None:
    """Show a request and its answer as a conversation.

    FILE is a recording. KEY is the 64 digits of its name, or enough of the first ones to identify it. If a key has
    several answers, all are shown in order; KEY.2 is the second one. Keys are searched in --dir, or by default in the
    directory that recorders use here.

    \b
    Exit codes:
      0  the recording was shown
      1  the file cannot be read
      2  no recording matches, or several keys begin with these digits
    """
    if raw and as_json:
        raise click.UsageError("--raw and --json exclude each other")
    console = Console(highlight=False)
    (series,) = series_named((recording,), directory)
    conversations = [(entry, conversation_of(entry)) for entry in map(entry_of, series)]
    if as_json:
        documents: list[JsonValue] = [
            {**_document(entry), **dataclasses.asdict(conversation)} for entry, conversation in conversations
        ]
        content = json_bytes.dumps(documents[0] if len(documents) == 1 else documents, indent=True)
        click.echo(visible(content.decode()).encode())
        return
    for index, (entry, conversation) in enumerate(conversations):
        if index:
            console.print()
        if raw:
            _show_raw(entry, console)
        else:
            show_transcript(console, entry, conversation)


def _show_raw(entry: Entry, console: Console) -> None:
    text = visible(entry.content.decode(errors="replace"))
    if console.is_terminal:
        # Printing the Syntax itself would cut it to the terminal's width.
        console.print(Syntax("", "json", background_color="default").highlight(text), soft_wrap=True)
    else:
        click.echo(text.encode(), nl=not text.endswith("\n"))


def _document(entry: Entry) -> JsonObject:
    return {
        "path": str(entry.path),
        "key": entry.key,
        "test_id": entry.test_id,
        "endpoint": entry.endpoint,
        "model": entry.model,
    }
