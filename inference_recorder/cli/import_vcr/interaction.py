"""One interaction of a cassette: an HTTP request and its answer, as any version of vcrpy wrote them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import urlsplit

from ...json_tree import JsonObject

_TRANSFER_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers about how the body was transferred; here it is kept decoded."""


class NotImportable(Exception):
    """Why a call of a cassette is not imported, in words for people."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """A request and its answer."""

    number: int
    """Its position in the cassette, counted from 1."""
    method: str
    uri: str
    headers: Mapping[str, str]
    """The request's headers by lower-case name; of several values the first."""
    body: bytes | JsonObject
    """The request's body; a dict where vcrpy kept the object that aiohttp was given."""
    status_code: int
    answer_headers: tuple[tuple[str, str], ...]
    """Without the transfer headers."""
    encoding: str
    """The content-encoding that the answer's header names, "" for none. vcrpy may have decoded `answer` already."""
    answer: bytes

    @property
    def summary(self) -> str:
        """The request in a few words, without the parts of its URI in which keys are passed."""
        parts = urlsplit(self.uri)
        host = parts.netloc.rpartition("@")[2]
        return f"{self.method} {parts._replace(netloc=host, query='', fragment='').geturl()}"


def interaction_of(number: int, raw: object) -> Interaction:
    """Return an interaction of a cassette's file, parsed; raises NotImportable for a malformed one."""
    request, response = (raw.get("request"), raw.get("response")) if isinstance(raw, dict) else (None, None)
    if not isinstance(request, dict) or not isinstance(response, dict):
        raise NotImportable("it has no request and response")
    method, uri = request.get("method"), request.get("uri")
    if not isinstance(method, str) or not isinstance(uri, str) or not _is_url(uri):
        raise NotImportable("its request has no method and uri")
    answer_headers = tuple(_headers(response.get("headers")))
    body = request.get("body")
    return Interaction(
        number=number,
        method=method.upper(),
        uri=uri,
        headers=dict(reversed(list(_headers(request.get("headers"))))),
        body=body if isinstance(body, dict) and not _wraps_bytes(body) else _bytes(body, "its request's body"),
        status_code=_status_code(response),
        answer_headers=tuple((name, value) for name, value in answer_headers if name not in _TRANSFER_HEADERS),
        encoding=next((value.lower() for name, value in answer_headers if name == "content-encoding"), ""),
        # Before vcrpy 6, an answer to httpx was kept in a shape of its own.
        answer=_bytes(response.get("body", response.get("content")), "its answer's body"),
    )


def _is_url(text: str) -> bool:
    try:
        return bool(urlsplit(text).netloc)
    except ValueError:
        return False


def _wraps_bytes(body: dict[object, object]) -> bool:
    return "string" in body or "base64_string" in body


def _status_code(response: Mapping[str, object]) -> int:
    status = response.get("status", response.get("status_code"))
    code = status.get("code") if isinstance(status, dict) else status
    if isinstance(code, bool) or not isinstance(code, int) or not 100 <= code <= 599:
        raise NotImportable(f"its answer's status {code!r} is not an HTTP status")
    return code


def _headers(headers: object) -> Iterator[tuple[str, str]]:
    for name, values in headers.items() if isinstance(headers, dict) else ():
        for value in values if isinstance(values, (list, tuple)) else (values,):
            yield str(name).lower(), value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _bytes(body: object, description: str) -> bytes:
    """Return a body that vcrpy wrote as text, bytes, a file, a list of these, or a dict around one of them."""
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    if isinstance(body, bytes):
        return body
    if isinstance(body, BytesIO):
        return body.getvalue()
    if isinstance(body, (list, tuple)):
        return b"".join(_bytes(item, description) for item in body)
    if isinstance(body, dict) and "string" in body:
        return _bytes(body["string"], description)
    if isinstance(body, dict) and "base64_string" in body:
        try:
            return base64.b64decode(_bytes(body["base64_string"], description))
        except binascii.Error as error:
            raise NotImportable(f"{description} is not base64: {error}") from None
    raise NotImportable(f"{description} has the type {type(body).__name__}")
