"""What strangers see first: the page on PyPI, the addresses of the project, and the workflows that release it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
URLS: dict[str, str] = PROJECT["urls"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SHELLCHECK = shutil.which("shellcheck")
ADDRESS = re.compile(
    r"https?://(?:github\.com|raw\.githubusercontent\.com|[\w.-]+\.readthedocs\.io)(?:/[^\s\"'`)<>\]]*)?"
)


def texts() -> Iterator[tuple[Path, str]]:
    """Yield what is written for people, and for machines that publish it, with its path."""
    endings = (".html", ".md", ".py", ".toml", ".txt", ".yaml", ".yml")
    below = (path for top in ("docs", ".github", "inference_recorder") for path in (ROOT / top).rglob("*"))
    for path in (*below, *ROOT.glob("*")):
        if path.suffix in endings and path.is_file():
            yield path, path.read_text(encoding="utf-8")


def workflow(name: str) -> Any:
    return yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name of the workflow, step) for each step of every workflow."""
    for path in WORKFLOWS:
        for job in workflow(path.stem)["jobs"].values():
            yield from ((path.name, step) for step in job.get("steps", ()))


def test_every_address_of_the_project_is_that_of_its_metadata() -> None:
    """If the project moves, a forgotten link leads to the next owner of the old name."""
    known = (URLS["Source"], URLS["Documentation"])

    own = [(path.name, found) for path, text in texts() for found in ADDRESS.findall(text) if "inference-rec" in found]

    as_shown = [(name, url.replace("//raw.githubusercontent.com/", "//github.com/")) for name, url in own]
    assert {"pyproject.toml", "config.yml"} <= {name for name, _ in as_shown}
    assert [] == [
        (name, url) for name, url in as_shown if not re.match("|".join(rf"{one}(?![\w.-])" for one in known), url)
    ]


def test_every_version_of_python_that_is_claimed_is_tested_on_every_system_that_is_claimed() -> None:
    """A classifier is a promise, and what reads it is not a person."""
    matrix = workflow("tests")["jobs"]["suite"]["strategy"]["matrix"]
    claimed = re.findall(
        r"^Programming Language :: Python :: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.MULTILINE
    )

    assert claimed == matrix["python"]
    assert PROJECT["requires-python"] == f">={claimed[0]}"
    assert ["ubuntu-latest", "macos-latest", "windows-latest"] == matrix["os"]


def test_an_action_is_pinned_to_a_commit_and_says_its_version() -> None:
    """A tag can be moved to other code, which then releases the package."""
    lines = [line for path in WORKFLOWS for line in path.read_text(encoding="utf-8").splitlines() if "uses: " in line]

    assert 10 < len(lines)
    own = re.compile(r"\s+uses: \./\.github/workflows/\w+\.yml .*")
    assert [] == [
        line
        for line in lines
        if not re.fullmatch(r"\s+(- )?uses: [\w/.-]+@[0-9a-f]{40} # v[\d.]+", line) and not own.match(line)
    ]


def test_workflows_may_do_nothing_but_read_and_publish() -> None:
    """What a dependency does in a workflow, it does with these rights."""
    rights = {
        (path.stem, right, level)
        for path in WORKFLOWS
        for job in workflow(path.stem)["jobs"].values()
        for right, level in job["permissions"].items()
    }

    assert all(workflow(path.stem)["permissions"] == {} for path in WORKFLOWS)
    assert {("release", "id-token", "write")} == {right for right in rights if right[1:] != ("contents", "read")}
    assert [] == [
        step
        for _, step in steps()
        if "checkout@" in step.get("uses", "") and step["with"]["persist-credentials"] is not False
    ]


@pytest.mark.slow
@pytest.mark.skipif(SHELLCHECK is None, reason="no shellcheck on the PATH; .ci/run installs it")
def test_the_commands_of_the_workflows_pass_shellcheck() -> None:
    """actionlint, which also gives them to it, is not on every machine."""
    commands = [step["run"] for _, step in steps() if "run" in step]

    assert 10 < len(commands)
    assert [] == [
        run.stdout
        for command in commands
        if (
            run := subprocess.run([str(SHELLCHECK), "-s", "bash", "-"], input=command, capture_output=True, text=True)
        ).stdout
    ]


@pytest.mark.slow
def test_no_link_of_the_page_on_pypi_is_relative() -> None:
    """There is nothing beside the page on PyPI: a relative link leads nowhere, and a picture is missing."""
    from build.util import project_wheel_metadata

    page = str(project_wheel_metadata(ROOT).get_payload())

    links = re.findall(r"\]\(([^)\s]*)|(?:src|srcset|href)=\"([^\"]*)|^\[[^\]]+\]: *(\S+)", page, re.MULTILINE)
    targets = [target for link in links for target in link if target]
    assert [] == [target for target in targets if not target.startswith(("https://", "#"))]
    assert any(target.startswith(f"{URLS['Documentation']}/en/stable/") for target in targets)
    assert [] == [target for target in targets if "$" in target or re.search(r"readthedocs\.io.*(\.md|//)", target)]
    assert [] == [target for target in targets if "/blob/" in target and f"/v{PROJECT['version']}/" not in target]
