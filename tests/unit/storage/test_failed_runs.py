"""What is noted of tests that failed while they recorded: little, beside the recordings, and never trusted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from inference_recorder.storage.failed_runs import forget, note, recorded_in_failed_run

KEYS = [f"{number:064x}" for number in range(250)]


def noted_files(directory: Path) -> list[Path]:
    return sorted((directory / ".failed-runs").glob("*.json"))


def test_a_recording_that_has_changed_since_is_another_one(tmp_path: Path) -> None:
    """It was recorded again, by whatever run, or came from version control."""
    for key in KEYS[:3]:
        (tmp_path / f"{key}.json").write_bytes(b"{}")
    note(tmp_path, "test", {KEYS[0]: b"{}"})
    note(tmp_path, "test", {KEYS[1]: b"{}", KEYS[2]: b"{}"})
    note(tmp_path, "other", {KEYS[0]: b"{}"})
    (tmp_path / f"{KEYS[1]}.json").write_bytes(b"[]")
    (tmp_path / f"{KEYS[2]}.json").unlink()

    assert {str(tmp_path / f"{KEYS[0]}.json")} == recorded_in_failed_run(tmp_path, "test")
    forget(tmp_path, "test")
    assert (set(), 1) == (recorded_in_failed_run(tmp_path, "test"), len(noted_files(tmp_path)))


def test_a_test_that_fails_again_and_again_has_a_small_file(tmp_path: Path) -> None:
    """Its prompt holds the time of day, and nobody looks at the directory."""
    for start in range(0, len(KEYS), 50):
        note(tmp_path, "test", dict.fromkeys(KEYS[start : start + 50], b"{}"))

    [file] = noted_files(tmp_path)
    assert KEYS[-200:] == [*json.loads(file.read_text())["recordings"]]
    assert "*\n" == (tmp_path / ".failed-runs" / ".gitignore").read_text()


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        "[]",
        '{"recordings": [1]}',
        '{"recordings": {"../../x\\u0000": 1}}',
        f'{{"recordings": {{"a": {"[" * 900}{"]" * 900}}}}}',
    ],
    ids=["no JSON", "list", "list of names", "odd name", "deep"],
)
def test_a_strangers_file_is_ignored(content: str, tmp_path: Path) -> None:
    """It may hold anything; it hides no failure and breaks no run."""
    note(tmp_path, "test", {KEYS[0]: b"{}"})
    [file] = noted_files(tmp_path)
    file.write_text(content)

    assert set() == recorded_in_failed_run(tmp_path, "test")
    note(tmp_path, "test", {KEYS[0]: b"{}"})
    (tmp_path / f"{KEYS[0]}.json").write_bytes(b"{}")
    assert 1 == len(recorded_in_failed_run(tmp_path, "test"))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A stranger's recordings could otherwise have a test write or delete files elsewhere."""
    (tmp_path / "recordings").mkdir()
    note(tmp_path, "test", {KEYS[0]: b"{}"})
    (tmp_path / "recordings" / ".failed-runs").symlink_to(tmp_path / ".failed-runs")
    before = os.listdir(tmp_path / ".failed-runs")

    note(tmp_path / "recordings", "other", {KEYS[0]: b"{}"})
    forget(tmp_path / "recordings", "test")

    assert set() == recorded_in_failed_run(tmp_path / "recordings", "test")
    assert before == os.listdir(tmp_path / ".failed-runs")
