"""A conversation as turns of parts, and the content lists of the API as such parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..json_tree import JsonObject, JsonValue, member, object_in
from ..recording import json_bytes

PartKind = Literal["text", "reasoning", "refusal", "call", "result", "attachment", "json"]

_DATA_NAMES = ("b64_json", "partial_image_b64", "image_url", "file_data", "data", "result")
_REFERENCES = ("url", "file_url", "filename", "file_id", "id")
_CITED = ("title", "document_title", "filename", "url", "file_id", "source", "cited_text")
_MEDIA = {
    "image_url": "image",
    "input_image": "image",
    "image": "image",
    "input_audio": "audio",
    "audio": "audio",
    "output_audio": "audio",
    "file": "file",
    "input_file": "file",
    "container_upload": "file",
    "video_url": "video",
}
_TEXTS = frozenset({"text", "input_text", "output_text"})
_REASONING = frozenset({"reasoning_text", "summary_text"})
_FOUND = frozenset({"search_result", "web_search_result", "web_fetch_result"})
_MOST_NESTED = 4
"""Levels of content in content, such as the text of a document that was fetched as a result; below that it is JSON."""
_UNITS = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a turn."""

    kind: PartKind
    text: str
    """The text, the arguments of a call, what the tool returned, or an attachment's kind and size."""
    name: str = ""
    """The tool of a call."""
    id: str = ""
    """Links a call and its result."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The consecutive parts of one role."""

    role: str
    parts: tuple[Part, ...]
    note: str = ""
    """How it ended, for one, such as "stop"; "" where nothing is known."""


def pretty(value: JsonValue) -> str:
    """Return JSON for people: indented, a string as it is."""
    if isinstance(value, str):
        return value
    try:
        return json_bytes.dumps(value, indent=True).decode()
    except RecursionError:
        return "(nested too deep to show)"


def size_of(count: int) -> str:
    """Return a number of bytes in words, in its largest decimal unit: "812 bytes", "12.3 kB"."""
    unit, factor = next(((unit, factor) for unit, factor in _UNITS if count >= factor), ("", 1))
    return f"{count / factor:,.1f} {unit}" if unit else f"{count} bytes"


def text_in(value: object, *names: str) -> str:
    """Return the first of these members of an object that is a non-empty string, or ""."""
    if isinstance(value, dict):
        for name in names:
            found = value.get(name)
            if isinstance(found, str) and found:
                return found
    return ""


def objects_in(value: JsonValue, name: str) -> list[JsonObject]:
    """Return the objects in the list that is the member `name` of `value`, or []."""
    found = member(value, name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def content_parts(content: JsonValue, level: int = 0) -> Iterator[Part]:
    """Yield the parts of a message's content: a text, or a list of typed objects. `level` counts contents around it."""
    if isinstance(content, list):
        for item in content:
            yield from _item_parts(item, level)
    elif content is not None and content != "":
        yield from _item_parts(content, level)


def result_text(content: JsonValue, level: int = 0) -> str:
    """Return what a tool gave back as one text."""
    return "\n".join(part.text for part in content_parts(content, level))


def described_url(url: str, kind: str) -> str:
    """Return a short description of a url: the type and size of a data url, otherwise the url itself."""
    if not url.startswith("data:"):
        return f"{kind} at {url}"
    head, _, encoded = url[5:].partition(",")
    media_type, _, encoding = head.partition(";")
    size = _decoded_size(encoded) if encoding.endswith("base64") else len(encoded)
    return f"{kind} {media_type or 'text/plain'}, {size_of(size)}"


def described_media(item: JsonObject, kind: str) -> str:
    """Return what an image, a sound or a file is: its name or id, its format, its size; never its bytes."""
    inner = next((item[name] for name in (str(item.get("type")), *_MEDIA) if isinstance(item.get(name), dict)), item)
    url = text_in(inner, "url", "image_url", "file_data") or text_in(item, "image_url")
    if url.startswith("data:") or "://" in url:
        name = text_in(inner, "filename")
        return described_url(url, f"{kind} {name}" if name else kind)
    words = [kind, *(text_in(inner, name) for name in ("format", "filename", "file_id") if text_in(inner, name))]
    data = text_in(inner, *_DATA_NAMES)
    if data:
        words.append(size_of(_decoded_size(data)))
    elif len(words) == 1:
        words += [text_in(inner, *_REFERENCES)]
    return " ".join(word for word in words if word)


def _item_parts(item: JsonValue, level: int) -> Iterator[Part]:
    if not isinstance(item, dict):
        yield Part("text", item) if isinstance(item, str) else Part("json", pretty(item))
        return
    kind, text = text_in(item, "type"), item.get("text")
    if level > _MOST_NESTED:
        yield Part("json", pretty(item))
    elif kind in _TEXTS and isinstance(text, str):
        yield Part("text", text)
        for cited in (*objects_in(item, "annotations"), *objects_in(item, "citations")):
            yield Part("attachment", f"cites {text_in(cited, *_CITED) or pretty(cited)}")
    elif kind in _REASONING:
        yield Part("reasoning", text_in(item, "text"))
    elif kind in ("thinking", "redacted_thinking"):
        yield Part("reasoning", result_text(item.get("thinking"), level + 1) or "(kept by the server)")
    elif kind == "refusal":
        yield Part("refusal", text_in(item, "refusal"))
    elif kind.endswith("tool_use"):
        yield Part("call", pretty(item.get("input", "")), text_in(item, "name"), text_in(item, "id"))
    elif kind.endswith("tool_result"):
        error = "error: " if item.get("is_error") is True else ""
        yield Part("result", error + result_text(item.get("content"), level + 1), id=text_in(item, "tool_use_id"))
    elif kind in _FOUND:
        words = [kind.replace("_", " "), text_in(item, "title"), text_in(item, "url", "source")]
        yield Part("attachment", " ".join(word for word in words if word))
        yield from content_parts(item.get("content"), level + 1)
    elif kind in ("image", "document") and isinstance(item.get("source"), dict):
        yield from _source_parts(item, kind, level)
    elif kind in _MEDIA:
        yield Part("attachment", described_media(item, _MEDIA[kind]))
        if transcript := text_in(item, "transcript"):
            yield Part("text", transcript)
    else:
        yield Part("json", pretty(item))


def _source_parts(item: JsonObject, kind: str, level: int) -> Iterator[Part]:
    """Yield an image or a document of Anthropic's Messages: its "source" has its bytes, its text, its url or its id."""
    source, name = object_in(item, "source"), " ".join([kind, text_in(item, "title")]).strip()
    how, data = text_in(source, "type"), text_in(source, "data")
    if how == "base64":
        yield Part("attachment", described_url(f"data:{text_in(source, 'media_type')};base64,{data}", name))
    elif how in ("text", "content"):
        yield Part("attachment", name)
        yield from content_parts(data or source.get("content"), level + 1)
    else:
        yield Part("attachment", described_media(source, name))
    if context := text_in(item, "context"):
        yield Part("text", context)


def _decoded_size(encoded: str) -> int:
    return len(encoded) * 3 // 4 - encoded[-2:].count("=")
