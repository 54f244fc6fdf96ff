"""What the demo shows: in colour on a terminal, as plain text in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ..console import encodable
from .question import Question, Reply

_INDENT = " " * 12
_NEXT_STEP = """
  from inference_recorder import inference_recording

  with inference_recording("record-if-missing", "tests/recordings"):
      answer = client.chat.completions.create(...)  # asks the API once, then never again"""


class DemoReport:
    """The demo's output, from top to bottom. What others wrote is never read as rich's markup."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def heading(self, title: str, explanation: str) -> None:
        self._show("")
        self._show((title, "bold cyan"), "  ", explanation)

    def asked(self, question: Question) -> None:
        self._show("")
        self._show((f"  {question.name:<10}", "bold"), question.text)
        self._show(_INDENT, end="")

    def heard(self, piece: str) -> None:
        """Show a piece of a reply, at once."""
        self._show((piece.replace("\n", f"\n{_INDENT}"), "green"), end="")

    def answered(self) -> None:
        self._show("")

    def stored(self, questions: Sequence[Question], paths: Sequence[Path], remark: str) -> None:
        """Show the file of each question's recording; all are in one folder."""
        self._show("")
        self._show("  Stored in ", (str(paths[0].parent), "bold"), (f"  {remark}" if remark else "", "dim"))
        for question, path in zip(questions, paths, strict=True):
            size = f"{path.stat().st_size:>8,} bytes"
            self._show((f"  {question.name:<10}", "bold"), f"{path.stem[:12]}…{path.suffix}", (size, "dim"))

    def comparison(self, questions: Sequence[Question], live: Sequence[Reply], replayed: Sequence[Reply]) -> None:
        """Show how long each reply took both times, and whether it is the same."""
        self._show("")
        self._show((f"{_INDENT}{'live':>9}{'replayed':>12}{'faster':>10}   answer", "dim"))
        for question, first, second in zip(questions, live, replayed, strict=True):
            ratio = first.milliseconds / second.milliseconds
            self._show(
                (f"  {question.name:<10}", "bold"),
                f"{_milliseconds(first):>9}{_milliseconds(second):>12}",
                (f"{ratio:>9,.0f}x", "bold green"),
                "   ",
                ("same ", "green") if first == second else ("DIFFERENT ", "bold red"),
                second.summary,
            )

    def remark(self, *lines: str) -> None:
        self._show("")
        for line in lines:
            self._show((f"  {line}", "dim"))

    def next_step(self) -> None:
        """Show what to write in one's own tests."""
        self.heading("3 Your tests", "these lines are all it takes:")
        self._show(_NEXT_STEP)

    def _show(self, *parts: str | tuple[str, str], end: str = "\n") -> None:
        text = Text.assemble(*parts)
        text.plain = encodable(text.plain, self._console.encoding)
        # soft_wrap: a path that is broken in two cannot be copied.
        self._console.print(text, end=end, soft_wrap=True)


def _milliseconds(reply: Reply) -> str:
    return f"{reply.milliseconds:,.{0 if reply.milliseconds >= 100 else 1 if reply.milliseconds >= 1 else 2}f} ms"
