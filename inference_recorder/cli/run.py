"""`inference-recorder run -- COMMAND`: a program in any language, whose calls of models are recorded and replayed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import Any

import click

from ..server.environment import environment_of
from .console import remark
from .served import Served, takes_server_options

_MISSED, _NOT_FOUND, _NOT_EXECUTABLE = 3, 127, 126


@click.command(context_settings={"allow_interspersed_args": False})
@takes_server_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(port: int, command: tuple[str, ...], **options: Any) -> None:
    """Run a command whose calls of OpenAI's and Anthropic's API are answered from recordings, or recorded.

    It finds the server in OPENAI_BASE_URL, OPENAI_API_BASE and ANTHROPIC_BASE_URL, which the SDKs read. What is
    recorded needs no keys.

    \b
      inference-recorder run -- npm test
      inference-recorder run --mode record-if-missing -- node script.mjs

    \b
    Exit codes:
      that of the command, 128 and the signal's number if one ended it; otherwise
      1    the session cannot be opened
      2    the options are wrong, or the port is taken
      3    the command succeeded, but calls were missed, refused or not stored
      126  the command cannot be run
      127  the command was not found
    """
    served = Served(options)
    with served.session() as session, served.serving(port=port) as url:
        code = _code_of(command, environment_of(url, may_lack_keys=session.mode.reads))
    if code == 0 and (session.counts["missed"] or served.errors):
        remark(f"the command succeeded, but not all of its calls: exit code {_MISSED}")
        code = _MISSED
    sys.exit(code)


def _code_of(command: tuple[str, ...], environment: dict[str, str]) -> int:
    """Run a command to its end, and return its exit code as a shell does."""
    program, *arguments = command
    if os.name == "nt":  # npm is npm.cmd there, which a shell would find
        program = shutil.which(program) or program
    try:
        process = subprocess.Popen([program, *arguments], env=environment)  # noqa: S603 - it is what the user asks for
    except FileNotFoundError:
        remark(f"command not found: {command[0]}")
        return _NOT_FOUND
    except OSError as error:
        remark(f"{command[0]} cannot be run: {error.strerror}")
        return _NOT_EXECUTABLE
    # Ctrl-C reaches the command too; what it does with it decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    code = process.wait()
    return code if code >= 0 else 128 - code
