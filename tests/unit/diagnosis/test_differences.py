"""Where two JSON values differ: what a person needs to see, and nothing that is the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_recorder.diagnosis.differences import differences
from inference_recorder.diagnosis.text_diff import small_diff
from inference_recorder.explanation import difference_lines

SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "Say hello."}
ASSISTANT = {"role": "assistant", "content": "Hello."}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, -1.5]) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=20,
)


def found(recorded: Any, asked: Any) -> list[tuple[str, str | None]]:
    return [(one.path, one.only_in) for one in differences(recorded, asked)]


@pytest.mark.parametrize(
    ("recorded", "asked", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        ({"a": 1}, {"a": 2}, [("$.a", None)]),
        ({"a": 1}, {"a": 1.0}, [("$.a", None)]),
        ({"a": 1}, {"a": True}, [("$.a", None)]),
        ({"a": None}, {}, [("$.a", "recording")]),
        ({}, {"a": None}, [("$.a", "request")]),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 3}]}}, [("$.a.b[1].c", None)]),
        ({"a": [1]}, {"a": {"0": 1}}, [("$.a", None)]),
        ({"odd name": 1}, {"odd name": 2}, [('$["odd name"]', None)]),
        ({'a"b': 1}, {'a"b': 2}, [('$["a\\"b"]', None)]),
        ([USER], [SYSTEM, USER], [("$[0]", "request")]),
        ([SYSTEM, USER], [USER], [("$[0]", "recording")]),
        ([SYSTEM, USER, ASSISTANT], [SYSTEM, ASSISTANT], [("$[1]", "recording")]),
        ([USER], [SYSTEM, USER | {"content": "Hi."}], [("$[0]", "request"), ("$[1].content", None)]),
        ([USER, ASSISTANT], [USER | {"content": "Hi."}, ASSISTANT], [("$[0].content", None)]),
        ([1, 2, 3], [1, 3], [("$[1]", "recording")]),
        ([], [USER], [("$[0]", "request")]),
    ],
    ids=[
        "the same",
        "order of names",
        "value",
        "an integer is not a float: their keys differ",
        "a number is not a boolean: their keys differ",
        "null is not absent",
        "absent is not null",
        "deep",
        "another kind",
        "name with a space",
        "name with a quote",
        "message put before",
        "message taken away",
        "message taken out of the middle",
        "message put before a changed one",
        "changed in place",
        "list of numbers",
        "empty list",
    ],
)
def test_where_two_values_differ(recorded: Any, asked: Any, expected: Any) -> None:
    """A message put in front must not make all that follow it differ."""
    assert expected == found(recorded, asked)


@given(JSON, JSON)
def test_a_difference_is_found_where_the_keys_would_differ_and_only_there(recorded: Any, asked: Any) -> None:
    """An explanation without a difference explains nothing, and one too many misleads."""
    is_same = json.dumps(recorded, sort_keys=True) == json.dumps(asked, sort_keys=True)

    assert is_same == (not found(recorded, asked))


def test_long_lists_that_have_nothing_in_common_are_compared_by_position() -> None:
    """difflib needs minutes for two inputs of ten thousand tokens each."""
    recorded = [{"type": str(number), "at": 1} for number in range(300)]
    asked = [{"type": str(number), "at": 2} for number in range(1, 300)]

    assert [("$[0].type", None), ("$[0].at", None), ("$[1].type", None)] == found(recorded, asked)[:3]
    assert ("$[299]", "recording") == found(recorded, asked)[-1]
    assert [("$[0]", "recording"), ("$[0].at", None)] == found(recorded[:9], asked[:8])[:2]


def test_an_item_put_into_a_long_list_is_one_difference() -> None:
    """What is the same at both ends costs nothing, however long."""
    recorded = list(range(10_000))

    assert [("$[5000]", "request")] == found(recorded, [*recorded[:5_000], -1, *recorded[5_000:]])


def test_a_changed_prompt_is_a_small_diff() -> None:
    """Two prompts of forty lines side by side help nobody."""
    lines = [f"Rule {number}." for number in range(40)]
    recorded, asked = "\n".join(lines), "\n".join([*lines[:20], "Rule twenty.", *lines[21:]])
    (difference,) = differences({"prompt": recorded}, {"prompt": asked})

    assert ["$.prompt", "    Rule 19.", "  - Rule 20.", "  + Rule twenty.", "    Rule 21."] == difference_lines(
        difference
    )
    assert (recorded, asked) == (difference.recorded, difference.asked)


def test_a_diff_is_cut_to_twelve_lines_and_says_so() -> None:
    """A rewritten prompt must not push the command to run off the screen."""
    lines = small_diff("\n".join(f"old {n}" for n in range(30)), "\n".join(f"new {n}" for n in range(30)))

    assert 13 == len(lines)
    assert "  … 48 more lines" == lines[-1]


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [
        ("word " * 400 + "old" + " word" * 400, "word " * 400 + "new" + " word" * 400),
        ("A sentence that is long enough. " * 60 + "old." + " And more." * 60,
         "A sentence that is long enough. " * 60 + "new." + " And more." * 60),
        ("x" * 100_000 + "old", "x" * 100_000 + "new"),
    ],
    ids=["no sentences", "sentences", "base64"],
)  # fmt: skip
def test_a_change_within_a_long_line_is_in_what_is_shown(recorded: str, asked: str) -> None:
    """Prompts are often one line of ten thousand characters; its beginning is the same on both sides."""
    lines = small_diff(recorded, asked)

    assert any(line.startswith("- ") and "old" in line for line in lines), lines
    assert any(line.startswith("+ ") and "new" in line for line in lines), lines
    assert all(len(line) < 130 for line in lines)
    assert len(lines) <= 4


@given(st.text(st.sampled_from("ab.\n "), max_size=300), st.text(st.sampled_from("ab.\n "), max_size=300))
def test_a_diff_holds_both_texts_sides(recorded: str, asked: str) -> None:
    """Whatever is cut away around a change, the change itself is shown."""
    lines = small_diff(recorded, asked, 10_000)
    removed = [line[2:] for line in lines if line.startswith("- ")]
    added = [line[2:] for line in lines if line.startswith("+ ")]

    assert (recorded != asked) == bool(removed or added)
    assert all(line.strip("…") in recorded for line in removed)
    assert all(line.strip("…") in asked for line in added)


def test_two_texts_of_many_lines_that_all_differ_are_compared_in_part() -> None:
    """difflib needs minutes for two logs that were pasted into a prompt; a miss must not hang on them."""
    lines = small_diff("\n".join(["same", "other"] * 20_000), "\n".join(["other", "same", ""] * 20_000), 10_000)

    assert "  …" == lines[-1]
    assert 200 < len(lines) < 450


def test_what_would_steer_a_terminal_is_escaped() -> None:
    """A recorded answer may hold anything, and an error text is printed by pytest as it is."""
    (difference,) = differences({"a": "x\x1b[2J\ud800\u202e\n" + "long " * 50}, {"a": "y\r\x9b\n" + "long " * 50})

    assert ["  - x\\u001b[2J\\ud800\\u202e", "  + y\\u000d\\u009b"] == difference_lines(difference)[1:3]
