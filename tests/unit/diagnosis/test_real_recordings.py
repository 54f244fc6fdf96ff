"""Explanations over real recordings: llama-stack's, where they are present, and thousands of our own."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from pathlib import Path

import pytest

from inference_recorder.cli.answers import readable_answer
from inference_recorder.diagnosis.differences import differences
from inference_recorder.diagnosis.index import Index
from inference_recorder.diagnosis.nearest import Question, explanation_of, question_in
from inference_recorder.errors import CorruptRecording
from inference_recorder.explanation import lines_of
from inference_recorder.recording.answer import Streamed
from inference_recorder.recording.body import untyped
from inference_recorder.request.jsonable import plain_arguments
from inference_recorder.storage.catalogue import Entry, entries_in

from ...conftest import SHARED
from .directories import asks, put, question

CORPUS = SHARED / "corpus"
NO_CORPUS = pytest.mark.skipif(not CORPUS.is_dir(), reason="needs ../shared/corpus, which is not part of the project")


@pytest.fixture(scope="module")
def directories(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the folders of a copy of the corpus."""
    copy = shutil.copytree(CORPUS, tmp_path_factory.mktemp("corpus") / "copy")
    return sorted({path.parent for path in copy.rglob("*.json")})


def of_the_sdk(directories: list[Path]) -> list[Entry]:
    found = [one for one in entries_in(directories) if not isinstance(one, CorruptRecording)]
    return [one for one in found if one.is_sdk_call]


def changed(asked: Question) -> Question:
    body, text, _ = plain_arguments(asked.request.body | {"seed": 12345})
    return asked._replace(request=asked.request._replace(body=body, body_text=text), key="0" * 64)


@NO_CORPUS
def test_a_changed_request_comes_nearest_to_the_one_it_was(directories: list[Path]) -> None:
    """Of each real recording, one argument more is one difference, and nothing else is shown."""
    index = Index(directories)
    entries = of_the_sdk(directories)
    for entry in entries:
        explanation = explanation_of(changed(question_in(entry)), index)

        assert explanation.nearest is not None
        assert entry.test_id == explanation.nearest.test_id or entry.endpoint == "/v1/models"
        assert "$.seed" in {one.path for one in explanation.nearest.differences}
        assert {"$.seed", "url"} >= {one.path for one in explanation.nearest.differences}, entry.path
    assert len(entries) == 253


@NO_CORPUS
def test_a_renamed_test_is_recognised(directories: list[Path]) -> None:
    """Of each real recording that belongs to a test."""
    index = Index(directories)
    reasons: Counter[str] = Counter()
    for entry in of_the_sdk(directories):
        renamed = f"renamed/{entry.test_id}"
        explanation = explanation_of(question_in(entry)._replace(test_id=renamed, key="0" * 64), index)

        assert explanation.nearest is not None
        reasons[explanation.nearest.reason] += 1
        if explanation.nearest.reason == "other test":
            assert explanation.renamed_from is not None or None in explanation.recorded_for
            assert entry.test_id is None or entry.test_id in explanation.recorded_for
            assert list(lines_of(explanation, renamed, directories[0]))
    assert {"other test", "other name"} >= set(reasons), reasons
    assert reasons["other test"] > 200


@NO_CORPUS
def test_a_recording_does_not_differ_from_itself_and_its_text_is_joined(directories: list[Path]) -> None:
    """`diff A A` says "the same" for every real file, and a stream is one answer."""
    for entry in of_the_sdk(directories):
        recording = entry.recording()
        answer, read = recording.answer, readable_answer(recording)

        assert [] == list(differences(read, readable_answer(recording)))
        if isinstance(answer, Streamed) and entry.endpoint == "/v1/chat/completions" and answer.failure is None:
            parts = [
                choice["delta"].get("content") or "" for chunk in answer.chunks for choice in untyped(chunk)["choices"]
            ]
            messages = [choice["message"].get("content") or "" for choice in read["body"]["choices"]]
            assert "".join(parts) == "".join(messages)


@pytest.mark.slow
def test_how_long_a_miss_takes_among_3000_recordings(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Within 300 ms on the machine it was written on; printed, since a busy one takes longer."""
    for number in range(3000):
        words = " ".join(f"word{number * word % 997}" for word in range(200))
        put(recordings, asks("Be brief.", words), f"tests/test_{number // 10}.py::test_{number}", answer="a" * 20_000)
    begun = time.perf_counter()
    index = Index([recordings])
    read = time.perf_counter()
    explanation = explanation_of(question(asks("Be brief.", "word5 word10 word15")), index)
    end = time.perf_counter()

    with capsys.disabled():
        print(f"\n3,000 recordings: read in {(read - begun) * 1e3:.0f} ms, ranked in {(end - read) * 1e3:.0f} ms")
    assert 3000 == index.read
    assert explanation.nearest is not None
