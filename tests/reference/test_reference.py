"""The pages of docs/ that are made from the code are up to date and whole."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

import inference_recorder
from inference_recorder.cli.main import COMMANDS, main

from . import commands, made_parts, part_of
from .errors import error_classes, list_of_errors

PARTS = made_parts()
_DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(("page", "name"), PARTS, ids=[name for _, name in PARTS])
def test_a_page_holds_what_the_code_says(page: Path, name: str) -> None:
    """A table kept by hand drifts with the first new row."""
    assert PARTS[page, name] == part_of(page.read_text(encoding="utf-8"), name), "run python -m tests.reference"


def test_every_error_names_its_cause_and_a_way_out() -> None:
    """A reader who meets one looks it up there."""
    sections = re.split(r"^## ", list_of_errors(), flags=re.MULTILINE)[1:]

    assert [f"`{kind.__name__}`" for kind in error_classes()] == [section.splitlines()[0] for section in sections]
    assert [] == [
        section for section in sections if not re.search(r"- \*\*Cause\*\*: .+\n(.*\n)*- \*\*Way out\*\*: \w", section)
    ]


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_every_public_attribute_of_an_error_is_named(kind: type[Exception]) -> None:
    """The parts are for programs, and nobody should have to read the class to find them."""
    attributes = set(re.findall(r"self\.([a-z]\w*)(?:: \w+)? = ", inspect.getsource(kind)))

    assert attributes == set(re.findall(r"^    (\w+): ", inspect.cleandoc(kind.__doc__ or ""), re.MULTILINE))


def test_every_public_name_is_in_the_reference() -> None:
    """What cannot be looked up is not used."""
    page = (_DOCS / "api.md").read_text(encoding="utf-8")
    directives = re.findall(r"^::: (\S+)\.(\w+)$", page, re.MULTILINE)
    named = {name for module, name in directives if module == "inference_recorder"}
    named |= {kind.__name__ for kind in error_classes()} | {"RecorderError"}

    assert sorted(named) == sorted(inference_recorder.__all__)
    assert [] == [name for module, name in directives if not hasattr(import_module(module), name)]


def test_every_command_and_option_is_in_the_reference() -> None:
    """What `--help` says is what the site says."""
    page = commands.on_page_markdown((_DOCS / "commands.md").read_text(encoding="utf-8"))
    sections = dict(re.findall(r"^### `([^`]+)`\n(.*?)(?=^### )", page, re.DOTALL | re.MULTILINE))

    assert sorted(COMMANDS) == sorted({name.split()[0] for name in sections})
    for name, section in sections.items():
        help_text = CliRunner().invoke(main, [*name.split(), "--help"]).output
        options = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", help_text, re.MULTILINE)) - {"--help"}
        assert options == set(re.findall(r"^\| `(?:-\w, )?(--[a-z-]+)", section, re.MULTILINE))
        assert help_text.count("Exit codes:") == section.count("| exit code |")
        assert "\b" not in section
