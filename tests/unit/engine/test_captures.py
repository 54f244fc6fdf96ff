"""What a session stores when it closes, and what it raises then."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from inference_recorder import UnwritableRecording
from inference_recorder.engine.decisions import Record
from inference_recorder.engine.engine import Engine
from inference_recorder.engine.test_run import TestRun
from inference_recorder.modes import InferenceMode
from inference_recorder.recording.answer import Answer, Streamed, Value
from inference_recorder.recording.layout import recording_name
from inference_recorder.request.request import Request
from inference_recorder.storage.catalogue import entry_of
from inference_recorder.storage.directories import Directories
from inference_recorder.storage.store import Store

from ...conftest import files_of

REQUEST = Request("POST", "/v1/x", "https://host/v1/x", {"model": "m"}, '{"model": "m"}')


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(InferenceMode.RECORD, Store(Directories(written=tmp_path, read=(tmp_path,))), test_id="test")


def recording_call(engine: Engine) -> Record:
    decision = engine.decide(REQUEST)
    assert isinstance(decision, Record)
    return decision


def recorded_answer(directory: Path, call: Record) -> Answer:
    return entry_of(directory / f"{recording_name(call.key, call.state.position)}.json").recording().answer


def test_an_answer_that_a_thread_could_not_store_is_an_error_of_the_session(engine: Engine, tmp_path: Path) -> None:
    """Nobody waits for that thread, so no caller gets its error."""
    call = recording_call(engine)
    (tmp_path / f"{call.key}.json").mkdir()
    engine.captures.save_later(call, Value({"text": "paid for"}))

    with pytest.raises(UnwritableRecording):
        engine.close()


def test_a_stream_that_ends_while_its_session_closes_stays_whole(engine: Engine, tmp_path: Path) -> None:
    """Another thread reads it to its end while the session still stores the stream before it."""
    calls = [recording_call(engine), recording_call(engine)]
    ended: list[Record] = []

    def end(call: Record) -> Answer:
        if not ended:
            engine.captures.save(call, Streamed([{"text": "a"}, {"text": "b"}]))
            ended.append(call)
        return Streamed([{"text": "a"}], is_complete=False)

    for call, other in zip(calls, reversed(calls), strict=True):
        engine.captures.expect(call, partial(end, other))
    engine.close()

    stored = {call: recorded_answer(tmp_path, call) for call in calls}
    assert [True] == [stored[call].is_complete for call in ended]
    assert [False] == [stored[call].is_complete for call in calls if call not in ended]


def test_an_interruption_while_a_collected_stream_is_stored_is_raised_at_once(engine: Engine) -> None:
    """Ctrl-C ends a run now, and not when the session closes."""

    class Interrupted(TestRun):
        def about_to_record(self, store: Store, decision: Record, name: str, /) -> None:
            raise KeyboardInterrupt

    engine.captures.save(recording_call(engine), Value({"text": "there already"}))
    again = Engine(InferenceMode.RECORD, engine.store, test_id="test", test_run=Interrupted())
    call = recording_call(again)
    again.captures.expect(call, lambda: Streamed([{"text": "a"}], is_complete=False))

    assert again.captures.puts_off(call, is_collected=True)
    with pytest.raises(KeyboardInterrupt):
        again.captures.store_put_off()


def test_a_session_left_by_an_error_leaves_no_gap_where_nothing_was(engine: Engine, tmp_path: Path) -> None:
    """A call that failed while the next one was in flight has no answer; that of the next one is the first."""
    failed, answered = recording_call(engine), recording_call(engine)
    engine.captures.abandon(failed)
    engine.captures.save(answered, Value({"text": "answer"}))
    engine.close(AssertionError())

    assert [f"{answered.key}.json"] == files_of(tmp_path)
