"""What exists once with `await` and once without is the same text but for the awaiting."""

from __future__ import annotations

import inspect
import re
from types import ModuleType

import pytest

from inference_recorder.sdk import client_requests, resource_methods, saving, streams

TWINS: list[tuple[ModuleType, str, str]] = [
    (resource_methods, "_called", "_called_async"),
    (client_requests, "_request", "_request_async"),
    (client_requests, "_process_response", "_process_response_async"),
    (streams, "captured", "captured_async"),
    (saving, "settled", "settled_async"),
]
SPELT_DIFFERENTLY = [
    (r"if engine\.is_held_up_by_this_thread\(decision\):\n.*\n", ""),  # only without await can one wait for oneself
    (r"is_async=(True|False)", "colour"),
    (r"\bawait ", ""),
    (r"\basync ", ""),
    (r"_async\b", ""),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\bStopAsyncIteration\b", "StopIteration"),
    (r"\banext\b", "next"),
    (r"\banyio\.sleep", "time.sleep"),
    (r"import anyio\n", ""),
    (r", cancelled or interrupted", " or interrupted"),
    (r"\bkeep\(capture\.capture, ", "capture.capture.keep("),
    (r"\bkeep\(capture, ", "capture.keep("),
    (r"\s+", ""),
    (r",\)", ")"),
]


def text_of(module: ModuleType, name: str) -> str:
    function: object = module
    for part in name.split("."):
        function = getattr(function, part)
    text = inspect.getsource(function)  # type: ignore[arg-type]
    for pattern, spelling in SPELT_DIFFERENTLY:
        text = re.sub(pattern, spelling, text)
    return text


@pytest.mark.parametrize(("module", "plain", "awaited"), TWINS, ids=[plain for _, plain, _ in TWINS])
def test_twins_are_the_same_but_for_the_awaiting(module: ModuleType, plain: str, awaited: str) -> None:
    """A rule mended in one colour only is how the field's recorders rot."""
    assert text_of(module, plain) == text_of(module, awaited)
