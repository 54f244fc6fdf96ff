"""A call -> its request: from a resource method's keyword arguments, or from a client request's options.

Holds state: the urls of the clients that were used last.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from types import ModuleType
from typing import Any, NamedTuple

from ..errors import UnrecordableCall
from ..json_tree import JsonObject, JsonValue
from ..packages import OPENAI, SDK, sdk_of_client
from ..recording.headers import names_a_secret
from ..request.credentials import Credential
from ..request.exact_body import WRAPPED, means_something_else
from ..request.jsonable import NOT_PART_OF_A_REQUEST, canonical_text, is_sentinel, omitted_names, plain, plain_arguments
from ..request.request import Request, recorded_url
from ..request.unshown import Unshown
from .additions import POLL_MARK, RAW_RESPONSE_HEADER, without_additions
from .internals import (
    base_url_of,
    content_of,
    has_key_provider,
    keeps_its_base_url,
    own_headers,
    prepared,
    prepared_url,
)
from .methods import Method, method_for

_LIST_OF_MODELS = ("GET", "/v1/models")
_NO_CREDENTIAL = Credential()
_NO_BASE_URL = "https://api.openai.com/v1"
"""The base url of a client that has none, such as a mock."""
_urls: dict[tuple[object, int, str], tuple[str, Unshown[object]]] = {}
"""(type of a client, id of its base url, endpoint) -> (the url as recorded, the base url, whose id is so kept)."""
_MOST_URLS = 256


class _Upload(NamedTuple):
    name: str | None
    content: bytes
    media_type: str | None


def described(method: Method, client: object, kwargs: Mapping[str, object]) -> tuple[Request, Mapping[str, object]]:
    """Return the request that a resource method makes of keyword arguments, and those to call the SDK with.

    Raises UnrecordableValue for an argument that has no JSON form.
    """
    body, text, sdk_kwargs = plain_arguments(kwargs, method.as_sent)
    endpoint = method.endpoint
    options: Unshown[Mapping[str, object]] | None = None
    if "timeout" in kwargs or "extra_headers" in kwargs:
        given = [item for item in kwargs.items() if item[0] in NOT_PART_OF_A_REQUEST]
        options = Unshown({name: value for name, value in given if not is_sentinel(value)})
    return Request("POST", endpoint, _url(client, endpoint), body, text, credential_of(client), options), sdk_kwargs


def credential_of(client: object) -> Credential:
    """Return a client's API key; an empty one if it has none yet, or a function that returns one for each call."""
    key = getattr(client, "api_key", None) or getattr(client, "auth_token", None)  # the latter is anthropic's
    # With a provider it is the key of an earlier call; a replay calls no provider.
    return credential(key) if type(key) is str and not has_key_provider(client) else _NO_CREDENTIAL


@lru_cache(maxsize=16)
def credential(key: str) -> Credential:
    """Return the credential that an API key is."""
    # One object for each key: comparing two equal ones takes two percent of a replay.
    return Credential(key)


def asked_request(client: object, method: Method, library: ModuleType) -> Any:
    """Return the HTTP request that a replayed answer names: the url that the SDK uses, no credentials, no body."""
    base_url = str(getattr(client, "base_url", None) or _NO_BASE_URL).rstrip("/")
    url = _http_url(library, base_url + method.endpoint.removeprefix("/v1"))
    return library.Request("GET" if method.is_list else "POST", url)


@lru_cache(maxsize=256)
def _http_url(library: ModuleType, text: str) -> object:
    # Parsing a url costs half of opening a replayed stream. A url is immutable.
    return library.URL(text)


def _url(client: object, endpoint: str) -> str:
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


def is_raw(extra_headers: object) -> bool:
    """Return whether a raw wrapper of the SDK makes this call and wants the HTTP response."""
    return isinstance(extra_headers, Mapping) and RAW_RESPONSE_HEADER in extra_headers


def described_options(client: Any, options: Any) -> Request:
    """Return the request for these options; raises UnrecordableValue or UnrecordableCall if it cannot be recorded.

    A resource method of the table is identified by its keyword arguments, any other request by its HTTP method
    too. Files are identified by name, media type and a sha256 of their content; an open file is left where it was.
    """
    sdk = sdk_of_client(client)
    base_url, endpoint = base_and_endpoint(client, options.url)
    if endpoint == sdk.warm_up:
        raise UnrecordableCall(f"{endpoint} is sent by no session that records or replays")
    if options.method.upper() != "GET":  # its data is not sent, nor read
        options.json_data = prepared(client, options.json_data)  # an iterator in it can be read only once
    body = body_of(options)
    if sdk is OPENAI:
        body = without_additions(body, endpoint, options)
    if sdk.argument_headers:
        body |= argument_headers(_own_headers(client, options, sdk), sdk)
    return request_of(sdk, options.method, base_url, endpoint, body, credential_of(client))


def request_of(
    sdk: SDK, http_method: str, base_url: str, endpoint: str, body: JsonObject, credential: Credential
) -> Request:
    """Return the request of an HTTP request; `base_url` and `endpoint` are those of `split_url`."""
    http_method = http_method.upper()
    is_listed = (
        sdk is OPENAI
        and method_for(endpoint) is not None
        and (http_method == "POST" or (http_method, endpoint) == _LIST_OF_MODELS)
    )
    method = "POST" if is_listed else http_method
    return Request(method, endpoint, recorded_url(base_url, endpoint), body, canonical_text(body), credential)


