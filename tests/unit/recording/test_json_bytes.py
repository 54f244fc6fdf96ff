"""JSON written and read the fast ways says what the standard library says."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inference_recorder.recording.json_bytes import (
    _has_non_finite,
    dumps,
    has_large_integers,
    loads,
    loads_object,
    loads_sparingly,
)

_USUAL_NUMBERS = st.floats(-1, 1) | st.sampled_from([0, -0.0, 7, 1e16, 1e-9, 1.5e300, 2**63 - 1, 2**64 - 1, -(2**63)])
_ODD_NUMBERS = st.sampled_from([math.inf, -math.inf, math.nan, 2**64, -(2**63) - 1, 10**30, 10**400])
_NUMBERS = _USUAL_NUMBERS | _USUAL_NUMBERS | _USUAL_NUMBERS | _ODD_NUMBERS
_TEXTS = st.text(st.characters(), max_size=6) | st.sampled_from(["\x7f\x00\b\f\n\u2028", "</a>", "\ud800"])
_WORDS = st.none() | st.booleans() | st.text(max_size=6) | _TEXTS


def _json(numbers: st.SearchStrategy[Any], words: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    vectors = st.lists(numbers, min_size=14, max_size=18)
    mixed = st.lists(numbers | words, max_size=4)
    return st.recursive(
        numbers | words | vectors | mixed,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3)
            | st.tuples(numbers, inner, numbers).map(list)
        ),
        max_leaves=6,
    )


_ANY = _json(_NUMBERS, _WORDS)
_USUAL = _json(_USUAL_NUMBERS, st.none() | st.booleans() | st.text(max_size=6))


@given(value=_USUAL | _ANY)
@example(value=[[0.5] * 15, [7] * 16])
def test_indented_json_is_what_a_plain_writer_gives(value: Any) -> None:
    """Layout is a promise: a change of it is a diff in thousands of files. A vector is on one line."""
    is_for_the_standard_library = any(
        (isinstance(item, float) and not math.isfinite(item))
        or (isinstance(item, int) and not -(2**63) <= item < 2**64)
        or (isinstance(item, str) and any("\ud800" <= character <= "\udfff" for character in item))
        for item in _flattened(value)
    )
    expected = json.dumps(value, indent=2) if is_for_the_standard_library else _written(value, "\n")

    assert expected == dumps(value, indent=True).decode()


@given(value=_USUAL | _ANY, indent=st.booleans())
@example(value=[0.5, 10**400], indent=False)
def test_what_is_written_reads_as_the_same_value(value: Any, indent: bool) -> None:
    """In either layout, with either reader."""
    content = dumps(value, indent=indent)
    expected = repr(json.loads(json.dumps(value)))

    assert expected == repr(json.loads(content)) == repr(loads(content, exactly=True))
    if not has_large_integers(value):
        assert expected == repr(loads(content))
    for reader, reads_large_integers in ((loads_object, False), (loads_sparingly, True)):
        try:
            read = reader(content)
        except ValueError:  # left to the standard library
            continue
        if reads_large_integers or not has_large_integers(value):
            assert expected == repr(read)


@given(value=_ANY)
@example(value=2**64)
@example(value=[2**64 - 1, -(2**63)])
@example(value={"a": (1, -(2**63) - 1)})
def test_large_integers_are_those_that_need_exact_reading(value: Any) -> None:
    """The mark in the file decides which reader a replay takes."""
    text = json.dumps(value).replace("NaN", "0").replace("-Infinity", "0").replace("Infinity", "0").replace("\\ud8", "")
    try:
        read = orjson.loads(text)
    except orjson.JSONDecodeError:  # refused, not changed: the standard library reads it
        return

    assert has_large_integers(value) == (repr(json.loads(text)) != repr(read))


@given(value=_ANY)
@example(value=[1.5, "a", math.nan])
@example(value=[1.5, [math.inf]])
def test_numbers_without_a_json_form_are_seen_in_any_company(value: Any) -> None:
    """orjson writes null for them without a word; vectors are looked through at once."""
    expected = any(isinstance(item, float) and not math.isfinite(item) for item in _flattened(value))

    assert expected == _has_non_finite(value)


@pytest.mark.parametrize("value", [object(), b"bytes", {1, 2}, [1.5, object()], [0.5] * 20 + [b"", 0.5]])
def test_what_has_no_json_form_is_refused(value: Any) -> None:
    """However it is looked at before."""
    for indent in (False, True):
        with pytest.raises(TypeError):
            dumps(value, indent=indent)


def _flattened(value: Any) -> Iterator[Any]:
    yield value
    for item in (
        (*value, *value.values()) if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    ):
        yield from _flattened(item)


def _written(value: Any, line_start: str) -> str:
    inside = f"{line_start}  "
    if isinstance(value, dict):
        members = [f"{json.dumps(name, ensure_ascii=False)}: {_written(item, inside)}" for name, item in value.items()]
        return f"{{{inside}{f',{inside}'.join(members)}{line_start}}}" if members else "{}"
    if isinstance(value, (list, tuple)):
        if len(value) >= 16 and not {type(value[0]), type(value[-1])} - {int, float}:
            return orjson.dumps(value).decode()
        items = [_written(item, inside) for item in value]
        return f"[{inside}{f',{inside}'.join(items)}{line_start}]" if items else "[]"
    return orjson.dumps(value).decode() if type(value) is float else json.dumps(value, ensure_ascii=False)
