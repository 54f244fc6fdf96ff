"""The calls of a session in the order they were made, whatever the clock says."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from inference_recorder import MissingRecording, inference_recording
from inference_recorder.pytest_plugin.run_report import calls_of

from ..conftest import Colour
from ..support.openai_server import OpenAIServer

CLOCKS: dict[str, Callable[[], Callable[[], float]]] = {
    "frozen": lambda: lambda: 1_764_000_000.0,
    "going back": lambda: iter(range(2_000_000_000, 0, -1)).__next__,
}
RECORDED_BEFORE = ("a", "c", "e")


def ask(sdk: Colour, word: str) -> None:
    sdk.call("completions.create", model=word, prompt=word)


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("words", ["abcd", "badc", "dbeca", "aabbcc", "b"])
def test_calls_keep_their_order_when_the_clock_does_not_help(
    clock: str,
    words: Sequence[str],
    sdk: Colour,
    server: OpenAIServer,
    recordings: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tests freeze time, and what a session lists is compared with what the test did."""
    with inference_recording("record", recordings):
        for word in RECORDED_BEFORE:
            ask(sdk, word)
    monkeypatch.setattr(time, "time", CLOCKS[clock]())

    with inference_recording("record-if-missing", recordings) as session:
        for word in words:
            ask(sdk, word)

    assert list(words) == [request.model for request in session.requests]
    assert list(words) == [call["model"] for call in calls_of(session, None, {}, for_page=False)]


def test_misses_and_replays_keep_their_order_when_time_is_frozen(
    sdk: Colour, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which question came first is what one looks for after a miss."""
    with inference_recording("record", recordings):
        ask(sdk, "a")
    monkeypatch.setattr(time, "time", CLOCKS["frozen"]())

    with inference_recording("replay", recordings) as session:
        for word in "bacab":
            try:
                ask(sdk, word)
            except MissingRecording:
                continue

    assert list("bacab") == [request.model for request in session.requests]
    assert list("bacab") == [call["model"] for call in calls_of(session, None, {}, for_page=False)]
