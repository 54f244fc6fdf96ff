"""`inference-recorder scan`: secrets that recording would have hidden, in existing files."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from inference_recorder.cli.main import main

from ..conftest import SHARED
from ..support.secret_table import SECRETS
from .recorded import at_a_terminal

ROOT = Path(__file__).parents[2]


def recording(text: str) -> str:
    body = {"__type__": "x", "__data__": {"choices": [{"message": {"content": text}}]}}
    return json.dumps({"test_id": None, "request": {}, "response": {"body": body, "is_streaming": False}}, indent=2)


def streamed(text: str) -> str:
    chunks = [
        {"__type__": "x", "__data__": {"choices": [{"index": 0, "delta": {"content": text[start : start + 3]}}]}}
        for start in range(0, len(text), 3)
    ]
    response = {"body": chunks, "is_streaming": True}
    return json.dumps({"test_id": None, "request": {}, "response": response, "id_normalization_mapping": {}}, indent=2)


def in_base64(text: str) -> str:
    body = {"__type__": "base64", "__data__": base64.b64encode(text.encode()).decode()}
    return json.dumps({"test_id": None, "request": {}, "response": {"body": body}})


@pytest.mark.parametrize("written", [str, recording, streamed, in_base64], ids=["text", "answer", "stream", "base64"])
def test_each_kind_is_found_and_not_shown(written, tmp_path):
    """Printing the key into the log of a public pull request would make it worse."""
    for secret in SECRETS:
        text = written(secret.text.format(secret.one))
        (tmp_path / "a.json").write_text(text)

        result = CliRunner().invoke(main, ["scan", "--json", str(tmp_path)])

        assert 1 == result.exit_code, (secret.kind, text)
        assert secret.one not in result.output
        assert str(tmp_path / "a.json") == json.loads(result.output)[0]["file"]


def test_the_line_is_named(tmp_path):
    """A recording has hundreds."""
    secret = SECRETS[0]
    (tmp_path / "a.json").write_text("{\n\n" + json.dumps(secret.one) + "\n}")

    result = CliRunner().invoke(main, ["scan", str(tmp_path / "a.json")])

    assert f"{tmp_path / 'a.json'}\t3\tOpenAI, Anthropic or like key\tsk-" in result.stdout
    assert "1 secret in 1 file; 1 file scanned" in result.stderr


@pytest.mark.parametrize("directory", ["recordings", "corpus"])
def test_clean_files_pass(directory):
    """A hook with false alarms gets disabled. The corpus names watsonx projects, but no other secrets."""
    path = ROOT / "recordings" if directory == "recordings" else SHARED / "corpus"
    if not path.is_dir():
        pytest.skip("../shared/corpus is not here")

    result = CliRunner().invoke(main, ["scan", "--json", str(path)])

    assert (0, []) == (result.exit_code, json.loads(result.output))


def test_a_terminal_gets_no_empty_table(tmp_path):
    """A head without lines looks as if the list were cut off."""
    (tmp_path / "a.json").write_text("{}")

    code, shown = at_a_terminal("scan", tmp_path)

    assert (0, True) == (code, "no secrets; 1 file scanned" in shown)
    assert 1 == len(shown.splitlines())


def test_the_value_of_a_variable_is_found(tmp_path, monkeypatch):
    """This finds keys of unknown shapes that are still in the environment."""
    monkeypatch.setenv("WEATHER_API_KEY", "wonderful-weather-wind")
    (tmp_path / "a.json").write_text(recording("wonderful-weather-wind"))

    result = CliRunner().invoke(main, ["scan", "--json", str(tmp_path)])

    assert ["known value"] == [leak["kind"] for leak in json.loads(result.output)]
    assert "wonderful-weather-wind" not in result.output


def test_ignored_patterns_are_not_reported(tmp_path):
    """Documentation's example keys look real."""
    (tmp_path / "a.json").write_text(recording(SECRETS[0].one))

    pattern = re.escape(SECRETS[0].one[:8])
    result = CliRunner().invoke(main, ["scan", "--ignore", pattern, str(tmp_path)])

    assert 0 == result.exit_code


@pytest.mark.parametrize("arguments", [["scan", "--ignore", "("], ["scan", "no-such-directory"]])
def test_wrong_usage_exits_with_2(arguments):
    """A hook that was called wrongly must not look like one that found nothing."""
    assert 2 == CliRunner().invoke(main, arguments).exit_code


@pytest.mark.slow
def test_it_works_as_a_pre_commit_hook(tmp_path):
    """Only pre-commit itself reads the hook's file."""
    if shutil.which("pre-commit") is None:
        pytest.skip("pre-commit is not installed")
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "a.json").write_text(recording(SECRETS[0].one))
    for command in (["git", "init", "-q"], ["git", "add", "."]):
        subprocess.run(command, cwd=tmp_path, check=True)

    done = subprocess.run(
        ["pre-commit", "try-repo", str(ROOT), "inference-recorder-scan", "--all-files"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert 1 == done.returncode
    assert "a.json\t" in done.stdout


def test_the_hook_calls_an_existing_command(tmp_path):
    """A renamed command must be renamed there too."""
    hook = (ROOT / ".pre-commit-hooks.yaml").read_text() if (ROOT / ".pre-commit-hooks.yaml").exists() else None
    if hook is None:
        pytest.skip("the suite runs without the checkout")
    entry = re.search(r"entry: inference-recorder (\w+)", hook)
    assert entry is not None
    (tmp_path / "a.json").write_text(recording(SECRETS[0].one))

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from inference_recorder.cli.main import main; main()",
            entry[1],
            str(tmp_path / "a.json"),
        ],
        capture_output=True,
        text=True,
    )

    assert 1 == done.returncode, done.stderr
