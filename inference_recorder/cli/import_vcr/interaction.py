"""One interaction of a cassette: an HTTP request and the answer that it got, as vcrpy of any age wrote them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from ...request.jsonable import JsonObject

_OF_THE_TRANSFER = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers that tell how the body came; it is kept here as it was meant."""


class NotTaken(Exception):
    """Why a call of a cassette is not imported, in words for people."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """A request and its answer."""

    number: int
    """Its place in the cassette, counted from 1."""
    method: str
    uri: str
    headers: Mapping[str, str]
    """The request's, by lower-case name; of several values the first."""
    body: bytes | JsonObject
    """The request's; a dict where vcrpy kept the object that aiohttp was given."""
    status_code: int
    answer_headers: tuple[tuple[str, str], ...]
    """Without those of the transfer."""
    encoding: str
    """How `answer` is encoded, as its header says, "" for not at all. vcrpy may have decoded it all the same."""
    answer: bytes

    @property
    def summary(self) -> str:
        """The request in a few words, without the parts of its uri in which keys are passed."""
        parts = urlsplit(self.uri)
        host = parts.netloc.rpartition("@")[2]
        return f"{self.method} {parts._replace(netloc=host, query='', fragment='').geturl()}"


def interaction_of(number: int, raw: object) -> Interaction:
    """Return an interaction as a cassette's file has it; raises NotTaken for one that is malformed."""
    if not isinstance(raw, dict) or not isinstance(raw.get("request"), dict) or not isinstance(
        raw.get("response"), dict
    ):  # fmt: skip
        raise NotTaken("it has no request and response")
    request, response = raw["request"], raw["response"]
    method, uri = request.get("method"), request.get("uri")
    if not isinstance(method, str) or not isinstance(uri, str) or not _is_url(uri):
        raise NotTaken("its request has no method and uri")
    headers = tuple(_headers(response.get("headers")))
    sent = request.get("body")
    return Interaction(
        number=number,
        method=method.upper(),
        uri=uri,
        headers=dict(reversed(list(_headers(request.get("headers"))))),
        body=sent if _is_object(sent) else _bytes(sent, "its request's body"),
        status_code=_status_code(response),
        answer_headers=tuple((name, value) for name, value in headers if name not in _OF_THE_TRANSFER),
        encoding=next((value.lower() for name, value in headers if name == "content-encoding"), ""),
        # Before vcrpy 6, an answer to httpx was kept in a shape of its own.
        answer=_bytes(response.get("body", response.get("content")), "its answer's body"),
    )


def _is_url(text: str) -> bool:
    try:
        return bool(urlsplit(text).netloc)
    except ValueError:
        return False


def _is_object(body: object) -> bool:
    return isinstance(body, dict) and not {"string", "base64_string"} & body.keys()


def _status_code(response: Mapping[str, Any]) -> int:
    status = response.get("status", response.get("status_code"))
    code = status.get("code") if isinstance(status, dict) else status
    if isinstance(code, bool) or not isinstance(code, int) or not 100 <= code <= 599:
        raise NotTaken(f"its answer's status {code!r} is none of HTTP's")
    return code


def _headers(headers: object) -> Iterator[tuple[str, str]]:
    for name, values in headers.items() if isinstance(headers, dict) else ():
        for value in values if isinstance(values, (list, tuple)) else (values,):
            yield str(name).lower(), value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _bytes(body: object, what: str) -> bytes:
    """Return a body that may be text, bytes, either under the name that vcrpy gave it, or in pieces."""
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    if isinstance(body, bytes):
        return body
    if isinstance(body, BytesIO):
        return body.getvalue()
    if isinstance(body, (list, tuple)):
        return b"".join(_bytes(piece, what) for piece in body)
    if isinstance(body, dict) and "string" in body:
        return _bytes(body["string"], what)
    if isinstance(body, dict) and "base64_string" in body:
        try:
            return base64.b64decode(_bytes(body["base64_string"], what))
        except binascii.Error as error:
            raise NotTaken(f"{what} is not base64: {error}") from None
    raise NotTaken(f"{what} is a {type(body).__name__}")
