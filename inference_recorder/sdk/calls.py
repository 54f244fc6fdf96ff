"""What one door tells the other about a call: as which request, and who records it.

Holds state: what is said to the other door, while a call runs; the urls of the clients that were used last.
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
"""Taken for a client that has none, such as a mock."""


@dataclass(slots=True, eq=False)
class HandOver:
    """A call on its way from the method door to the client door."""

    request: Request
    kwargs: Mapping[str, Any] = field(repr=False)
    """What to call the SDK with: one-shot iterables have been read into lists."""
    is_settled_above: bool = False
    """Whether the method door has decided and records the result, or not; the client door only notes the response."""
    replay: Replay | None = None
    """The decision of the method door, where it leaves the reviving to the client door."""
    http: Http | None = None
    """What the client door saw of the HTTP response."""
    response: Any = None
    """That response."""
    sent: Sent | None = None
    """Takes note of the HTTP requests, where the method door records."""


_NO_CREDENTIAL = Credential()

_listener: ContextVar[object] = ContextVar("inference_recorder_listener", default=None)
_urls: dict[tuple[object, int, str], tuple[str, Unshown[object]]] = {}
"""(type of a client, id of its base url, endpoint) -> (the url as recorded, the base url, whose id is so kept)."""
_MOST_URLS = 256
_handed_down: ContextVar[HandOver | None] = ContextVar("inference_recorder_call", default=None)


@contextmanager
def handed_down(call: HandOver) -> Iterator[None]:
    """Tell the client door, for the length of the block, that the request it will see is this call."""
    token = _handed_down.set(call)
    try:
        yield
    finally:
        _handed_down.reset(token)


def take_handed_down() -> HandOver | None:
    """Return the call that the method door handed down, once: a request that it causes elsewhere is another call."""
    call = _handed_down.get()
    if call is not None:
        _handed_down.set(None)
    return call


@contextmanager
def listening(listener: object) -> Iterator[None]:
    """Have `listener` be the one who waits for the response of the request made in the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def note_sent(request: Any) -> None:
    """Tell the call that waits for a response which HTTP request is about to be sent for it."""
    sent = getattr(_listener.get(), "sent", None)
    if sent is not None:
        sent.note(request)


def take_listener() -> object:
    """Return who waits for the response that arrived now, once; None where nobody does."""
    listener = _listener.get()
    if listener is not None:
        _listener.set(None)
    return listener


def described(method: Method, client: object, kwargs: Mapping[str, Any]) -> tuple[Request, Mapping[str, Any]]:
    """Return the request that a table's method makes of these keyword arguments, and those to call the SDK with.

    Raises UnrecordableValue for arguments unheard of.
    """
    body, text, sdk_kwargs = plain_arguments(kwargs, method.as_sent)
    endpoint = method.endpoint
    return Request("POST", endpoint, _url(client, endpoint), body, text, credential_of(client)), sdk_kwargs


def credential_of(client: object) -> Credential:
    """Return the API key that a client asks with: none where it has none yet, or asks a function for each call's."""
    key = getattr(client, "api_key", None)
    # Of a client with a provider, it is that of an earlier call; a replay, which calls no provider, has none.
    return Credential(key) if type(key) is str and not has_key_provider(client) else _NO_CREDENTIAL


def asked_request(client: Any, method: Method, library: Any) -> Any:
    """Return the HTTP request of a replayed answer: where the SDK would have sent it; no credentials, no body."""
    base_url = str(getattr(client, "base_url", None) or _NO_BASE_URL).rstrip("/")
    url = _http_url(library, base_url + method.endpoint.removeprefix("/v1"))
    return library.Request("GET" if method.is_list else "POST", url)


@lru_cache(maxsize=256)
def _http_url(library: Any, text: str) -> Any:
    # Taking a url apart costs half of what a replayed stream costs to open. It cannot be changed.
    return library.URL(text)


def _url(client: Any, endpoint: str) -> str:
    # Spelling out a base url, which cannot be changed, costs as much as reading a small recording.
    base_url = base_url_of(client)
    known_as = (type(client), id(base_url), endpoint)
    if (known := _urls.get(known_as)) is not None:
        return known[0]
    kind: Any = type(client)
    if base_url is None or not keeps_its_base_url(kind):
        return recorded_url(str(getattr(client, "base_url", None) or _NO_BASE_URL), endpoint)
    if len(_urls) >= _MOST_URLS:
        _urls.clear()
    url = recorded_url(str(base_url), endpoint)
    _urls[known_as] = (url, Unshown(base_url))
    return url  # not out of the table, which another thread may have emptied


def is_raw(kwargs: Mapping[str, Any]) -> bool:
    """Whether a raw wrapper of the SDK makes this call, who wants the HTTP response."""
    headers = kwargs.get("extra_headers")
    return headers is not None and isinstance(headers, Mapping) and RAW_RESPONSE_HEADER in headers
