"""A conversation as text: coloured panels at a terminal, plain text in a pipe."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from ..json_tree import JsonValue
from ..storage.catalogue import Entry
from ..text import visible, visible_line
from ..views.conversation import Conversation
from ..views.parts import Part, Turn, pretty, size_of
from .console import OUTSIDE_A_TEST, encodable, show_text

_COLOURS = {"user": "cyan", "prompt": "cyan", "input": "cyan", "tool": "yellow", "failure": "red"}
_STYLES = {
    "reasoning": "italic dim",
    "refusal": "red",
    "call": "bold",
    "result": "",
    "attachment": "magenta",
    "text": "",
    "json": "",
}


def show_transcript(console: Console, entry: Entry, conversation: Conversation, *, has_file: bool = True) -> None:
    """Print a recording: its request, its answer and what the answer cost; `has_file` for path and size too."""
    words = [
        f"{entry.request.get('method', '')} {entry.endpoint or 'not a call of the SDK'}".strip(),
        entry.model,
        f"answer {entry.position}" if entry.position > 1 else "",
        size_of(len(entry.content)) if has_file else "",
    ]
    show_text(console, visible_line(entry.test_id or OUTSIDE_A_TEST), style="bold")
    show_text(console, visible_line("  ".join(word for word in words if word)))
    show_text(console, f"{entry.path}\n" if has_file else "", style="dim")
    for turn in conversation.asked:
        _show_block(console, turn.role, turn.note, _turn_text(turn), _COLOURS.get(turn.role, "white"))
    for title, lines, colour in (
        ("tools offered", [f"{tool.name}  {_first_line(tool.description)}" for tool in conversation.tools], "yellow"),
        ("settings", [f"{name}: {_on_one_line(value)}" for name, value in conversation.settings.items()], "white"),
    ):
        if lines:
            _show_block(console, title, "", Text("\n".join(visible_line(line.rstrip()) for line in lines)), colour)
    for turn in conversation.answered:
        _show_block(console, turn.role, turn.note, _turn_text(turn), "green")
    if conversation.failure:
        _show_block(console, "failure", "", Text(conversation.failure), "red")
    show_text(console, "  ".join(_summary_words(conversation)), style="dim")


def _show_block(console: Console, title: str, note: str, text: Text, colour: str) -> None:
    name = visible_line(f"{title} ({note})" if note else title)
    if console.is_terminal:
        text.plain = encodable(visible(text.plain).rstrip("\n"), console.encoding)
        head = Text(encodable(name, console.encoding), style="bold")
        console.print(Panel(text, title=head, title_align="left", border_style=colour, padding=(0, 1)))
    else:
        lines = visible(text.plain).rstrip("\n").split("\n")
        show_text(console, "\n".join([name, *(f"  {line}".rstrip() for line in lines), ""]))


def _turn_text(turn: Turn) -> Text:
    return Text("\n").join(_part_text(part) for part in turn.parts)


def _part_text(part: Part) -> Text:
    # Styles are kept by position, so escape control characters before styling: escaping changes lengths.
    call_id = visible_line(f"  [{part.id}]") if part.id else ""
    text = visible(part.text)
    style = _STYLES[part.kind]
    if part.kind == "call":
        return Text.assemble((visible_line(f"{part.name}("), style), text, (")", style), (call_id, "dim"))
    if part.kind == "result":
        label = f"{visible_line(part.name)}{call_id}".strip()
        return Text.assemble((f"{label}\n" if label else "", "dim"), text)
    if part.kind == "attachment":
        return Text(f"[{text}]", style=style)
    if part.kind == "reasoning":
        return Text("\n".join(f"> {line}".rstrip() for line in text.strip().split("\n")), style=style)
    if part.kind == "refusal":
        return Text(f"refusal: {text}", style=style)
    return Text(text, style=style)


def _summary_words(conversation: Conversation) -> Iterator[str]:
    usage = conversation.usage
    if usage is None:
        yield "no token counts"
    else:
        cached = f" ({usage.cached:,} cached)" if usage.cached else ""
        reasoning = f" ({usage.reasoning:,} for reasoning)" if usage.reasoning else ""
        yield f"{usage.tokens_in:,} tokens in{cached}, {usage.tokens_out:,} out{reasoning}"
    if conversation.chunk_sizes is not None:
        yield f"streamed in {len(conversation.chunk_sizes):,} chunks"
    if not conversation.is_complete:
        yield "left early by its consumer"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _on_one_line(value: JsonValue) -> str:
    return " ".join(pretty(value).split())
