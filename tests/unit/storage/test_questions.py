"""Reading what was asked without what was answered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inference_recorder import CorruptRecording
from inference_recorder.storage.catalogue import entry_of, entry_without_answer

from ..diagnosis.directories import asks, put


@pytest.mark.parametrize("layout", ["ours", "one line"])
@pytest.mark.parametrize("words", [1, 20_000], ids=["short", "longer than what is read first"])
def test_a_question_is_that_of_the_whole_file(layout: str, words: int, recordings: Path) -> None:
    """In whatever layout, and however long the prompt."""
    path = put(recordings, asks("word " * words), answer="a" * 200_000)
    if layout == "one line":
        path.write_text(json.dumps(json.loads(path.read_text())))
    question, entry = entry_without_answer(path), entry_of(path)

    assert (entry.path, entry.test_id, entry.request) == (question.path, question.test_id, question.request)
    assert entry.is_sdk_call


def test_a_long_answer_is_not_read(recordings: Path) -> None:
    """Three thousand recordings of a megabyte each are three gigabytes."""
    path = put(recordings, asks("Say hello."), answer="a" * 200_000)

    assert len(entry_without_answer(path).content) < 40_000 < len(entry_of(path).content)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{\n  "request": [,\n  "response": {}}'])
def test_what_cannot_be_read_is_corrupt(content: bytes, recordings: Path) -> None:
    """As for those who read all of it."""
    recordings.mkdir()
    (recordings / "a.json").write_bytes(content)
    for path in (recordings / "a.json", recordings / "none.json", recordings):
        with pytest.raises(CorruptRecording):
            entry_without_answer(path)
