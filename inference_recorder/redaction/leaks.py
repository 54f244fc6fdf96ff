"""Secrets in existing files."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..api_schema import lies_in, prescribed_in_file
from ..errors import CorruptRecording
from ..recording.answer import items_of
from ..recording.body import chunk_value
from ..recording.codec import decode
from ..recording.joined import joined_texts
from .redactor import Redactor
from .scanner import DECLARED

_SHOWN_CHARACTERS = 4
_OF_A_RECORDING = '"id_normalization_mapping"'
_IN_BASE64 = re.compile(r'"__type__":\s*"base64",\s*"__data__":\s*"([A-Za-z0-9+/=]+)"')


class Leak(NamedTuple):
    """Where a file holds a secret, without the secret itself."""

    line: int
    """Counted from 1. For text in base64 or spread over chunks, the line where that text begins."""
    kind: str
    shown: str
    """Its first characters and its length."""


def leaks_in(content: bytes, redactor: Redactor, ignored: Sequence[re.Pattern[str]] = ()) -> list[Leak]:
    """Return the secrets in a file: in its text, in its base64, and spread over the chunks of a recorded stream."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # every byte becomes a character; secrets are ASCII
    found = list(_in_text(text, 0, text, redactor, ignored))
    for encoded in _IN_BASE64.finditer(text):
        try:
            decoded = base64.b64decode(encoded[1]).decode("latin-1")
        except (binascii.Error, ValueError):
            continue
        found += _in_text(decoded, encoded.start(1), text, redactor, ignored)
    shown = {(leak.kind, leak.shown) for leak in found}
    found += [leak for leak in _in_chunks(content, redactor, ignored) if (leak.kind, leak.shown) not in shown]
    return found


def _in_text(
    text: str, offset: int, whole: str, redactor: Redactor, ignored: Sequence[re.Pattern[str]]
) -> Iterator[Leak]:
    if redactor.is_clean(text):
        return
    is_encoded = text is not whole
    findings = redactor.scanner.find(text)
    # A recording keeps what the API prescribes, even where it equals a declared secret.
    has_prescribed_text = _OF_A_RECORDING in text and any(finding.kind in DECLARED for finding in findings)
    prescribed = prescribed_in_file(text) if has_prescribed_text else []
    for kind, start, end in findings:
        if kind in DECLARED and lies_in(prescribed, start, end):
            continue
        secret = text[start:end]
        if not any(pattern.search(secret) for pattern in ignored):
            yield Leak(whole.count("\n", 0, offset if is_encoded else start) + 1, kind, _shown(secret))


def _in_chunks(content: bytes, redactor: Redactor, ignored: Sequence[re.Pattern[str]]) -> Iterator[Leak]:
    if b'"is_streaming": true' not in content:
        return
    try:
        values = [chunk_value(chunk, "") for chunk in items_of(decode(content, "").answer)]
    except (CorruptRecording, ValueError, RecursionError):
        return  # `check` reports it
    first_line = content.partition(b'"body": [')[0].count(b"\n") + 2
    for text in joined_texts(values):
        yield from (leak._replace(line=first_line) for leak in _in_text(text, 0, text, redactor, ignored))


def _shown(secret: str) -> str:
    start = secret[:_SHOWN_CHARACTERS] if len(secret) >= 4 * _SHOWN_CHARACTERS else ""
    return f"{start}… ({len(secret)} characters)"
