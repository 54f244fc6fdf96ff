"""`python -m tests.docs.picture` draws docs/images/miss.svg: the miss of docs/how-it-works.md as terminals show it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from .pages import PAGES, ROOT

FILE = ROOT / "docs" / "images" / "miss.svg"
_WIDTH, _HEIGHT, _MARGIN, _BAR = 7.8, 19, 18, 34
_COLORS = (
    (r"E +- \"", "#ff8b80"),
    (r"E +\+ \"", "#7ee2a8"),
    (r"E +(pytest|to record)", "#ffd479"),
    (r"E .*Error|E .*MissingRecording|F ", "#ff8b80"),
    (r"\$ ", "#ffffff"),
)
"""How a line begins -> its color; the first one counts."""


def shown() -> list[str]:
    """Return the lines of the picture; tests/docs/test_pages.py runs them."""
    page = PAGES["docs/how-it-works.md"]
    commands = [command for block in page.blocks if block.language == "console" for command in block.commands]
    [miss] = [command for command in commands if any("MissingRecording" in line for line in command.shown)]
    return [f"$ {miss.text}", *(line for line in miss.shown if line != "…")]


def drawn(lines: Sequence[str]) -> str:
    """Return an SVG of a terminal with these lines."""
    lines = [re.sub(r" {20,}", " " * 20, line) for line in lines]
    width = round(max(map(len, lines)) * _WIDTH + 2 * _MARGIN)
    height = len(lines) * _HEIGHT + _BAR + _MARGIN
    texts = [
        f'<text x="{_MARGIN}" y="{_BAR + (number + 1) * _HEIGHT - 5}" fill="{_color(line)}" '
        f'textLength="{len(line) * _WIDTH:.1f}" xml:space="preserve">{escape(line)}</text>'
        for number, line in enumerate(lines)
        if line
    ]
    dots = [
        f'<circle cx="{_MARGIN + 4 + 20 * number}" cy="17" r="6" fill="{color}"/>'
        for number, color in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" '
        'font-size="13">'
    )
    frame = f'<rect width="{width}" height="{height}" rx="10" fill="#1b1f27"/>'
    return "\n".join([head, frame, *dots, *texts, "</svg>", ""])


def _color(line: str) -> str:
    return next((color for start, color in _COLORS if re.match(start, line)), "#c3cad6")


if __name__ == "__main__":
    FILE.write_text(drawn(shown()), encoding="utf-8")
