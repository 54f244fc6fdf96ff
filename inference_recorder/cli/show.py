"""`inference-recorder show`: a recording as a person reads it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
from rich.console import Console
from rich.syntax import Syntax

from ..conversation.conversation import conversation_of
from ..errors import CorruptRecording
from ..format import json_bytes
from ..storage.catalogue import Entry, entry_of, key_of, paths_in
from ..visible_text import visible
from .folders import folders_from
from .transcript import Transcript

_SHOWN_CANDIDATES = 10


@click.command()
@click.argument("recording", metavar="FILE|KEY")
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Look for the key here.")
@click.option("--raw", is_flag=True, help="Show the file's JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print the conversation as JSON, for programs.")
def show(recording: str, folder: Path | None, raw: bool, as_json: bool) -> None:
    """Show what was asked and answered, as a person reads it.

    FILE is a recording; KEY is its name's 64 digits, or as many of the first ones as tell it from all others in the
    folder. Several answers to one key are shown in their order. The folder is --dir, else the one that the environment
    names, else "recordings".

    \b
    Exit codes:
      0  it was shown
      1  the file cannot be read
      2  there is no such recording, or several that the key's first digits fit
    """
    if raw and as_json:
        raise click.UsageError("--raw and --json are two ways of showing it; choose one")
    console = Console(highlight=False)
    try:
        shown = [(entry, conversation_of(entry)) for entry in map(entry_of, _paths_of(recording, folder))]
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


def _paths_of(recording: str, folder: Path | None) -> list[Path]:
    """Return the file, or the files of the key, that `recording` names; raises UsageError."""
    if Path(recording).is_file():
        return [Path(recording)]
    folders = folders_from(folder)
    start = recording.removesuffix(".json")
    fitting = [path for path in paths_in(folders.read) if path.name.startswith((start, f"models-{start}"))]
    exact = [path for path in fitting if path.name == f"{start}.json" and key_of(path) != start]
    if exact:
        return exact[:1]
    keys = sorted({key_of(path) for path in fitting})
    if start in keys:
        keys = [start]
    if not keys or not start:
        looked_in = "".join(f"\n  {place}" for place in folders.read)
        raise click.UsageError(f"no recording is named {recording!r}; name the folder with --dir; looked in{looked_in}")
    if len(keys) > 1:
        listed = "".join(f"\n  {key}" for key in keys[:_SHOWN_CANDIDATES])
        more = f"\n  and {len(keys) - _SHOWN_CANDIDATES} more" if len(keys) > _SHOWN_CANDIDATES else ""
        raise click.UsageError(f"{recording!r} fits {len(keys)} recordings; give more digits:{listed}{more}")
    row = [path for path in fitting if key_of(path) == keys[0]]
    # In the first folder that has any, as a replay finds them; by length, since ".10" comes after ".2".
    return sorted((path for path in row if path.parent == row[0].parent), key=lambda path: (len(path.name), path.name))
