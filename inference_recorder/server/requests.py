"""An HTTP request -> the request of its recording, by the rules for a client in this process that sends the same.

A key is made of what is sent: `extra_body` is part of the JSON, `extra_query` of the query, both as texts and numbers
are spelled there. Headers are not part of it, except those that `SDK.argument_headers` names. `sent_alike` says what
clients add. A few requests of the SDKs have another key over HTTP than in process, since part of them is not sent, or
more is: None and empty lists in a form, numbers in a field that is not one of NUMBERS, a client's own default query,
letters that a path needs to escape, and JSON that is given as bytes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ..json_tree import JsonObject, JsonValue
from ..packages import ANTHROPIC, OPENAI, SDK
from ..recording import json_bytes
from ..request.request import Request
from ..request.sent_alike import without_additions
from ..sdk.describe import argument_headers, body_of, credential, request_of, split_url

NUMBERS = frozenset(
    {
        "temperature", "n", "output_compression", "partial_images", "frame_count", "frame_duration_ms",
        "expires_after[seconds]", "expires_in_seconds", "chunking_strategy[threshold]",
        "chunking_strategy[prefix_padding_ms]", "chunking_strategy[silence_duration_ms]",
    }
)  # fmt: skip
"""The fields of forms that are numbers in the SDKs' arguments, of which keys are made. A form has only texts."""
SWITCHES = frozenset({"stream", "default"})
"""Those that are true or false."""
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_PART = re.compile(r"\[([^\[\]]*)\]")
_MOST_PARTS = 10_000
_BIG = 1 << 20
"""Bytes of a request above which reading it would hold up the others."""


class UnreadableForm(Exception):
    """A request whose form no server can read."""


@dataclass(frozen=True, slots=True, repr=False)
class HttpRequest:
    """A request as it arrived. Its repr shows nothing, since its headers hold credentials."""

    method: str
    path: str
    """In the encoding in which it was sent, from the "/v1" of the API on."""
    query: str
    headers: Headers
    content: bytes
    base_url: str = ""
    """What is before the path: this server, and what the path said before."""

    @property
    def sdk(self) -> SDK:
        """Whose API it is for: every client of Anthropic's sends the version of its API."""
        return ANTHROPIC if "anthropic-version" in self.headers else OPENAI

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def api_key(self) -> str:
        """The key that opens the account, "" for none."""
        scheme, _, key = self.headers.get("authorization", "").partition(" ")
        return key.strip() if scheme.lower() == "bearer" else self.headers.get("x-api-key", "")

    def json(self) -> JsonValue:
        """Return the JSON that it holds, None for other content."""
        if self.media_type and not self.media_type.endswith("json"):
            return None
        try:
            return json_bytes.loads(self.content, exactly=True)
        except (ValueError, RecursionError):
            return None

    def names(self, name: str, value: str) -> bool:
        """Return whether its JSON has a member with this value."""
        data = self.json()
        return isinstance(data, dict) and data.get(name) == value


@dataclass(slots=True)
class _Options:
    """What the SDK's options of a request have, as far as its body is made of it."""

    url: str
    json_data: object = None
    params: Mapping[str, object] | None = None
    files: Sequence[tuple[str, object]] = ()
    extra_json: None = None
    content: bytes | None = None


async def described(http: HttpRequest, base_url: str) -> Request:
    """Return the request that is recorded for a client of this base url. Raises UnreadableForm."""
    options = _Options(http.path, params=_parameters(parse_qsl(http.query, keep_blank_values=True)))
    if http.media_type == "multipart/form-data":
        options.json_data, options.files = await _form(http)
    make = partial(_request, http, base_url, options)
    return await asyncio.to_thread(make) if len(http.content) > _BIG else make()


def _request(http: HttpRequest, base_url: str, options: _Options) -> Request:
    sdk = http.sdk
    path = http.path.removeprefix("/v1") if sdk is OPENAI else http.path
    base_url, endpoint = split_url(sdk, base_url, path)
    if options.json_data is None and http.content and http.method not in ("GET", "HEAD"):
        options.json_data = http.json()
        options.content = http.content if options.json_data is None else None
    body = without_additions(endpoint, body_of(options))
    if sdk.argument_headers:
        body |= argument_headers(http.headers, sdk)
    return request_of(sdk, http.method, base_url, endpoint, body, credential(http.api_key))


def _parameters(items: Iterable[tuple[str, str]]) -> dict[str, JsonValue]:
    """Return the parameters of a query as arguments: "a[]", or a repeated name, stands for a list.

    "a[][b]" is the member b of an object in one.
    """
    found: dict[str, list[JsonValue]] = {}
    lists = set()
    for name, text in items:
        start, brackets, rest = name.rpartition("[]")
        is_in_list = brackets and (not rest or rest[0] + rest[-1] == "[]")
        if is_in_list:
            lists.add(start)
        values = found.setdefault(start if is_in_list else name, [])
        values.append({rest[1:-1]: text} if is_in_list and rest else text)
    return {name: values if name in lists or len(values) > 1 else values[0] for name, values in found.items()}


class _FormParser(MultiPartParser):
    """Treats a part that has a media type as a file, with or without a name, as the SDKs describe it."""

    def on_headers_finished(self) -> None:
        part = self._current_part  # a private name of starlette's: without it, every upload of the tests fails
        if part.content_disposition and any(name == b"content-type" for name, _ in part.item_headers):
            # A further name, that of the client, replaces this one.
            part.content_disposition = part.content_disposition.replace(b";", b'; filename="";', 1)
        super().on_headers_finished()


async def _form(http: HttpRequest) -> tuple[JsonObject, list[tuple[str, object]]]:
    """Return the fields of a form as arguments, and its files in order."""

    async def content() -> Any:
        yield http.content

    parser = _FormParser(
        http.headers, content(), max_files=_MOST_PARTS, max_fields=_MOST_PARTS, max_part_size=len(http.content) + 1
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise UnreadableForm(f"the request's form cannot be read: {error}") from error
    try:
        items = list(form.multi_items())
        fields = [(name, value) for name, value in items if isinstance(value, str)]
        files = [  # a quotation mark in a name is escaped as in HTML's forms
            (name, ((value.filename or "").replace("%22", '"') or None, await value.read(), value.content_type))
            for name, value in items
            if isinstance(value, UploadFile)
        ]
    finally:
        await form.close()
    return _arguments(fields), list(files)


def _arguments(fields: Iterable[tuple[str, str]]) -> JsonObject:
    """Return the fields of a form as nested arguments: "a[b]" is the member b of a, "a[]" an item of a list."""
    arguments: dict[str, Any] = {}
    for name, text in fields:
        value = _argument(name, text)
        holder, steps = arguments, list(_steps(name))
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            if following is None:
                holder[step] = value
            elif following == "":
                items = holder.setdefault(step, [])
                items.append(value) if isinstance(items, list) else None
                break
            else:
                inner = holder.setdefault(step, {})
                holder = inner if isinstance(inner, dict) else {}
    return arguments


def _steps(name: str) -> Iterator[str]:
    yield name.partition("[")[0]
    yield from (match[1] for match in _PART.finditer(name))


def _argument(name: str, text: str) -> JsonValue:
    if name in NUMBERS and _NUMBER.fullmatch(text):
        return json_bytes.loads(text.encode(), exactly=True)
    return text == "true" if name in SWITCHES and text in ("true", "false") else text
