"""What HTTP writes as text, given back as what the SDK was given: the fields and files of a form, a query."""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Iterable
from email.message import Message
from email.parser import HeaderParser
from typing import Any, NamedTuple

from ...request.jsonable import JsonObject, JsonValue
from .interaction import NotTaken

_NUMBERS = frozenset({
    "chunking_strategy[prefix_padding_ms]", "chunking_strategy[silence_duration_ms]", "chunking_strategy[threshold]",
    "end_time", "expires_after[seconds]", "limit", "n", "output_compression", "partial_images", "start_time",
    "starting_after", "temperature",
})  # fmt: skip
"""What the SDK takes as a number in a form or a query, where it takes nothing else."""
_TEXTS = {"true": True, "false": False}
_UNNAMED = "upload"
"""What httpx calls a file that has no name."""

File = tuple[str, Any]
"""A field's name and a file as the SDK takes it: bytes, or (name, bytes, media type or None)."""


class Form(NamedTuple):
    """A multipart form."""

    fields: JsonObject
    files: list[File]


def form_of(content: bytes, content_type: str) -> Form:
    """Return the form that a multipart body is; raises NotTaken for a malformed one.

    A media type that httpx guesses from the file's name counts as not given, and its name for an unnamed file too.
    """
    boundary = _header_of(f"Content-Type: {content_type}").get_boundary()
    if boundary is None:
        raise NotTaken("its form has no boundary, since its content-type was left out of the cassette")
    fields: list[tuple[str, str]] = []
    files: list[File] = []
    parts = (b"\r\n" + content).split(b"\r\n--" + boundary.encode())
    for part in parts[1:-1]:
        head, gap, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        header = _header_of(head.decode("utf-8", "replace"))
        name = header.get_param("name", header="content-disposition")
        if not gap or not isinstance(name, str):
            raise NotTaken("its form has a part without a name")
        file_name = header.get_filename()
        if file_name is None:
            fields.append((name, value.decode("utf-8", "surrogateescape")))
        else:
            files.append((name, _file(file_name, value, header.get_content_type())))
    return Form(unflattened(fields), files)


def unflattened(items: Iterable[tuple[str, str]]) -> JsonObject:
    """Return the object whose members are written so: "a", "a[]" for a list's items, "a[b]" for an object's.

    Source: openai/_qs.py with its array format "brackets".
    """
    found: JsonObject = {}
    for name, text in items:
        *path, last = re.split(r"\[|\]\[", name.removesuffix("]"))
        position: Any = found
        for step, following in zip(path, [*path, last][1:], strict=True):
            position = position.setdefault(step, {} if following else [])
            if not isinstance(position, dict if following else list) or (not following and step is not path[-1]):
                raise NotTaken(f"its form or query says {name} in a shape that cannot be told")
        value = _value(name, text)
        if isinstance(position, list):
            position.append(value)
        elif last in position:
            before = position[last]
            position[last] = [*(before if isinstance(before, list) else [before]), value]
        else:
            position[last] = value
    return found


def _value(name: str, text: str) -> JsonValue:
    if text in _TEXTS:
        return _TEXTS[text]
    if name in _NUMBERS:
        try:
            return json.loads(text)
        except ValueError:
            pass
    return text


def _file(name: str, content: bytes, media_type: str) -> Any:
    name = name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
    if media_type == (mimetypes.guess_type(name)[0] or "application/octet-stream"):
        return content if name == _UNNAMED else (name, content, None)
    return name, content, media_type


def _header_of(text: str) -> Message:
    return HeaderParser().parsestr(text)