def _own_headers(client: Any, options: Any, sdk: SDK) -> dict[str, object]:
    """Return the headers of the client and the call; those that name the account only if the call sends them."""
    of_client, of_call = own_headers(client, options)
    headers = {name: value for name, value in of_client.items() if not names_a_secret(name)}
    return headers | {
        name: value for name, value in of_call.items() if isinstance(value, str) or name not in sdk.lasting_headers
    }


def argument_headers(headers: Mapping[str, object], sdk: SDK) -> dict[str, JsonValue]:
    """Return the headers that change the answer, of some with names in lower case.

    One that names the account stays out of files: its digest is returned.
    """
    return {
        name: _digest(value.encode()) if names_a_secret(name) else value
        for name, value in headers.items()
        if name in sdk.argument_headers and isinstance(value, str)
    }


def base_and_endpoint(client: Any, path: str) -> tuple[str, str]:
    """Return the base url and the endpoint that recordings name, for what a client asks for: a path or a whole url.

    openai's endpoint is "/v1" and the path below its base url. Other SDKs have "/v1" in their base url or in the path,
    and a release may move it: there the endpoint begins at the last "/v1", or is the whole path.
    """
    return split_url(sdk_of_client(client), str(client.base_url), path)


def split_url(sdk: SDK, base_url: str, path: str) -> tuple[str, str]:
    """Return the base url and the endpoint as `base_and_endpoint` does, for a client of `sdk` with this base url."""
    is_whole, is_openai = "://" in path, sdk is OPENAI
    if is_openai and not is_whole:
        return base_url, "/v1/" + path.partition("?")[0].lstrip("/")
    base_url = base_url.partition("?")[0].rstrip("/")
    origin, endpoint = _split_absolute(path if is_whole else f"{base_url}/{path.lstrip('/')}")
    if is_openai:
        return origin, endpoint
    start, version, rest = endpoint.rpartition("/v1/")
    return origin + start, version + rest


def memory_request(client: object, options: Any, library: ModuleType) -> object:
    """Return the HTTP request of a replayed response: method, url and the SDK's raw mark; no credentials, no body."""
    headers = options.headers if isinstance(options.headers, Mapping) else {}
    mark = next((value for name, value in headers.items() if name.lower() == RAW_RESPONSE_HEADER.lower()), None)
    url, query, spelled = prepared_url(client, options)
    if query:  # as the SDK merges them: openai/_base_client.py, _build_request
        given = {name: value for name, value in query.items() if not is_sentinel(value)}
        params = spelled({**dict(url.params.items()), **given})
        url = url.copy_with(raw_path=url.raw_path.split(b"?", 1)[0] + b"?" + params.encode())
    marked_headers = {name: value for name, value in headers.items() if name.lower() == POLL_MARK}
    if mark is not None:
        marked_headers[RAW_RESPONSE_HEADER] = mark
    return library.Request(options.method.upper(), str(url), headers=marked_headers)


def body_of(options: Any) -> JsonObject:
    """Return the recorded body of request options, or of what has their members."""
    data = options.json_data
    body: JsonObject = {}
    if isinstance(data, Mapping):
        omitted = omitted_names(options.extra_json)
        body = plain({name: value for name, value in data.items() if name not in omitted})
        if means_something_else(body):
            body = {WRAPPED: body}
    elif isinstance(data, (bytes, bytearray)):
        body = {"content": _digest(bytes(data))}
    elif data is not None and not is_sentinel(data):
        body = {WRAPPED: plain(data)}
    content = content_of(options)
    if isinstance(content, (bytes, bytearray)):
        body["content"] = _digest(bytes(content))
    elif content is not None:
        body["content"] = _digest(_content_of(content, "the request's content"))
    if options.extra_json is not None:
        body["extra_body"] = plain(options.extra_json)
    query = plain(options.params or {})
    if "?" in options.url:
        query = {**query, "?": options.url.partition("?")[2]}
    if query:
        body["extra_query"] = query
    if options.files:
        body["files"] = _files(options.files)
    return body


def _files(files: Any) -> JsonValue:
    items = files.items() if isinstance(files, Mapping) else files
    return [[name, *_described_upload(_upload(file, name))] for name, file in items]


def _described_upload(upload: _Upload) -> list[JsonValue]:
    return [upload.name, upload.media_type, _digest(upload.content)]


def _upload(file: Any, field: str) -> _Upload:
    # From its beginning, wherever an open file is: so httpx sends the parts of a form.
    if isinstance(file, tuple):
        name, content = file[0], file[1]
        return _Upload(name, _content_of(content, field, is_rewound=True), file[2] if len(file) > 2 else None)
    name = os.path.basename(str(getattr(file, "name", ""))) or None
    return _Upload(name, _content_of(file, field, is_rewound=True), None)


def _content_of(content: Any, where: str, *, is_rewound: bool = False) -> bytes:
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, (bytes, bytearray, memoryview)):
        return bytes(content)
    if isinstance(content, os.PathLike):
        with open(content, "rb") as file:
            return file.read()
    if callable(getattr(content, "read", None)) and _is_seekable(content):
        position = content.tell()
        if is_rewound:
            content.seek(0)
        try:
            read = content.read()
        finally:
            content.seek(position)
        return read.encode() if isinstance(read, str) else bytes(read)
    raise UnrecordableCall(
        f"{where} is a {type(content).__qualname__}, which can be read only once; pass bytes, a path or an open file"
    )


def _is_seekable(file: Any) -> bool:
    seekable = getattr(file, "seekable", None)
    return bool(seekable()) if callable(seekable) else hasattr(file, "seek")


def _digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def _split_absolute(url: str) -> tuple[str, str]:
    scheme, _, rest = url.partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}", slash + path
