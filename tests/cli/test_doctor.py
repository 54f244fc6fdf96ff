"""`inference-recorder doctor`: the first thing to run when a test misses its recording."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import openai
import pytest
from click.testing import CliRunner

from inference_recorder.cli.main import main
from inference_recorder.config import Table
from inference_recorder.sdk import coverage, private_names, targets
from inference_recorder.sdk.private_names import Internal


def test_it_shows_versions_directories_and_the_source_of_the_mode(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Half of all misses come from an unexpected mode or directory."""
    (tmp_path / "a.json").touch()
    monkeypatch.setenv("LLAMA_STACK_TEST_RECORDING_DIR", str(tmp_path))
    monkeypatch.setenv("LLAMA_STACK_TEST_INFERENCE_MODE", "record")
    result = CliRunner().invoke(main, ["doctor"])

    assert 0 == result.exit_code, result.output
    assert openai.__version__ in result.output
    assert f"read from {tmp_path}: 1 recording" in result.output
    assert "chosen by LLAMA_STACK_TEST_RECORDING_DIR" in result.output
    assert "record (chosen by LLAMA_STACK_TEST_INFERENCE_MODE)" in result.output
    assert "AsyncCompletions.create" in result.output
    assert "missing" not in result.output


def test_mode_and_directory_come_first_and_every_setting_names_its_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is installed is rarely the reason, and a forgotten line of a file often is."""
    (tmp_path / "pyproject.toml").write_text('[tool.inference_recorder]\nauto = true\nredact = ["my-secret"]\n')
    monkeypatch.chdir(tmp_path)

    lines = CliRunner().invoke(main, ["doctor"]).output.splitlines()

    assert ["Mode", "  replay (chosen by default)", "", "Recordings"] == lines[:4]
    assert f"  written to {tmp_path}/recordings (chosen by default)" == lines[4]
    start = lines.index(f"Settings ([tool.inference_recorder] of {tmp_path}/pyproject.toml)")
    settings = dict(line.split(maxsplit=1) for line in lines[start + 1 : lines.index("", start)])
    assert {field.name for field in fields(Table)} == settings.keys()
    assert ["True", "1 rule", "not set"] == [settings[name] for name in ("auto", "redact", "normalize")]


def test_a_missing_method_fails_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found before a test reaches the network after an upgrade of the SDK."""
    moved = targets.resource_methods.targets()[0]
    monkeypatch.setattr(targets.resource_methods, "targets", lambda: [_renamed(moved)])
    result = CliRunner().invoke(main, ["doctor"])

    assert 1 == result.exit_code
    assert "Completions.moved" in result.output
    assert "missing" in result.output


def test_a_private_name_that_the_sdk_has_moved_fails_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay relies on some names that the SDK does not document."""
    moved = Internal("openai._streaming", "Stream", "_moved")
    gone = Internal("openai._gone", "Stream", "_iterator")
    monkeypatch.setattr(private_names, "INTERNALS", [*private_names.INTERNALS, moved, gone])
    result = CliRunner().invoke(main, ["doctor"])

    assert 1 == result.exit_code
    assert "openai._streaming.Stream._moved: missing" in result.output
    assert "openai._gone.Stream._iterator: missing" in result.output


def test_an_unknown_mode_fails_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would fail every test."""
    monkeypatch.setenv("LLAMA_STACK_TEST_INFERENCE_MODE", "rekord")
    result = CliRunner().invoke(main, ["doctor"])

    assert 1 == result.exit_code
    assert "LLAMA_STACK_TEST_INFERENCE_MODE is 'rekord'" in result.output


def _renamed(target: coverage.Target) -> coverage.Target:
    return coverage.Target(target.module, target.owner, "moved", target.wrapper, target.since)
