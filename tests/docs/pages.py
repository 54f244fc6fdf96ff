"""A page of the documentation as its blocks: files to write, commands to run, and fragments of code."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(
    r"(?P<not_run><!-- not run: (?P<reason>[^\n]*?) -->\s*\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
_EDIT = re.compile(r"^<!-- in (?P<file>\S+): (?P<old>.+?) => (?P<new>.+?) -->$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a console block, and what is shown below it."""

    line: int
    text: str
    shown: tuple[str, ...]
    """Lines of output; empty if none is shown."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block."""

    line: int
    """Of the page, where its text begins."""
    language: str
    title: str | None
    """The file that it is, relative to the page's directory; None for a fragment or a console."""
    text: str
    reason: str | None
    """Why it is not run; None if it is."""

    @property
    def commands(self) -> list[Command]:
        """The commands of a console block: its lines that start with `$ `; all of them, if none does."""
        lines = self.text.splitlines()
        has_prompts = any(line.startswith("$ ") for line in lines)
        commands: list[Command] = []
        is_continued = False
        for number, line in enumerate(lines, self.line):
            if is_continued:
                last = commands.pop()
                commands.append(Command(last.line, f"{last.text}\n{line}", ()))
            elif line.startswith("$ ") or not has_prompts:
                commands.append(Command(number, line.removeprefix("$ "), ()))
            else:
                last = commands.pop()
                commands.append(Command(last.line, last.text, (*last.shown, line)))
                continue
            is_continued = line.endswith("\\")
        return commands


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a file that the page describes in words, as `<!-- in FILE: OLD => NEW -->` before them."""

    line: int
    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Page:
    """README.md or a page of docs/."""

    path: Path

    def __str__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(_blocks(self.path.read_text(encoding="utf-8")))

    @property
    def steps(self) -> list[Block | Edit]:
        """What a reader does, in order: write files, run commands, change files."""
        text = self.path.read_text(encoding="utf-8")
        edits = (Edit(text.count("\n", 0, edit.start()) + 1, *edit.groups()) for edit in _EDIT.finditer(text))
        return sorted([*(block for block in self.blocks if block.reason is None), *edits], key=attrgetter("line"))

    @property
    def is_script(self) -> bool:
        """Whether it has commands to run."""
        return any(block.language == "console" and block.reason is None for block in self.blocks)

    @property
    def packages(self) -> list[str]:
        """The requirements that its `pip install` commands name, other than this package and files."""
        commands = [command.text for block in self.blocks if block.language == "console" for command in block.commands]
        words = [
            word
            for command in commands
            if command.startswith("pip install")
            for word in shlex.split(command.partition("&&")[0], comments=True)[2:]
        ]
        return [word for word in words if re.match(r"(?!inference-recorder)\w[^/]*$", word)]

    @property
    def missing_programs(self) -> list[str]:
        """The programs that it needs, pip does not install and this machine lacks: `<!-- needs: git-lfs -->`."""
        names = re.findall(r"^<!-- needs: (\S+) -->$", self.path.read_text(encoding="utf-8"), re.MULTILINE)
        return [name for name in names if shutil.which(name) is None]


def _blocks(text: str) -> Iterator[Block]:
    for match in _BLOCK.finditer(text):
        indent = match["indent"]
        lines = [line.removeprefix(indent) for line in match["text"].splitlines(keepends=True)]
        line = text.count("\n", 0, match.start("text")) + 1
        yield Block(line, match["language"], match["title"], "".join(lines), match["reason"])


PAGES = {str(page): page for page in map(Page, [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))])}
"""Each page by its path, such as "docs/start.md"."""
