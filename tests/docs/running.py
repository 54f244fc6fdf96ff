"""`run(page)`: write a page's files and run its commands, in one directory and one shell, against the model."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..support.openai_server import OpenAIServer, running_server
from . import model
from .pages import Command, Edit, Page

_TIMEOUT_SECONDS = 120
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY")
_END = "@@end of command "
_PIP = re.compile(r"^pip install [^&\n]*(?:&&)? *")
_RECORDS = re.compile(r"record-if-missing|mode[= ]record\b|# .*\brecord")
_DURATION = r"\b\d+(?:\.\d+)? ?m?s\b"


class UntruePage(AssertionError):
    """A page says something else than what happens."""


def run(page: Page, python: Path = Path(sys.executable)) -> int:
    """Run a page's commands with the programs beside this interpreter; returns how many were run.

    Commands that record, by their mode or a comment, have keys; all others have none, and must not send a request to
    the model. Raises UntruePage with the page, the line and the real output.
    """
    count = 0
    with tempfile.TemporaryDirectory() as name, running_server() as server:
        server.elsewhere = model.reply
        directory = Path(name, "project")
        directory.mkdir()
        with _shell(directory, _environment(Path(name), server, python)) as shell:
            for step in page.steps:
                if isinstance(step, Edit):
                    _edit(page, step, directory)
                elif step.title is not None:
                    file = directory / step.title
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_text(step.text, encoding="utf-8")
                elif step.language == "console":
                    for command in step.commands:
                        count += 1
                        _run(page, command, shell, server)
    return count


def without_pip(command: str) -> str:
    """Return a command without the installation that it begins with: what that installs is here."""
    return _PIP.sub("", command)


def _edit(page: Page, edit: Edit, directory: Path) -> None:
    file = directory / edit.file
    text = file.read_text(encoding="utf-8")
    if text.count(edit.old) != 1:
        raise UntruePage(f"{page}:{edit.line}: {edit.file} does not hold this once: {edit.old}")
    file.write_text(text.replace(edit.old, edit.new), encoding="utf-8")


def _run(page: Page, command: Command, shell: Shell, server: OpenAIServer) -> None:
    text = without_pip(command.text)
    is_recording = _RECORDS.search(command.text.lower()) is not None
    before = server.count
    status, output = shell.run(text, has_keys=is_recording)
    reason = ""
    if command.shown and not pattern(command.shown).fullmatch("\n".join(output)):
        reason = "its output is"
    elif status and not any(line.strip("… ") for line in command.shown):
        reason = f"its exit status is {status}, its output"
    if not is_recording and server.count > before:
        reason = f"it sent {server.count - before} requests to the model, but not in a mode that records; its output is"
    if reason:
        shown = "\n".join(f"  {line}" for line in output)
        raise UntruePage(f"{page}:{command.line}: $ {command.text}\n{reason}:\n{shown}")


def pattern(shown: Sequence[str]) -> re.Pattern[str]:
    """Return what matches the output that a page shows.

    `…` stands for anything in a line, alone in its line for any number of lines. Spaces may be more or fewer, durations
    others.
    """
    lines = [r"(?:.*\n)*?" if line.strip() == "…" else f"{_line(line)}\n" for line in shown]
    return re.compile("".join(lines))


def _line(text: str) -> str:
    parts = re.split(rf"(…|\s+|{_DURATION})", text.rstrip())
    known = {"…": ".*"}
    return (
        r"[ \t]*"
        + "".join(
            known.get(part)
            or (r"[ \t]+" if part.isspace() else _DURATION if re.fullmatch(_DURATION, part) else re.escape(part))
            for part in parts
            if part
        ).removeprefix(r"[ \t]+")
        + r"[ \t]*"
    )


class Shell:
    """One bash, whose variables, directory and jobs outlive a command."""

    def __init__(self, process: subprocess.Popen[str], directory: Path) -> None:
        self._process = process
        self._script = directory / "command.sh"

    def run(self, text: str, *, has_keys: bool) -> tuple[int, list[str]]:
        """Run a command; returns its exit status and the lines of its output."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._script.write_text(f"{text}\n", encoding="utf-8")
        keys = " ".join(f"{name}=sk-of-the-pages" for name in _KEYS)
        # A file of its own, so that a command which reads its input does not read the next command.
        lines = [
            f"export {keys}" if has_keys else f"unset {' '.join(_KEYS)}",
            f"source '{self._script}' </dev/null",
            f"printf '\\n{_END}%d\\n' $?",
        ]
        self._process.stdin.write("\n".join([*lines, ""]))
        self._process.stdin.flush()
        timer = threading.Timer(_TIMEOUT_SECONDS, self.kill)
        timer.start()
        output: list[str] = []
        for line in self._process.stdout:
            if line.startswith(_END):
                timer.cancel()
                # printf's own line end makes an empty line where the output ended with one.
                return int(line.removeprefix(_END)), _without_blank_end(output)
            output.append(line.rstrip("\n"))
        timer.cancel()
        return -1, [*output, "(the shell ended: exit, or a command of more than two minutes)"]

    def kill(self) -> None:
        """End the shell, and what runs in it."""
        os.killpg(self._process.pid, signal.SIGKILL)


def _without_blank_end(lines: list[str]) -> list[str]:
    while lines and not lines[-1]:
        lines = lines[:-1]
    return [*lines, ""]


@contextmanager
def _shell(directory: Path, environment: dict[str, str]) -> Iterator[Shell]:
    with subprocess.Popen(
        ["bash", "--noprofile", "--norc"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=directory,
        env=environment,
        start_new_session=True,
        encoding="utf-8",
    ) as process:
        shell = Shell(process, directory.parent)
        try:
            yield shell
        finally:
            shell.kill()


def _environment(home: Path, server: OpenAIServer, python: Path) -> dict[str, str]:
    origin = server.base_url.removesuffix("/v1")
    return {
        "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "COLUMNS": "120",
        # An environment made for a page is new: its first command compiles what it imports, for all others.
        **({"PYTHONDONTWRITEBYTECODE": "1"} if python == Path(sys.executable) else {}),
        "PYTHONWARNINGS": "ignore:The configuration option",  # of pytest-asyncio, where a page has no configuration
        "PYTEST_ADDOPTS": "-p no:randomly -p no:cacheprovider",
        "OPENAI_BASE_URL": server.base_url,
        "OPENAI_API_BASE": server.base_url,  # llama-index reads this one
        "ANTHROPIC_BASE_URL": origin,
        "MODEL_ORIGIN": origin,
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        **{
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", "A Reader"), ("EMAIL", "reader@example.com"))
        },
    }
