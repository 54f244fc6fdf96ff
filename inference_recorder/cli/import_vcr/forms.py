"""Multipart forms and queries, turned back into the values that the SDK was given."""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Iterable
from email.message import Message
from email.parser import HeaderParser
from typing import TypeAlias

from ...json_tree import JsonObject, JsonValue
from .interaction import NotImportable

_NUMBERS = frozenset({
    "chunking_strategy[prefix_padding_ms]", "chunking_strategy[silence_duration_ms]", "chunking_strategy[threshold]",
    "end_time", "expires_after[seconds]", "limit", "n", "output_compression", "partial_images", "start_time",
    "starting_after", "temperature",
})  # fmt: skip
"""Fields of forms and queries that the SDK takes as numbers only."""
_BOOLEANS = {"true": True, "false": False}
_UNNAMED = "upload"
"""httpx's name for a file without one."""

FileContent: TypeAlias = bytes | tuple[str, bytes, str | None]
"""A file as the SDK takes it: bytes, or (name, bytes, media type or None)."""
File: TypeAlias = tuple[str, FileContent]
"""(field name, file)."""


def parse_form(content: bytes, content_type: str) -> tuple[JsonObject, list[File]]:
    """Return the fields and the files of a multipart body; raises NotImportable for a malformed one.

    A media type that httpx guesses from the file's name counts as not given, and so does its name for an unnamed file.
    """
    boundary = _header(f"Content-Type: {content_type}").get_boundary()
    if boundary is None:
        raise NotImportable("its form has no boundary, because its content-type is not in the cassette")
    fields: list[tuple[str, str]] = []
    files: list[File] = []
    parts = (b"\r\n" + content).split(b"\r\n--" + boundary.encode())
    for part in parts[1:-1]:
        head, separator, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        header = _header(head.decode("utf-8", "replace"))
        name = header.get_param("name", header="content-disposition")
        if not separator or not isinstance(name, str):
            raise NotImportable("its form has a part without a name")
        file_name = header.get_filename()
        if file_name is None:
            fields.append((name, value.decode("utf-8", "surrogateescape")))
        else:
            files.append((name, _file(file_name, value, header.get_content_type())))
    return unflatten(fields), files


def unflatten(items: Iterable[tuple[str, str]]) -> JsonObject:
    """Return the object whose members are written as "a", "a[]" for an item of a list, "a[b]" for a member of "a".

    Source: openai/_qs.py with its array format "brackets".
    """
    root: JsonObject = {}
    for name, text in items:
        *path, last = re.split(r"\[|\]\[", name.removesuffix("]"))
        is_item = bool(path) and not last
        *path, last = path if is_item else [*path, last]
        holder: JsonValue = root
        for step in path:
            holder = holder.setdefault(step, {}) if isinstance(holder, dict) else None
        earlier = holder.get(last, []) if isinstance(holder, dict) else None
        if not isinstance(holder, dict) or "" in (*path, last)[1:] or (is_item and not isinstance(earlier, list)):
            raise NotImportable(f"its form or query gives {name} in an unknown shape")
        value, is_repeated = _value(name, text), is_item or last in holder
        holder[last] = [*(earlier if isinstance(earlier, list) else [earlier]), value] if is_repeated else value
    return root


def _value(name: str, text: str) -> JsonValue:
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if name in _NUMBERS:
        try:
            number: JsonValue = json.loads(text)
            return number
        except ValueError:
            pass
    return text


def _file(name: str, content: bytes, media_type: str) -> FileContent:
    name = name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
    if media_type == (mimetypes.guess_type(name)[0] or "application/octet-stream"):
        return content if name == _UNNAMED else (name, content, None)
    return name, content, media_type


def _header(text: str) -> Message:
    return HeaderParser().parsestr(text)
