"""`inference-recorder init`: what a project needs to record, review and check its recordings."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

import click
import yaml

from ..config import DEFAULT_DIRECTORY, TABLE, Config
from ..pyproject import nearest_pyproject
from ..storage.projects import repository_root
from .configured import configured
from .console import output, remark, show_lines, show_text
from .directories import shown
from .suite_directories import root_of_suite

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_SECTION = f"""\
{TABLE}
mode = "replay"  # tests with the marker reach no model; to record: --inference-mode=record-if-missing
"""
_HOOK = """\
- repo: local
  hooks:
    - id: inference-recorder
      name: recordings can be read and hold no secret
      entry: {entry}
      language: system
      files: '{files}'
      pass_filenames: false
"""
_IN_EACH_CLONE = """
Once in each clone, so that `git diff` shows recordings as conversations:
  git config diff.inference-recording.textconv "inference-recorder show --textconv"
  git config diff.inference-recording.cachetextconv true

In CI, after the step that installs your project; no key is needed, and where CI is set nothing is recorded:
  - run: {check}
  - run: pytest
"""


@dataclass(frozen=True, slots=True)
class Addition:
    """What is added to one file."""

    path: Path
    text: str = ""
    """What is added."""
    content: str | None = None
    """What the file then holds; None if it is not changed."""
    reason: str = ""
    """Why it is not changed."""


@dataclass(frozen=True, slots=True)
class _Project:
    """Where the files are, and where the recordings."""

    root: Path
    top: Path
    """Of the git repository."""
    recordings: str
    """The common directory, relative to `root`; "" if it is outside."""
    is_beside: bool
    """Whether there are recordings beside the tests too."""

    @property
    def check(self) -> str:
        """The command that checks all recordings, run in `top`."""
        below = self.root.relative_to(self.top)
        if self.root == self.top:
            return "inference-recorder check"
        arguments = ["-r", below.as_posix()] if self.is_beside else [(below / self.recordings).as_posix()]
        return shlex.join(["inference-recorder", "check", *arguments])


@click.command()
@click.option("--write", is_flag=True, help="Write the files. Without it, they are only shown.")
def init(write: bool) -> None:
    """Show what a project needs for its recordings, or write it.

    It adds to files in the project's root and never changes what is there: the section of pyproject.toml; lines in
    .gitattributes, by which `git diff` shows conversations and GitHub folds recordings; a hook for pre-commit, which
    runs `check` when recordings are committed. It prints what to paste into your CI.

    \b
    Exit codes:
      0  everything was written, or shown, or is there already
      1  a file is to be changed by hand
      2  the configuration is invalid
    """
    project = _project_of(configured())
    additions = [_pyproject(project), _gitattributes(project), _pre_commit(project)]
    for addition in additions:
        show_text(
            output(), f"{shown(addition.path)}: {addition.reason or ('added' if write else 'to add')}", style="bold"
        )
        show_lines(addition.text.splitlines(), "+ ")
        if write and addition.content is not None:
            addition.path.write_bytes(addition.content.encode())
    show_text(output(), _IN_EACH_CLONE.format(check=project.check), end="")
    if not write and any(addition.content is not None for addition in additions):
        remark("nothing is written yet: inference-recorder init --write writes what begins with +")
    sys.exit(1 if any(addition.text and addition.content is None for addition in additions) else 0)


def _project_of(config: Config) -> _Project:
    root = root_of_suite()
    recordings = config.table.recordings or root / DEFAULT_DIRECTORY
    relative = recordings.relative_to(root).as_posix() if recordings.is_relative_to(root) else ""
    return _Project(root, repository_root(root), relative, config.table.recordings_beside_tests)


def _pyproject(project: _Project) -> Addition:
    path = nearest_pyproject(project.root) or project.root / "pyproject.toml"
    old = _text(path)
    if "inference_recorder" in tomllib.loads(old or "").get("tool", {}):  # it has been read as the configuration
        return Addition(path, reason=f"it has {TABLE}")
    if old is None and (build := next(project.root.glob("setup.[pc][yf]*"), None)) is not None:
        reason = f"not made, since with it pip would no longer build as {build.name} says; all settings have defaults"
        return Addition(path, reason=reason)
    new = _appended(old, _SECTION)
    try:
        tomllib.loads(new)
    except tomllib.TOMLDecodeError:  # it has an inline table `tool`
        return Addition(path, _SECTION, reason="add this by hand")
    return Addition(path, _SECTION, new)


def _gitattributes(project: _Project) -> Addition:
    path = project.root / ".gitattributes"
    old = _text(path)
    there = re.findall(r'^"[^"]*"|^\S+', old or "", re.MULTILINE)
    lines = [
        f"{pattern} {attributes}"
        for directory in _directories(project)
        for ending, attributes in (
            ("json", "-text diff=inference-recording linguist-generated"),
            ("bin", "binary linguist-generated"),
        )
        if (pattern := _quoted(f"{directory}/*.{ending}")) not in there
    ]
    if not lines:
        return Addition(path, reason="it has the lines" if old else "not made, since recordings are outside")
    text = "\n".join([*lines, ""])
    return Addition(path, text, _appended(old, text, gap=""))


def _directories(project: _Project) -> Iterator[str]:
    if project.is_beside:
        yield f"**/{DEFAULT_DIRECTORY}"
    if project.recordings and not (project.is_beside and project.recordings == DEFAULT_DIRECTORY):
        yield project.recordings


def _quoted(pattern: str) -> str:
    return json.dumps(pattern, ensure_ascii=False) if " " in pattern else pattern


def _pre_commit(project: _Project) -> Addition:
    path = project.top / ".pre-commit-config.yaml"
    old = _text(path)
    if old is not None and "inference-recorder" in old:
        return Addition(path, reason="it has inference-recorder")
    below = project.root.relative_to(project.top)
    files = "|".join(
        f"(^|/){DEFAULT_DIRECTORY}/" if directory.startswith("**") else f"^{re.escape((below / directory).as_posix())}/"
        for directory in _directories(project)
    )
    if not files:
        return Addition(path, reason="not made, since recordings are outside")
    hook = _HOOK.format(entry=project.check, files=files.replace("'", "''"))
    if old is None:
        text = "repos:\n" + indent(hook, "  ")
        return Addition(path, text, text)
    # Behind `repos:`, with the indentation of the first item there.
    start = re.search(r"^repos:[ \t]*\r?\n(?:[ \t]*(?:#.*)?\r?\n)*(?P<indent>[ ]*)(?=-)", old, re.MULTILINE)
    if start is not None:
        text, position = indent(hook, start["indent"]), start.start("indent")
        new = old[:position] + (text.replace("\n", "\r\n") if "\r\n" in old else text) + old[position:]
        if _is_extended(old, new, hook):
            return Addition(path, text, new)
    return Addition(path, indent(hook, "  "), reason="add this to its repos by hand")


def _is_extended(old: str, new: str, hook: str) -> bool:
    """Whether a configuration of pre-commit says the same as before, and has the hook."""
    try:
        before, after = yaml.safe_load(old), yaml.safe_load(new)
    except yaml.YAMLError:
        return False
    return bool({**before, "repos": [*yaml.safe_load(hook), *before["repos"]]} == after)


def _text(path: Path) -> str | None:
    """Return the content of a file, None if it does not exist."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{shown(path)} cannot be read: {error}") from None


def _appended(old: str | None, text: str, *, gap: str = "\n") -> str:
    """Return a file's content with more text at its end, with its own line ends."""
    if not old:
        return text
    line_end = "\r\n" if "\r\n" in old else "\n"
    end = "" if old.endswith("\n") else "\n"
    return old + f"{end}{gap}{text}".replace("\n", line_end)
