"""The README and docs/ are true: their tables, examples, commands and links."""

from __future__ import annotations

import re
from dataclasses import fields
from fnmatch import fnmatch
from pathlib import Path

import pytest

from inference_recorder.cli.main import COMMANDS
from inference_recorder.config import Table
from inference_recorder.request.normalizers import BUILT_IN_NAMES

from .plugin.conftest import Suite, suite  # noqa: F401 - a fixture

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = {
    path.relative_to(ROOT / "docs").as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "docs").rglob("*.md"))
}


def test_what_a_message_advises_has_a_test_that_follows_it() -> None:
    """A row whose test is gone would promise what nobody checks."""
    table = DOCS["advice.md"]
    rows = re.findall(r"^\|.*\| `(\S+)::(\w+)` \|$", table, re.MULTILINE)

    assert len(rows) == table.count("\n|") - 2
    assert [] == [
        f"{path}::{name}"
        for path, name in rows
        if not re.search(rf"^(?:async )?def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    ]


def test_every_command_is_in_its_table() -> None:
    """A command that nobody reads of is run by nobody; one that is gone is looked for in vain."""
    _, _, table = DOCS["commands.md"].partition("| command |")

    assert sorted(COMMANDS) == sorted(re.findall(r"^\|.*\| \[?`([a-z-]+)`\S* \|$", table, re.MULTILINE))


def test_every_option_of_the_plugin_is_in_its_table(suite: Suite) -> None:  # noqa: F811
    """The two ways to set one stand side by side there."""
    lines = "\n".join(suite.run("--help").outlines)
    [table] = re.findall(r"^\| on the command line.*?\n\n", DOCS["pytest.md"], re.DOTALL | re.MULTILINE)
    known = set(re.findall(r"^  (--inference-[a-z-]+)", lines, re.MULTILINE)) | {field.name for field in fields(Table)}

    assert known == {name.rstrip("=[") for name in re.findall(r"`(-*[a-z_-]+[a-z])", table)}


def test_every_built_in_normalizer_is_named() -> None:
    """They are known by name only."""
    assert [] == [name for name in BUILT_IN_NAMES if f"`{name}`" not in DOCS["normalizers.md"]]


def test_two_commands_set_everything_up_and_the_tests_run_with_known_versions() -> None:
    """The release of a dependency must not turn the second command red on a fresh machine."""
    commands = re.findall(r"^pip install -q -e '\.\[(\w+)\]' (.*)$", README, re.MULTILINE)

    assert ["cli", "test"] == [extra for extra, _ in commands]
    [constraints] = re.findall(r"^-c (\S+) && pytest -q -n 2$", commands[1][1])
    assert (ROOT / constraints).is_file()


@pytest.mark.quick_cases(200)
@pytest.mark.parametrize("name", ["README.md", *DOCS])
def test_links_lead_to_files_and_sections(name: str) -> None:
    """A picture that was moved is a grey box on the page that everybody sees first."""
    page = ROOT / name if name == "README.md" else ROOT / "docs" / name
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", prose)

    broken = [
        (path, title) for path, title in links if not _leads_somewhere(page.parent / path if path else page, title)
    ]

    assert [] == broken


def _leads_somewhere(page: Path, title: str) -> bool:
    if not page.is_file():
        return False
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE) if title else []
    slugs = [re.sub(r"[^a-z0-9 _-]", "", found.lower()).replace(" ", "-") for found in titles]
    return not title or title in slugs


def test_the_readme_and_every_page_are_short() -> None:
    """A newcomer reads one page, and looks up the others."""
    assert 200 > README.count("\n")
    assert [] == [name for name, text in DOCS.items() if text.count("\n") >= 150]


def test_every_page_is_in_the_sites_navigation_and_in_its_index_for_language_models() -> None:
    """A page that nothing leads to is read by nobody."""
    index, _, navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")
    indexed = re.findall(r"^          - (\S+\.md)", index, re.MULTILINE)

    assert sorted(DOCS) == sorted(re.findall(r"^ +- .+: (\S+\.md)$", navigation, re.MULTILINE))
    assert set() == {name for name in DOCS if not any(fnmatch(name, pattern) for pattern in indexed)}
