"""What strangers wrote reaches a terminal as text only."""

from __future__ import annotations

import json

import pytest

from inference_recorder.text import visible, visible_line


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("\x1b[2J\x07\x7f\x9b", "\\u001b[2J\\u0007\\u007f\\u009b"),
        ("a\rb", "a\\u000db"),
        ("gnp\u202e.exe\u2066\u061c", "gnp\\u202e.exe\\u2066\\u061c"),
        ("\u2028\ufeff\udc80", "\\u2028\\ufeff\\udc80"),
        ("a\tb\r\nc é 你 👩\u200d👧\xa0", "a\tb\nc é 你 👩\u200d👧\xa0"),
    ],
    ids=[
        "control characters",
        "to the start of the line",
        "turning marks",
        "no line and no character",
        "ordinary text",
    ],
)
def test_what_steers_or_hides_is_spelled_out(written: str, expected: str) -> None:
    """A recording from a stranger's pull request must not rename windows, nor be read as what it is not."""
    assert expected == visible(written)


def test_json_stays_the_same_json() -> None:
    """`show --raw | jq` has to work."""
    value = {"a": "\x7f\u202e\ud800\n\t"}

    assert value == json.loads(visible(json.dumps(value, ensure_ascii=False)))


def test_a_name_stays_on_its_line_and_in_its_cell() -> None:
    """A second line could be taken for what we say ourselves, a tab for the next column."""
    assert "a\\nb\\tc\\nd\\u001b" == visible_line("a\nb\tc\r\nd\x1b")
