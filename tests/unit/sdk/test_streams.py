"""Chunks built from their lines: those that the SDK constructs from what the lines say."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from hypothesis import example, given
from hypothesis import strategies as st

from inference_recorder.recording import json_bytes
from inference_recorder.recording.answer import Streamed
from inference_recorder.recording.body import chunk_data_start, chunk_value, untyped
from inference_recorder.sdk import replay
from inference_recorder.sdk.internals import constructed
from inference_recorder.sdk.methods import METHODS
from inference_recorder.sdk.replay import revived_chunks
from inference_recorder.sdk.revive import reviver

from ...support.differences import differences
from ...support.openai_server import chunk

USUAL = {"__type__": "a.B", "__data__": chunk({"content": "é"})}
ALIKE = {"a" * len('__type__":"a.B","__data__'): chunk({"content": "another"})}
"""A chunk in whose line something else begins where the data of a usual one does."""
_DATA = st.sampled_from(
    [
        chunk({"content": "é"}),
        chunk({"content": '"__data__":{"a": 1}}'}),
        chunk({"tool_calls": [{"index": 0, "id": 10**30, "extra": "\ud800"}]}),
        {"type": "response.output_text.delta", "delta": "a", "sequence_number": 1},
        {"__type__": "a.B", "__data__": {"id": "inner"}},
        {"__data__": {"id": "inner"}},
        {},
    ]
)
_TYPES = st.sampled_from(["a.B", "a.C", 'a"b', "é", '"__data__":', {"__data__": {"id": "no"}}, None])
_ITEMS = st.one_of(
    st.fixed_dictionaries({"__type__": _TYPES, "__data__": _DATA}),
    st.fixed_dictionaries({"__type__": _TYPES, "__data__": _DATA}, optional={"__event__": st.sampled_from(["e", {}])}),
    st.fixed_dictionaries({"__type__": _TYPES}, optional={"other": _DATA, "__data__": _DATA}),
    st.fixed_dictionaries({"__data__": _DATA}, optional={"__type__": _TYPES}),
    _DATA,
)
_SPELLINGS = st.sampled_from([json_bytes.dumps, lambda value: json.dumps(value).encode(), lambda value: value])
"""As we write an item, as another program does, and parsed as in any other layout."""


@given(
    items=st.lists(st.tuples(_ITEMS, _SPELLINGS), max_size=5),
    chunk_type=st.sampled_from([method.chunk_type for method in METHODS[:4] if method.chunk]),
)
@example(items=[(USUAL, json_bytes.dumps), (ALIKE, json_bytes.dumps)], chunk_type=METHODS[0].chunk_type)
def test_a_chunk_is_the_one_that_the_sdk_constructs_from_its_line(items: Any, chunk_type: Any) -> None:
    """Where its data begins is looked for as bytes, and not again while the lines begin alike."""
    lines = [spelled(item) for item, spelled in items]
    expected = [constructed(chunk_type, untyped(chunk_value(line, "file.json"))) for line in lines]

    response = SimpleNamespace(is_closed=False)
    actual = list(revived_chunks(Streamed(lines), "file.json", reviver(chunk_type), RuntimeError, response))

    assert [] == differences(expected, actual)


@given(item=_ITEMS)
def test_what_stands_before_the_data_of_a_line_is_found(item: Any) -> None:
    """Else all chunks would be built the slow way, and nobody would notice."""
    line = json_bytes.dumps(item)
    is_as_written = (
        isinstance(item, dict) and list(item) == ["__type__", "__data__"] and item["__type__"] in ("a.B", "é")
    )
    start = chunk_data_start(line)

    if is_as_written:
        assert start is not None
        assert item["__data__"] == json_bytes.loads(line[len(start) : -1], exactly=True)


def test_usual_chunks_are_not_built_the_slow_way() -> None:
    """Else each would cost what the SDK takes, and all would be the same all the same."""
    lines = [json_bytes.dumps({**USUAL, "__type__": kind}) for kind in ("a.B", "a.B", "a.BC", "a.B")]
    chunk_reviver, response = reviver(METHODS[0].chunk_type), SimpleNamespace(is_closed=False)
    built = revived_chunks(Streamed(lines), "file.json", chunk_reviver, RuntimeError, response)

    with patch.object(replay, "_revived_slowly", side_effect=AssertionError("built the slow way")):
        assert ["é"] * 4 == [one.choices[0].delta.content for one in built]
