"""The credentials that one call has sent: what its HTTP requests held under names of secrets."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from ..api_schema import FREE, is_enumerated, is_member, is_setting, is_tool_input, lies_in, prescribed_in_path
from ..json_tree import SameKind, walk
from ..recording import json_bytes
from ..recording.headers import names_a_secret
from . import numbers
from .placeholders import LITERAL_MARK, PLACEHOLDER
from .scanner import Scanner

SHORTEST_SENT = 8
"""Characters that a sent credential must have to be searched in the request and the answer."""

_SCHEMES = frozenset({"apikey", "api-key", "basic", "bearer", "digest", "key", "negotiate", "token"})
_PARAMETER = re.compile(r"""(?P<name>[\w-]{1,64})=(?P<quote>"?)(?P<value>[^",;\s]+)(?P=quote)""")
"""As in `Token token="…", nonce="…"`."""


class Sent:
    """The HTTP requests of one call, with its retries, as the source of its credentials. The repr shows nothing."""

    __slots__ = ("_requests",)

    def __init__(self) -> None:
        self._requests: list[tuple[Any, Any]] = []

    def note(self, request: Any) -> None:
        """Keep an HTTP request that is about to be sent. Its headers are read later, as they were sent."""
        self._requests.append((request.headers, request.url))

    def values(self) -> frozenset[str]:
        """Return the values of headers and query parameters with names of secrets, if they are long enough.

        A header of JSON gives its texts with such names. A scheme is removed. Basic credentials also give the user and
        the password, a cookie header each cookie, and parameters after a scheme those with names of secrets.
        """
        values = {value for headers, url in self._requests for value in _values(headers, url)}
        return frozenset(value for value in values if len(value) >= SHORTEST_SENT and value not in LITERAL_MARK)

    def without_values(self, value: SameKind, name: str = "") -> SameKind:
        """Return a recording's "request", or its member `name`, without the sent values.

        Its other secrets are redacted already. These get no number: a replay sends nothing, so that its key is computed
        without knowing them.
        """
        # Not with a `Redactor`: it would redact the numbered placeholders below names of secrets again.
        spellings = "|".join(map(re.escape, Scanner(self.values()).spellings))
        if not spellings:
            return value
        pattern = re.compile(spellings)

        def redacted(text: str, prescribed: list[tuple[int, int]]) -> str:
            return pattern.sub(lambda match: match[0] if lies_in(prescribed, *match.span()) else PLACEHOLDER, text)

        return _map_free_texts(value, redacted, name)

    def __reduce__(self) -> tuple[type[Sent], tuple[()]]:
        return Sent, ()


def _values(headers: Mapping[str, str], url: Any) -> Iterator[str]:
    for name, value in headers.items():
        if name.lower() == "cookie":
            cookies = [part.partition("=")[2].strip().strip('"') for part in value.split(";")]
            yield from (*cookies, *map(unquote, cookies))
        elif names_a_secret(name):
            yield from _in_a_header(value)
        elif value.startswith("{"):
            yield from _in_an_object(value)
    query = url.query.decode() if isinstance(url.query, bytes) else str(url.query)
    yield from (value for name, value in parse_qsl(query) if names_a_secret(name))


def _in_an_object(value: str) -> Iterator[str]:
    """Yield the texts with names of secrets: llama-stack's clients send keys of providers as a header of JSON."""
    try:
        members = list(walk(json_bytes.loads(value.encode())))
    except (ValueError, RecursionError):
        return
    yield from (text for name, text in members if isinstance(text, str) and names_a_secret(name))


def _in_a_header(value: str) -> Iterator[str]:
    scheme, _, credentials = value.strip().partition(" ")
    credentials = credentials.strip()
    if not credentials or scheme.lower() not in _SCHEMES:
        yield value.strip()
    yield credentials
    yield from (match["value"] for match in _PARAMETER.finditer(credentials) if names_a_secret(match["name"]))
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, ValueError):
            return
        user, _, password = decoded.partition(":")
        yield from (decoded, user, password)


def _map_free_texts(
    value: SameKind, changed: Callable[[str, list[tuple[int, int]]], str], name: str, *, is_free: bool = False
) -> SameKind:
    """Return a copy of a recording's "request", or its member `name`, with its texts changed.

    What the API prescribes stays. A number becomes a text if its text changes. `changed` takes a text and the spans of
    it that the API prescribes.
    """
    if isinstance(value, str):
        if not is_free and is_enumerated(name, value):
            return value
        return changed(value, prescribed_in_path(value) if not is_free and name in ("endpoint", "url") else [])
    if isinstance(value, dict):
        is_free = is_free or name in FREE
        return {
            member if not is_free and is_member(member) else changed(member, []): _map_free_texts(
                item, changed, member, is_free=is_free or is_tool_input(value, member)
            )
            for member, item in value.items()
        }
    if (type(value) is int or type(value) is float) and (is_free or not is_setting(name)):
        text = numbers.spelled(value)
        return value if (new := changed(text, [])) == text else new
    if isinstance(value, (list, tuple)):
        return [_map_free_texts(item, changed, name, is_free=is_free) for item in value]
    return value
