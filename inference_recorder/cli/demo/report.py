"""The demo's output: in colour on a terminal, as plain text in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ..console import show_text
from .call import DemoAnswer, DemoCall

if TYPE_CHECKING:
    from openai import OpenAI

_INDENT = " " * 12


def show_heading(console: Console, title: str, explanation: str) -> None:
    show_text(console, (f"\n{title}", "bold cyan"), "  ", explanation)


def show_call(console: Console, call: DemoCall, client: OpenAI) -> DemoAnswer:
    """Make a call; shows its prompt, and its answer as it arrives."""
    show_text(console, "\n", _name(call), f"{call.prompt}\n{_INDENT}", end="")
    answer = call.make(client, lambda text: show_text(console, (text.replace("\n", f"\n{_INDENT}"), "green"), end=""))
    show_text(console, "")
    return answer


def show_recordings(console: Console, calls: Sequence[DemoCall], paths: Sequence[Path], remark: str) -> None:
    """Show the file of each call's recording; all are in one directory."""
    show_text(console, "\n  Stored in ", (str(paths[0].parent), "bold"), (remark, "dim"))
    for call, path in zip(calls, paths, strict=True):
        size = f"{path.stat().st_size:>8,} bytes"
        show_text(console, _name(call), f"{path.stem[:12]}…{path.suffix}", (size, "dim"))


def show_comparison(
    console: Console, calls: Sequence[DemoCall], live: Sequence[DemoAnswer], replayed: Sequence[DemoAnswer]
) -> None:
    """Show how long each call took live and in replay, and whether the answers are the same."""
    show_text(console, f"\n{_INDENT}{'live':>9}{'replayed':>12}{'faster':>10}   answer", style="dim")
    for call, live_answer, replayed_answer in zip(calls, live, replayed, strict=True):
        show_text(
            console,
            _name(call),
            f"{_duration(live_answer):>9}{_duration(replayed_answer):>12}",
            (f"{live_answer.milliseconds / replayed_answer.milliseconds:>9,.0f}x   ", "bold green"),
            ("same ", "green") if live_answer == replayed_answer else ("DIFFERENT ", "bold red"),
            replayed_answer.summary,
        )


def _name(call: DemoCall) -> tuple[str, str]:
    return f"  {call.name:<10}", "bold"


def _duration(answer: DemoAnswer) -> str:
    decimals = 0 if answer.milliseconds >= 100 else 1 if answer.milliseconds >= 1 else 2
    return f"{answer.milliseconds:,.{decimals}f} ms"
