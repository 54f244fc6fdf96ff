"""Streams as the bytes that a server would send."""

from __future__ import annotations

from typing import Any

import pytest

from inference_recorder.errors import CorruptRecording
from inference_recorder.recording import json_bytes
from inference_recorder.recording.answer import Streamed
from inference_recorder.sdk.http import event_name, server_sent_text


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "a\r\nb", 7, None])
def test_an_event_has_no_name_that_would_break_its_line(name: Any) -> None:
    """A stranger's recording could put events of its own into the stream."""
    assert event_name({"__event__": name}, {"type": "x"}) is None
    assert event_name({}, {"type": name}) is None


def test_an_event_has_its_own_name_before_the_type_of_its_data() -> None:
    """Named events of other servers carry data of any form."""
    assert "x" == event_name({"__event__": "x"}, {"type": "y"})
    assert "y" == event_name({}, {"type": "y"})


LINES = [
    b'{"__type__":"x","__data__":{"id":"1","choices":[{"delta":{"content":"Hi"}}]}}',
    b'{"__type__":"x","__data__":{"type":"response.created","number":1.0,"small":1e-7}}',
    b'{"__type__":"x","__data__":{"type":"a\\nb"}}',
    b'{"__type__":"x","__data__":{"type":7,"text":"\\ud83d\\ude00 \\ud800 \\u2028"}}',
    '{"__type__":"x","__data__":{"text":"é \u0085 \u2028 \u2029 😀"}}'.encode(),
    b'{"__type__":"x","__data__":{"big":123456789012345678901234567890,"nan":NaN}}',
    b'{"__type__":"x","__data__":{"inner":{"__data__":{"type":"y"}}}}',
    b'{"__type__":"x","__event__":"named","__data__":{"type":"y"}}',
    b'{"__type__":"x","__data__":{"type":"y"},"__event__":"named"}',
    b'{"__type__":"x","__event__":null,"__data__":{"type":"y"}}',
    b'{"__type__":"x","other":{"__data__":1},"__data__":{"type":"y"}}',
    b'{"__type__":"plain","__data__":{"type":"y"}}',
    b'{"__type__":"plain","__data__":[1]}',
    b'{"__type__":"list","__data__":[{"type":"y"}]}',
    b'{"__type__":"json","__data__":"[[1]]"}',
    b'{"__type__":"json","__data__":{"type":"y"}}',
    b'{"__type__":"text","__data__":"two\\nlines"}',
    b'{"__type__":"text","__data__":{"type":"y"}}',
    b'{"__type__":"x","__data__":{\n"a":\r1}}',
    b'{"__data__":{"type":"y"},"__type__":"x"}',
    b'{"type":"y"}',
    b"[]",
]


@pytest.mark.quick_cases(22)
@pytest.mark.parametrize("line", LINES)
def test_a_line_of_a_file_is_sent_as_its_value_is(line: bytes) -> None:
    """Most chunks are sent without being written again; which way is taken must not show."""

    def sent(chunk: Any) -> object:
        try:
            return list(server_sent_text(Streamed([chunk]), "a.json", ValueError, lambda: None))
        except CorruptRecording as error:
            return str(error)

    assert sent(json_bytes.loads(line, exactly=True)) == sent(line)
