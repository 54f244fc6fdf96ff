"""The README and docs/ are true: their tables, examples, commands and links."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from inference_recorder.cli.main import COMMANDS
from inference_recorder.config import Table
from inference_recorder.request.normalizers import BUILT_IN_NAMES

from .conftest import files_of
from .plugin.conftest import Suite, line_of, suite  # noqa: F401 - a fixture
from .support.openai_server import OpenAIServer, Reply, chunks

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = {
    path.relative_to(ROOT / "docs").as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "docs").rglob("*.md"))
}


def example(start: str) -> str:
    """Return the one block of Python that starts so."""
    [found] = [block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if block.startswith(start)]
    return str(found)


def sessions() -> str:
    """Return all that is shown of terminals."""
    return "\n".join(re.findall(r"```console\n(.*?)```", README, re.DOTALL))


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
    assert 250 > README.count("\n")
    assert [] == [name for name, text in DOCS.items() if text.count("\n") >= 150]


def test_every_page_is_in_the_sites_navigation() -> None:
    """A page that nothing leads to is read by nobody."""
    _, _, navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")

    assert sorted(DOCS) == sorted(re.findall(r"^ +- .+: (\S+\.md)$", navigation, re.MULTILINE))


def test_its_first_example_records_under_the_printed_name(server: OpenAIServer, tmp_path: Path) -> None:
    """The first thing that anybody tries."""
    server.scripts["/v1/chat/completions"] = lambda asked, number: Reply(events=chunks("Hello, ", "tests!")[:-1])
    (tmp_path / "hello.py").write_text(example("from openai"))
    left_out = ("OPENAI_API_KEY", "PYTEST_CURRENT_TEST")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    recording = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": server.base_url,
        "LLAMA_STACK_TEST_INFERENCE_MODE": "record-if-missing",
    }

    printed = [
        subprocess.check_output([sys.executable, "hello.py"], cwd=tmp_path, env=environment | more, text=True)
        for more in (recording, {})
    ]

    assert (["Hello, tests!\n"] * 2, 1) == (printed, server.count)
    assert 2 == sessions().count("\nHello, tests!\n")
    [name] = files_of(tmp_path / "recordings")
    [shown] = re.findall(r"recordings/([0-9a-f]+)…", sessions())[:1]
    assert name.startswith(shown)


def test_its_test_is_recorded_and_replayed(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """From an empty folder to a green test with one marker, in the steps that it gives."""
    test = example("# test_greeting.py")
    steps = re.findall(r"^\$ pytest (.*)$", sessions(), re.MULTILINE)
    (suite.directory / "test_greeting.py").write_text(test)
    with monkeypatch.context() as recording:
        recording.setenv("OPENAI_API_KEY", "sk-test")
        recording.setenv("OPENAI_BASE_URL", suite.server.base_url)
        recorded = suite.run(*steps[0].split())
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    replayed = suite.run(*steps[1].split())
    (suite.directory / "test_greeting.py").write_text(test.replace("Say hello.", "Say hello to the whole team."))
    missed = suite.run(*steps[2].split())

    [name] = suite.files()
    assert name.startswith(re.findall(r"inference-recorder show ([0-9a-f]+)", sessions())[0])
    outcomes = re.findall(r"^recordings: .*$", sessions(), re.MULTILINE)
    assert outcomes == [line_of(result, "recordings:") for result in (recorded, replayed, missed)]
    [shown] = [block for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL) if block.count("\nE  ") > 10]
    shown_lines = re.findall(r"^(?:E  |test_greeting.py:\d+:|    ) *(.*)$", shown, re.MULTILINE)
    assert 1 == suite.server.count
    assert [] == [line for line in shown_lines if "…" not in line and line not in str(missed.stdout)]
