"""The command `inference-recorder`. Importing this without the extra `cli` exits with a hint to install it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from keyword import iskeyword

from ..errors import RecorderError
from ..text import visible

_OF_SERVER = frozenset({"httpx", "python_multipart", "starlette", "uvicorn"})
"""What the extra `server` installs."""


class _ServerNotInstalled(Exception):
    def __init__(self, package: str) -> None:
        super().__init__(package)
        self.package = package


@contextmanager
def _extra_installed() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        if missing == "inference_recorder":
            raise
        if missing in _OF_SERVER:
            raise _ServerNotInstalled(missing) from None
        # The installed script imports this module: exit instead of a traceback.
        raise SystemExit(f"inference-recorder needs {missing}: pip install 'inference-recorder[cli]'") from None


with _extra_installed():
    import click

COMMANDS = (
    "check",
    "demo",
    "diff",
    "doctor",
    "explain",
    "import",
    "init",
    "keep",
    "ls",
    "rekey",
    "rename-test",
    "report",
    "rm",
    "run",
    "scan",
    "serve",
    "show",
    "undo",
)
"""Each is a function in the module of the same name, with "_" for "-" and a "_" after a keyword."""


def _needing(package: str, name: str) -> click.Command:
    """Return a command that cannot run without a package: others and their help need not wait for it."""
    hint = f"needs {package}: pip install 'inference-recorder[cli,server]'"

    def exit_with_hint(arguments: tuple[str, ...]) -> None:
        raise SystemExit(f"inference-recorder {hint}")

    arguments = click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)
    return click.Command(
        name,
        {"ignore_unknown_options": True},
        exit_with_hint,
        [arguments],
        short_help=f"({hint})",
        add_help_option=False,
    )


class _Commands(click.Group):
    """Imports a command's module only when it is run or described. A RecorderError ends a command with 1."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = name.replace("-", "_") + ("_" if iskeyword(name) else "")
        try:
            with _extra_installed():
                command: click.Command = getattr(import_module(f".{module}", __package__), module)
        except _ServerNotInstalled as error:
            return _needing(error.package, name)
        return command

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except RecorderError as error:
            raise click.ClickException(visible(str(error))) from error


_EPILOG = """
\b
To complete commands and options in your shell, add the line to its start-up file:
  bash   eval "$(_INFERENCE_RECORDER_COMPLETE=bash_source inference-recorder)"
  zsh    eval "$(_INFERENCE_RECORDER_COMPLETE=zsh_source inference-recorder)"
  fish   _INFERENCE_RECORDER_COMPLETE=fish_source inference-recorder | source
"""


@click.group(cls=_Commands, epilog=_EPILOG)
@click.version_option(package_name="inference-recorder", prog_name="inference-recorder")
def main() -> None:
    """Record LLM calls of the OpenAI SDK once; replay them offline."""
