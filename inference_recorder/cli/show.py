"""`inference-recorder show`: a recording as a person reads it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
from rich.console import Console

from ..errors import CorruptRecording
from ..json_tree import JsonObject, JsonValue
from ..recording import json_bytes
from ..storage.catalogue import Entry, entry_of
from ..text import visible
from ..views.conversation import conversation_of
from .directories import takes_dirs
from .named_recordings import recordings_named
from .transcript import show_transcript


@click.command()
@click.argument("recording", metavar="FILE|KEY|NODEID")
@takes_dirs
@click.option("--raw", is_flag=True, help="Show the file's JSON.")
@click.option("--textconv", is_flag=True, help="Show FILE for `git diff`: without its path and size.")
@click.option("--json", "as_json", is_flag=True, help="Print the conversation as JSON, for programs.")
def show(recording: str, dirs: tuple[Path, ...], raw: bool, textconv: bool, as_json: bool) -> None:
    """Show requests and their answers as conversations.

    FILE is a recording. KEY is the 64 digits of its name, or enough of the first ones to identify it. If a key has
    several answers, all are shown in order; KEY.2 is the second one. NODEID is pytest's id of a test, class or file,
    or a fixture's id as `ls` shows it; all their calls are shown, each test's by the length of their histories, since
    no file holds the time of its call. Keys and tests are searched in --dir, or by default where recorders look.

    --json prints an object, or for several recordings a list of objects. --textconv prints a file that is not a
    recording as it is, since git would end with an error; `inference-recorder init` says how to set it up.

    \b
    Exit codes:
      0  the recording was shown
      1  the file cannot be read
      2  no recording matches (similar test ids are suggested), several keys begin with these digits,
         or the options are wrong
    """
    if raw + textconv + as_json > 1:
        raise click.UsageError("--raw, --textconv and --json exclude each other")
    if textconv:
        _show_for_git(Path(recording))
        return
    console = Console(highlight=False)
    ((paths, _),) = recordings_named((recording,), dirs, "show")
    conversations = [(entry, conversation_of(entry)) for entry in map(entry_of, paths)]
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


def _show_for_git(path: Path) -> None:
    console = Console(highlight=False, force_terminal=False)  # git reads it, whatever FORCE_COLOR says
    try:
        entry = entry_of(path)
        show_transcript(console, entry, conversation_of(entry), has_file=False)
    except CorruptRecording:
        click.echo(visible(path.read_text(encoding="utf-8", errors="replace")).encode(), nl=False)


def _show_raw(entry: Entry, console: Console) -> None:
    text = visible(entry.content.decode(errors="replace"))
    if console.is_terminal:
        from rich.syntax import Syntax  # not for git, which starts a process for each file

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
