"""How the bytes of a response are kept."""

from __future__ import annotations

import pytest

from inference_recorder.recording.answer import Value
from inference_recorder.recording.body import BASE64, TEXT
from inference_recorder.sdk.bodies import kept_as_sent


@pytest.mark.parametrize(
    ("content", "media_type", "kind"),
    [
        (b"Hello", "text/plain", TEXT),
        (b"Hello", "application/problem+json", TEXT),
        (b"Hello", "application/xml", TEXT),
        (b"1\n00:00", "application/x-subrip", TEXT),
        (b"{}\r\n{}\n", "application/x-jsonl", TEXT),
        (b"Hello", "audio/mpeg", BASE64),
        (b"Hello", "", BASE64),
        (b"\xff", "text/plain", BASE64),
    ],
)
def test_text_can_be_read_in_the_file(content: bytes, media_type: str, kind: str) -> None:
    """A reviewer sees a transcript, and no base64."""
    answer = kept_as_sent(content, media_type)

    assert isinstance(answer, Value)
    assert kind == answer.body["__type__"]
