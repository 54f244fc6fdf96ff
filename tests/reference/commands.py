"""The reference of the command line in docs/commands.md, made from click; mkdocs runs this file as a hook.

It is not in the page itself, since the help of all commands is 500 lines.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from html import escape
from typing import Any

import click

from inference_recorder.cli.main import main

MARK = "<!-- commands: made by tests/reference/commands.py while the site is built -->"
_CODE = re.compile(r"(`[^`]+`|(?<![\w-])--[a-z][\w-]*(?:=[\w.-]+)?|[*!]_?[A-Z]{3,}\b|[A-Z]+_\*)")
"""What is shown as code: what the help has in backticks, options, and patterns of names."""


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the reference in the place of the mark; called by mkdocs for each page."""
    return markdown.replace(MARK, command_reference()) if MARK in markdown else markdown


def command_reference() -> str:
    """Return a section in Markdown for each command."""
    context = click.Context(main, info_name="inference-recorder")
    sections = [_section(command, of_command) for command, of_command in _commands(context)]
    return "\n\n".join([*sections, "### Completion", _paragraph(inspect.cleandoc(main.epilog or ""))])


def _commands(context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Yield each command that does something, with its context, by name."""
    group = context.command
    if not isinstance(group, click.Group):
        yield group, context
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield from _commands(click.Context(command, info_name=name, parent=context))


def _section(command: click.Command, context: click.Context) -> str:
    name = context.command_path.partition(" ")[2]
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    first, *others = inspect.cleandoc(command.help or "").split("\n\n")
    options = [option for option in command.get_params(context) if isinstance(option, click.Option)]
    records = [record for one in options if one.opts != ["--help"] and (record := one.get_help_record(context))]
    rows = [f"| {_cell(names)} | {_text(meaning)} |" for names, meaning in records]
    parts = [f"### `{name}`", _text(first), f"```text\n{usage}\n```", *map(_paragraph, others)]
    return "\n\n".join([*parts, *(["\n".join(["| option | |", "|---|---|", *rows])] if rows else [])])


def _paragraph(text: str) -> str:
    r"""Return a paragraph of a help text; one that begins with "\b" has lines that click leaves as they are."""
    if not text.startswith("\b\n"):
        return _text(text)
    lines = inspect.cleandoc(text.removeprefix("\b\n"))
    title, _, others = lines.partition("\n")
    if title == "Exit codes:":
        return "\n".join(["| exit code | |", "|---|---|", *map(_exit_code, others.splitlines())])
    if title.startswith("- "):
        return "\n".join(f"- {_text(item)}" for item in re.split(r"^- ", lines, flags=re.MULTILINE)[1:])
    if title.endswith(":"):
        return f"{_text(title)}\n\n```text\n{others}\n```"
    return f"```text\n{lines}\n```"


def _exit_code(line: str) -> str:
    code, _, meaning = line.strip().partition("  ")
    return f"| {code} | {_text(meaning)} |" if code.isdigit() else f"| | {_text(line)} |"


def _cell(names: str) -> str:
    return f"`{names}`".replace("|", "\\|")


def _text(text: str) -> str:
    """Return plain text as Markdown on one line."""
    pieces = _CODE.split(re.sub(r"\s+", " ", text).strip())
    pieces[::2] = [_escaped(piece) for piece in pieces[::2]]
    pieces[1::2] = [f"`{piece.strip('`')}`" for piece in pieces[1::2]]
    return "".join(pieces)


def _escaped(text: str) -> str:
    return re.sub(r"([\\*_\[\]])", r"\\\1", escape(text, quote=False)).replace("|", "&#124;")
