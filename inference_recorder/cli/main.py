"""The command `inference-recorder`. Importing this without the extra `cli` exits with the line that says so."""

from __future__ import annotations

try:
    import click

    from .demo import demo
    from .doctor import doctor
except ModuleNotFoundError as error:
    missing = str(error.name).partition(".")[0]
    if missing == "inference_recorder":
        raise
    # An exit, not an error: this is the first thing that the installed script imports.
    raise SystemExit(f"inference-recorder needs {missing}: pip install 'inference-recorder[cli]'") from None


@click.group()
@click.version_option(package_name="inference-recorder", prog_name="inference-recorder")
def main() -> None:
    """Record LLM calls of the OpenAI SDK once; replay them offline."""


main.add_command(demo)
main.add_command(doctor)
