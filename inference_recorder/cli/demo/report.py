"""The demo's output: in colour on a terminal, as plain text in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ..console import show_text
from .call import DemoAnswer, DemoCall

_INDENT = " " * 12
_USAGE = """
  from inference_recorder import inference_recording

  with inference_recording("record-if-missing", "tests/recordings"):
      answer = client.chat.completions.create(...)  # asks the API once, then never again"""


class DemoReport:
    """Writes the demo's output from top to bottom. Texts of prompts and answers are never read as rich's markup."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def heading(self, title: str, explanation: str) -> None:
        self._show((f"\n{title}", "bold cyan"), "  ", explanation)

    def begin_call(self, call: DemoCall) -> None:
        self._show((f"\n  {call.name:<10}", "bold"), f"{call.prompt}\n{_INDENT}", end="")

    def answer_text(self, text: str) -> None:
        """Show a part of an answer's text, at once."""
        self._show((text.replace("\n", f"\n{_INDENT}"), "green"), end="")

    def end_call(self) -> None:
        self._show("")

    def recordings(self, calls: Sequence[DemoCall], paths: Sequence[Path], remark: str) -> None:
        """Show the file of each call's recording; all are in one directory."""
        self._show("\n  Stored in ", (str(paths[0].parent), "bold"), (f"  {remark}" if remark else "", "dim"))
        for call, path in zip(calls, paths, strict=True):
            size = f"{path.stat().st_size:>8,} bytes"
            self._show((f"  {call.name:<10}", "bold"), f"{path.stem[:12]}…{path.suffix}", (size, "dim"))

    def comparison(self, calls: Sequence[DemoCall], live: Sequence[DemoAnswer], replayed: Sequence[DemoAnswer]) -> None:
        """Show how long each call took live and in replay, and whether the answers are the same."""
        self._show((f"\n{_INDENT}{'live':>9}{'replayed':>12}{'faster':>10}   answer", "dim"))
        for call, live_answer, replayed_answer in zip(calls, live, replayed, strict=True):
            ratio = live_answer.milliseconds / replayed_answer.milliseconds
            self._show(
                (f"  {call.name:<10}", "bold"),
                f"{_duration(live_answer):>9}{_duration(replayed_answer):>12}",
                (f"{ratio:>9,.0f}x", "bold green"),
                "   ",
                ("same ", "green") if live_answer == replayed_answer else ("DIFFERENT ", "bold red"),
                replayed_answer.summary,
            )

    def remarks(self, *lines: str) -> None:
        for line in ("", *lines):
            self._show((f"  {line}".rstrip(), "dim"))

    def usage(self) -> None:
        """Show how to use the package in one's own tests."""
        self.heading("3 Your tests", "these lines are all it takes:")
        self._show(_USAGE)

    def _show(self, *parts: str | tuple[str, str], end: str = "\n") -> None:
        show_text(self._console, *parts, end=end)


def _duration(answer: DemoAnswer) -> str:
    decimals = 0 if answer.milliseconds >= 100 else 1 if answer.milliseconds >= 1 else 2
    return f"{answer.milliseconds:,.{decimals}f} ms"
