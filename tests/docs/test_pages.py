"""Every block of README.md and docs/ is true."""

from __future__ import annotations

import ast
import re
from textwrap import dedent

import pytest
import yaml

import inference_recorder

from ..support.systems import needs_shell
from . import picture
from .environments import missing
from .pages import PAGES, Page
from .running import run, without_pip

SCRIPTS = [str(page) for page in PAGES.values() if page.is_script]


@pytest.mark.parametrize(
    "name", [name if name == "README.md" else pytest.param(name, marks=pytest.mark.slow) for name in SCRIPTS]
)
def test_its_commands_do_what_it_shows(name: str) -> None:
    """A reader who copies a command gets what the page shows."""
    needs_shell()
    page = PAGES[name]
    if packages := missing(page):
        pytest.skip(f"needs {', '.join(packages)}: python -m tests.docs {name}")
    if programs := page.missing_programs:
        pytest.skip(f"no {', '.join(programs)} on the PATH")

    assert run(page) > 0


@pytest.mark.quick_cases(200)
@pytest.mark.parametrize("page", PAGES.values(), ids=str)
def test_its_code_is_python_and_imports_what_there_is(page: Page) -> None:
    """A fragment is not run; it must at least be possible to run it."""
    for block in page.blocks:
        if block.language == "python":
            for node in ast.walk(ast.parse(dedent(block.text), f"{page}:{block.line}")):
                if isinstance(node, ast.ImportFrom) and node.module == "inference_recorder":
                    assert {alias.name for alias in node.names} <= set(inference_recorder.__all__), str(page)


@pytest.mark.quick_cases(200)
@pytest.mark.parametrize("page", PAGES.values(), ids=str)
def test_what_is_not_run_says_why(page: Page) -> None:
    """Every other console block and file is run, so an exception needs a reason."""
    assert [] == [
        f"{page}:{block.line}" for block in page.blocks if block.reason is not None and len(block.reason.split()) < 3
    ]


@pytest.mark.quick_cases(200)
@pytest.mark.parametrize("page", PAGES.values(), ids=str)
def test_every_fence_is_of_a_block_that_the_runner_knows(page: Page) -> None:
    """What it does not know, it would neither run nor miss."""
    fences = re.findall(r"^ *```", page.path.read_text(encoding="utf-8"), re.MULTILINE)

    assert 2 * len(page.blocks) == len(fences)


@pytest.mark.parametrize(
    "page", [page for page in PAGES.values() if "```yaml" in page.path.read_text("utf-8")], ids=str
)
def test_its_yaml_can_be_read_and_the_commands_of_its_workflows_are_run(page: Page) -> None:
    """A workflow runs on GitHub only; what can break in it is mostly its commands."""
    consoles = [block for block in page.blocks if block.language == "console" and block.reason is None]
    commands = [command.text for block in consoles for command in block.commands]
    documents = [yaml.safe_load(block.text) for block in page.blocks if block.language == "yaml" and not block.reason]
    jobs = [job for document in documents if "jobs" in document for job in document["jobs"].values()]
    steps = [step for document in documents if isinstance(document, list) for step in document]
    steps += [step for job in jobs for step in job["steps"]]
    for line in (without_pip(step["run"]) for step in steps if "run" in step):
        before, _, after = re.sub(r"\$\{\{.*?\}\}", "\0", line).partition("\0")  # where GitHub fills in a value
        assert any(before in command and after in command for command in commands), f"{page}: {line}"


def test_the_picture_of_a_miss_is_the_one_that_how_it_works_shows() -> None:
    """The first thing that a visitor sees; `python -m tests.docs.picture` draws it again."""
    assert picture.drawn(picture.shown()) == picture.FILE.read_text(encoding="utf-8")
