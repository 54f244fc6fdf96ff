"""Closing a session while calls run."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import inference_recording
from inference_recorder.engine.decisions import Record
from inference_recorder.engine.engine import Engine
from inference_recorder.modes import InferenceMode
from inference_recorder.recording.answer import Value
from inference_recorder.recording.layout import recording_name
from inference_recorder.request.request import Request
from inference_recorder.storage.catalogue import entry_of
from inference_recorder.storage.directories import Directories
from inference_recorder.storage.store import Store

from ...conftest import HELLO, files_of
from ...robustness.in_memory import client_answered_by, http
from ...support.openai_server import completion

THREADS, CALLS = 6, 12


@pytest.mark.usefixtures("sessions_are_runs")
def test_no_answer_is_lost_if_a_session_closes_while_threads_make_calls(recordings: Path) -> None:
    """A server under test goes on with its requests when the test has ended."""
    numbers, guard = iter(range(10_000)), threading.Lock()
    half_done = threading.Event()

    def answer(path: str, body: dict[str, Any]) -> Any:
        with guard:
            number = next(numbers)
        if number == THREADS * CALLS // 2:
            half_done.set()
        if number % 5 == 0:
            raise http.ConnectError("lost")  # is not recorded, and leaves a gap while later calls are in flight
        return completion(f"answer {number}")

    def call_often() -> None:
        for _ in range(CALLS):
            try:
                client.chat.completions.create(**HELLO)
            except openai.APIConnectionError:
                pass

    threads = [threading.Thread(target=call_often) for _ in range(THREADS)]
    with client_answered_by(answer) as client:
        with inference_recording("record", recordings) as session:
            for thread in threads:
                thread.start()
            assert half_done.wait(60)
        for thread in threads:
            thread.join()

    stored = [(recordings / name).read_text(encoding="utf-8") for name in files_of(recordings)]
    assert len(session.recorded) == len(stored) == len(set(stored)) > 0
    key = session.recorded[0].key
    assert {f"{recording_name(key, number + 1)}.json" for number in range(len(stored))} == set(files_of(recordings))


def test_finishing_a_series_waits_for_a_recording_that_is_being_written(tmp_path: Path) -> None:
    """It renumbers the answers: one that is written under its old number would replace another."""
    store = Store(Directories(written=tmp_path, read=(tmp_path,)))
    engine = Engine(InferenceMode.RECORD, store, test_id="test")
    request = Request("POST", "/v1/x", "https://host/v1/x", {"model": "m"}, '{"model": "m"}')
    first, second, third = [engine.decide(request) for _ in range(3)]
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert isinstance(third, Record)
    engine.captures.abandon(first)
    engine.captures.save(third, Value({"text": "third"}))
    save_second = threading.Thread(target=engine.captures.save, args=(second, Value({"text": "second"})))
    finish = threading.Thread(target=engine.attempt_series.finish, kwargs={"is_cut": True})

    with store.locks.writing(recording_name(second.key, 2)):
        save_second.start()
        while not second.series.writing:
            save_second.join(0.001)
        finish.start()
        finish.join(0.3)
    save_second.join()
    finish.join()

    answers = [entry_of(tmp_path / f"{recording_name(second.key, n)}.json").recording().answer for n in (1, 2)]
    assert [{"text": "second"}, {"text": "third"}] == [answer.body for answer in answers]
    assert 2 == len(files_of(tmp_path))
