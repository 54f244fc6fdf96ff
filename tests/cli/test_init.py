"""`inference-recorder init`: from nothing to recordings that are reviewed and checked."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ..support.openai_server import OpenAIServer
from ..support.systems import needs_shell
from .recorded import record, run

CONFIG = ".pre-commit-config.yaml"
TEST = """
import os
import openai
import pytest

@pytest.mark.inference_recording
def test_it():
    with openai.OpenAI(base_url=os.environ["SERVER"], http_client=openai.DefaultHttpxClient(verify=False)) as client:
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(project: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in project.iterdir() if path.is_file()}


@pytest.mark.slow
def test_a_new_project_records_and_is_green_in_ci(
    project: Path, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command that it prints or writes works as it stands."""
    for name, value in {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-q -p no:cacheprovider -p no:randomly -W ignore")
    monkeypatch.setenv("SERVER", server.base_url)
    shell("git init -q")
    (project / "test_it.py").write_text(TEST)
    written = run("init", "--write")
    assert 0 == written.exit_code, written.output

    [mode] = re.findall(r"--inference-mode=\S+", (project / "pyproject.toml").read_text())
    shell(f"OPENAI_API_KEY=sk-test pytest {mode}")
    clone = re.findall(r"^  (git config .*)$", written.stdout, re.MULTILINE)
    for command in clone:
        shell(command)
    page = (Path(__file__).parents[2] / "docs" / "recipes" / "git.md").read_text(encoding="utf-8")
    assert all(command in page for command in clone)
    [hook] = yaml.safe_load((project / CONFIG).read_text())["repos"][0]["hooks"]
    shell(hook["entry"])
    for step in re.findall(r"^  - run: (.*)$", written.stdout, re.MULTILINE):
        shell(f"CI=true {step}")

    [recording] = (project / "recordings").glob("*.json")
    assert re.search(hook["files"], f"recordings/{recording.name}")
    assert 1 == server.count
    attributes = shell(f"git check-attr diff linguist-generated -- recordings/{recording.name}")
    assert ["inference-recording", "set"] == re.findall(r": (\S+)$", attributes, re.MULTILINE)
    assert "true\n" == shell("git config diff.inference-recording.cachetextconv")
    assert "user\n" in shell(f"git config diff.inference-recording.textconv | xargs -I % sh -c '% {recording}'")


def shell(command: str) -> str:
    needs_shell()
    done = subprocess.run(command, shell=True, capture_output=True, text=True)  # noqa: S602 - what a person types
    assert 0 == done.returncode, (command, done.stdout, done.stderr)
    return done.stdout


def test_it_only_shows_what_it_would_write(project: Path) -> None:
    """And says how to have it written."""
    shown = run("init")
    assert {} == contents(project)
    assert "inference-recorder init --write" in shown.stderr

    run("init", "--write")
    added = [line.removeprefix("+ ") for line in shown.stdout.splitlines() if line.startswith("+ ")]
    written = [line for content in contents(project).values() for line in content.decode().splitlines()]
    assert sorted(written) == sorted(added)


EXISTING = {
    "pyproject.toml": b'[project]\r\nname = "x"',
    ".gitattributes": b"*.png binary\nrecordings/*.bin mine",
    CONFIG: b"# Ours.\nrepos:\n# first\n- repo: https://example.org/x\n  rev: v1\n  hooks: [id: x]\nfail_fast: true\n",
}


def test_what_is_there_stays_and_the_second_time_changes_nothing(project: Path) -> None:
    """Files that a team has written over years."""
    for name, content in EXISTING.items():
        (project / name).write_bytes(content)

    first = run("init", "--write")
    after = contents(project)
    second = run("init", "--write")

    assert [0, 0] == [first.exit_code, second.exit_code], first.output
    assert after == contents(project)
    assert "+ " not in second.stdout
    for name, content in EXISTING.items():
        lines = iter(after[name].splitlines())
        assert all(line in lines for line in content.splitlines()), name  # in their order
    assert b'name = "x"\r\n\r\n[tool.inference_recorder]\r\n' in after["pyproject.toml"]
    assert 1 == after[".gitattributes"].count(b"recordings/*.bin")
    repos = yaml.safe_load(after[CONFIG])["repos"]
    assert ["local", "https://example.org/x"] == [repo["repo"] for repo in repos]


@pytest.mark.parametrize("content", ["repos: []\n", "repos: [{repo: local, hooks: []}]\n", "x: 1\n", "- 1\n"])
def test_what_cannot_be_added_safely_is_left_to_the_user(content: str, project: Path) -> None:
    """It exits with 1 and shows the text."""
    (project / CONFIG).write_text(content)

    result = run("init", "--write")

    assert 1 == result.exit_code
    assert f"{CONFIG}: add this to its repos by hand" in result.stdout
    assert "+   - repo: local" in result.stdout
    assert content == (project / CONFIG).read_text()


def test_a_setup_py_still_says_how_the_project_is_built(project: Path) -> None:
    """A pyproject.toml would make pip build it in another way."""
    (project / "setup.py").touch()

    assert 0 == run("init", "--write").exit_code
    assert not (project / "pyproject.toml").exists()


@pytest.mark.parametrize(
    ("table", "recordings", "attributes"),
    [
        ('recordings = "tests/my llm"', "tests/my llm", '"tests/my llm/*.json"'),
        ("recordings_beside_tests = true", "tests/recordings", "**/recordings/*.json"),
    ],
)
def test_it_names_the_directories_of_a_project_of_a_repository(
    table: str, recordings: str, attributes: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pre-commit runs in the repository's root, where another configuration applies."""
    (project / ".git").mkdir()
    (project / "a/tests").mkdir(parents=True)
    (project / "a/pyproject.toml").write_text(f"[tool.inference_recorder]\n{table}\n")
    path = record(project / "a" / recordings, question="Hi")
    monkeypatch.chdir(project / "a/tests")
    run("init", "--write")
    monkeypatch.chdir(project)

    [hook] = yaml.safe_load((project / CONFIG).read_text())["repos"][0]["hooks"]
    checked = run(*shlex.split(hook["entry"])[1:])

    assert f"{attributes} -text" in (project / "a/.gitattributes").read_text()
    assert re.search(hook["files"], path.relative_to(project).as_posix())
    assert "\n1 recording\n" in checked.stderr
