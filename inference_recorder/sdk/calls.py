"""What a resource method hands over to the client request below it: the request, and where the answer is recorded.

Holds state: the hand-over while a call runs, in ContextVars; the urls of the clients that were used last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..engine.decisions import Replay
from ..recording.recording import Http
from ..redaction.sent import Sent
from ..request.credentials import Credential
from ..request.jsonable import plain_arguments
from ..request.request import Request, recorded_url
from ..request.unshown import Unshown
from .additions import RAW_RESPONSE_HEADER
from .internals import base_url_of, has_key_provider, keeps_its_base_url

if TYPE_CHECKING:
    from .methods import Method

_NO_BASE_URL = "https://api.openai.com/v1"
"""The base url of a client that has none, such as a mock."""


@dataclass(slots=True, eq=False)
class HandOver:
    """A call on its way from a resource method to its client request."""

    request: Request
    kwargs: Mapping[str, Any] = field(repr=False)
    """What to call the SDK with: one-shot iterables have been read into lists."""
    is_settled_above: bool = False
    """Whether the resource method records the result; the client request then only notes the response."""
    replay: Replay | None = None
    """The resource method's decision, if the client request is to build the answer."""
    http: Http | None = None
    """Status and headers of the HTTP response that the client request received."""
    response: Any = None
    """That response."""
    sent: Sent | None = None
    """Notes the HTTP requests, if the resource method records."""


_NO_CREDENTIAL = Credential()

_listener: ContextVar[object] = ContextVar("inference_recorder_listener", default=None)
_urls: dict[tuple[object, int, str], tuple[str, Unshown[object]]] = {}
"""(type of a client, id of its base url, endpoint) -> (the url as recorded, the base url, whose id is so kept)."""
_MOST_URLS = 256
_handed_down: ContextVar[HandOver | None] = ContextVar("inference_recorder_call", default=None)


@contextmanager
def handed_down(call: HandOver) -> Iterator[None]:
    """Hand a call over to the client request that is made in the block."""
    token = _handed_down.set(call)
    try:
        yield
    finally:
        _handed_down.reset(token)


def take_handed_down() -> HandOver | None:
    """Return the call that was handed over, once: further requests that it causes are calls of their own."""
    call = _handed_down.get()
    if call is not None:
        _handed_down.set(None)
    return call


@contextmanager
def listening(listener: object) -> Iterator[None]:
    """Make `listener` receive the response to the request made in the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def note_sent(request: Any) -> None:
    """Note an HTTP request that is about to be sent, for the call that waits for its response."""
    sent = getattr(_listener.get(), "sent", None)
    if sent is not None:
        sent.note(request)


def take_listener() -> object:
    """Return the listener of the response that arrived, once, or None."""
    listener = _listener.get()
    if listener is not None:
        _listener.set(None)
    return listener


def described(method: Method, client: object, kwargs: Mapping[str, Any]) -> tuple[Request, Mapping[str, Any]]:
    """Return the request that a resource method makes of keyword arguments, and those to call the SDK with.

    Raises UnrecordableValue for an argument that has no JSON form.
    """
    body, text, sdk_kwargs = plain_arguments(kwargs, method.as_sent)
    endpoint = method.endpoint
    return Request("POST", endpoint, _url(client, endpoint), body, text, credential_of(client)), sdk_kwargs


def credential_of(client: object) -> Credential:
    """Return a client's API key; an empty one if it has none yet, or a function that returns one for each call."""
    key = getattr(client, "api_key", None)
    # With a provider it is the key of an earlier call; a replay calls no provider.
    return Credential(key) if type(key) is str and not has_key_provider(client) else _NO_CREDENTIAL


def asked_request(client: Any, method: Method, library: Any) -> Any:
    """Return the HTTP request that a replayed answer names: the url that the SDK uses, no credentials, no body."""
    base_url = str(getattr(client, "base_url", None) or _NO_BASE_URL).rstrip("/")
    url = _http_url(library, base_url + method.endpoint.removeprefix("/v1"))
    return library.Request("GET" if method.is_list else "POST", url)


@lru_cache(maxsize=256)
def _http_url(library: Any, text: str) -> Any:
    # Parsing a url costs half of opening a replayed stream. A url is immutable.
    return library.URL(text)


def _url(client: Any, endpoint: str) -> str:
    # Formatting a base url, which is immutable, costs as much as reading a small recording.
    base_url = base_url_of(client)
    cache_key = (type(client), id(base_url), endpoint)
    if (known := _urls.get(cache_key)) is not None:
        return known[0]
    kind: Any = type(client)
    if base_url is None or not keeps_its_base_url(kind):
        return recorded_url(str(getattr(client, "base_url", None) or _NO_BASE_URL), endpoint)
    if len(_urls) >= _MOST_URLS:
        _urls.clear()
    url = recorded_url(str(base_url), endpoint)
    _urls[cache_key] = (url, Unshown(base_url))
    return url  # not from the table: another thread may have cleared it


def is_raw(kwargs: Mapping[str, Any]) -> bool:
    """Whether a raw wrapper of the SDK makes this call and wants the HTTP response."""
    headers = kwargs.get("extra_headers")
    return headers is not None and isinstance(headers, Mapping) and RAW_RESPONSE_HEADER in headers
