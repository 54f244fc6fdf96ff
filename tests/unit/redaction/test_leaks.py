"""Where a file holds a secret."""

from __future__ import annotations

from inference_recorder.recording.answer import Streamed
from inference_recorder.recording.codec import encode
from inference_recorder.redaction.leaks import leaks_in
from inference_recorder.redaction.redactor import Redactor

from ...support.secret_table import SECRETS

SECRET = SECRETS[0].one


def stream_of(*texts: str) -> bytes:
    return encode("t", {"method": "POST"}, Streamed([{"delta": {"content": text}} for text in texts]))


def test_a_secret_in_one_chunk_is_reported_once() -> None:
    """It is in the text of the file, and in that of the chunks joined too."""
    [leak] = leaks_in(stream_of("The key is ", f"{SECRET}."), Redactor())

    assert SECRET[:4] == leak.shown[:4]
    assert SECRET not in leak.shown


def test_a_secret_spread_over_chunks_is_reported() -> None:
    """No line of the file holds it whole."""
    [leak] = leaks_in(stream_of("The key is ", SECRET[:10], f"{SECRET[10:]}."), Redactor())

    assert SECRET[:4] == leak.shown[:4]
    assert SECRET not in leak.shown
