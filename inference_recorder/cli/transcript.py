"""A conversation as text: coloured panels at a terminal, plain text in a pipe."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from ..storage.catalogue import Entry
from ..text import visible, visible_line
from ..views.conversation import Conversation
from ..views.parts import Part, Turn, pretty, size_of
from .console import encodable

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


class Transcript:
    """Prints conversations. Their text is never interpreted as markup or as control characters."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def show(self, entry: Entry, conversation: Conversation) -> None:
        """Print a whole recording."""
        self._head(entry)
        for turn in conversation.asked:
            self._block(turn.role, turn.note, _turn_text(turn), _COLOURS.get(turn.role, "white"))
        if conversation.tools:
            offered = "\n".join(
                visible_line(f"{tool.name}  {_first_line(tool.description)}".rstrip()) for tool in conversation.tools
            )
            self._block("tools offered", "", Text(offered), "yellow")
        if conversation.settings:
            settings = "\n".join(
                visible_line(f"{name}: {_on_one_line(value)}") for name, value in conversation.settings.items()
            )
            self._block("settings", "", Text(settings), "white")
        for turn in conversation.answered:
            self._block(turn.role, turn.note, _turn_text(turn), "green")
        if conversation.failure:
            self._block("failure", "", Text(conversation.failure), "red")
        self._print(Text("  ".join(_summary_words(conversation)), style="dim"))

    def _head(self, entry: Entry) -> None:
        self._print(Text(visible_line(entry.test_id or "(outside a test)"), style="bold"))
        words = [
            f"{entry.request.get('method', '')} {entry.endpoint or 'not a call of the SDK'}".strip(),
            entry.model,
            f"answer {entry.position}" if entry.position > 1 else "",
            size_of(len(entry.content)),
        ]
        self._print(Text(visible_line("  ".join(word for word in words if word))))
        self._print(Text(str(entry.path), style="dim"))
        self._print(Text(""))

    def _block(self, title: str, note: str, text: Text, colour: str) -> None:
        name = visible_line(f"{title} ({note})" if note else title)
        text.plain = self._encodable(visible(text.plain).rstrip("\n"))
        if self._console.is_terminal:
            head = Text(self._encodable(name), style="bold")
            self._console.print(Panel(text, title=head, title_align="left", border_style=colour, padding=(0, 1)))
        else:
            self._print(Text(name))
            self._print(Text("\n".join(f"  {line}".rstrip() for line in text.plain.split("\n"))))
            self._print(Text(""))

    def _print(self, text: Text) -> None:
        text.plain = self._encodable(visible(text.plain))
        self._console.print(text, soft_wrap=True)

    def _encodable(self, text: str) -> str:
        return encodable(text, self._console.encoding)


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


def _on_one_line(value: object) -> str:
    return " ".join(pretty(value).split())
