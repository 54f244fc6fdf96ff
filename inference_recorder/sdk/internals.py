"""Every private or undocumented name of the SDKs and pydantic that this package uses.

Each accessor declares the names that it relies on, below every SDK of the family or below openai alone; see
`private_names`. Objects that are not the SDK's own, such as mocks, may lack any of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from importlib import import_module
from typing import Any

from ..packages import ANTHROPIC, OPENAI, SDK, sdk_of_client, sdk_of_module
from .private_names import uses

_of_openai = partial(uses, of=(OPENAI,))


@_of_openai("._resource:SyncAPIResource", "_client")
@_of_openai("._resource:AsyncAPIResource", "_client")
def client_of(resource: object) -> Any:
    """Return the client of a resource, None if it has none."""
    return getattr(resource, "_client", None)


@uses("._base_client:BaseClient", "_client")
def http_client_of(client: object) -> Any:
    """Return the HTTP library's client of an SDK client, None if it has none."""
    return getattr(client, "_client", None)


@uses("._base_client:BaseClient", "_base_url")
def base_url_of(client: object) -> Any:
    """Return the base URL of a client as the HTTP library's object, None if it has none."""
    return getattr(client, "_base_url", None)


@_of_openai("._base_client:BaseClient", "base_url")
@lru_cache(maxsize=256)
def keeps_its_base_url(kind: Any) -> bool:
    """Return whether `base_url` of these clients is the SDK's own; the module's client, for one, asks its module."""
    owner = next((base for base in kind.__mro__ if "base_url" in vars(base)), object)
    return sdk_of_module(owner.__module__) is OPENAI and owner.__name__ in ("BaseClient", "OpenAI", "AsyncOpenAI")


@_of_openai("._client:OpenAI", "_api_key_provider", since="1.109.1")
def has_key_provider(client: object) -> bool:
    """Return whether a client calls a function for the API key of each call."""
    return getattr(client, "__dict__", {}).get("_api_key_provider") is not None


@_of_openai("._base_client:BaseClient", "_strict_response_validation")
def validates_strictly(client: object) -> bool:
    """Return whether a client validates the answers it gets."""
    return getattr(client, "_strict_response_validation", False) is True


@uses("._base_client:BaseClient", "_build_request")
def check_requests(client: Any, check: Callable[[Any], None]) -> None:
    """Make a client call `check` with each HTTP request that it is about to send."""

    def build(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        request = type(client)._build_request(client, *args, **kwargs)
        check(request)
        return request

    client._build_request = build


@uses("._base_client:BaseClient", "_make_sse_decoder")
def sse_decoder_of(client: object) -> Any:
    """Return a new decoder of server-sent events as this client uses it, None if it has none."""
    make = getattr(client, "_make_sse_decoder", None)
    return None if make is None else make()


@uses("._base_client:BaseClient", "_prepare_url", "default_query", "qs")
def prepared_url(client: Any, options: Any) -> tuple[Any, Mapping[str, object], Callable[[Mapping[str, object]], str]]:
    """Return the URL of a request without its query, the query's parameters, and what spells a query."""
    return client._prepare_url(options.url), {**client.default_query, **(options.params or {})}, client.qs.stringify


@uses("._base_client:BaseClient", "_custom_headers")
def own_headers(client: Any, options: Any) -> tuple[dict[str, object], dict[str, object]]:
    """Return the headers that a client was made with, and those of a call, with their names in lower case."""
    of_client, of_call = (
        {name.lower(): value for name, value in headers.items()} if isinstance(headers, Mapping) else {}
        for headers in (client._custom_headers, options.headers)
    )
    return of_client, of_call


@uses("._base_client:BaseClient", "_make_status_error_from_response", of=(OPENAI, ANTHROPIC))
def status_error(client: Any, response: object) -> Exception:
    """Return the error that a client raises for a response with an error status."""
    error: Exception = client._make_status_error_from_response(response)
    return error


@uses("._base_client:BaseClient", "_maybe_override_cast_to")
def overridden_cast_to(client: Any, cast_to: object, options: object) -> Any:
    """Return the type that a client makes of the response to a request."""
    return client._maybe_override_cast_to(cast_to, options)


@uses("._base_client:SyncAPIClient", "_process_response")
@uses("._base_client:AsyncAPIClient", "_process_response")
def process_response(client: Any, arguments: Mapping[str, Any]) -> Any:
    """Return what a client makes of a response; a coroutine for an async client."""
    return client._process_response(**arguments)


@uses(
    "._models:FinalRequestOptions",
    "extra_json",
    "files",
    "headers",
    "json_data",
    "method",
    "params",
    "post_parser",
    "url",
)
@_of_openai("._models:FinalRequestOptions", "content", since="2.54.0")
def content_of(options: object) -> Any:
    """Return the raw content of a request; older SDKs have none."""
    return getattr(options, "content", None)


@_of_openai("._models:FinalRequestOptions", "stream_mode", since="3.54.0")
def ends_at_errors(options: object) -> bool:
    """Return whether the SDK ends a stream at an event that holds an error; in the stream mode "events" it goes on."""
    return getattr(options, "stream_mode", "legacy") == "legacy"


@_of_openai("._models:FinalRequestOptions", "construct")
def request_options(method: str, url: str, **members: Any) -> Any:
    """Return the options of a request; `url` is a path below the client's base URL."""
    from openai._models import FinalRequestOptions

    return FinalRequestOptions.construct(method=method, url=url, **members)


@_of_openai("._legacy_response", "HttpxBinaryResponseContent")
def binary_content_type() -> Any:
    """Return the type that a client makes of a response whose caller wants the bytes."""
    from openai._legacy_response import HttpxBinaryResponseContent

    return HttpxBinaryResponseContent


@uses("._models", "construct_type")
def constructed(type_: Any, value: object, sdk: SDK = OPENAI) -> Any:
    """Return what an SDK's own construction makes of JSON."""
    return import_module(f"{sdk.package}._models").construct_type(type_=type_, value=value)


@uses("._utils._prepare", "prepare_request_data", since="2.0.0", of=(ANTHROPIC,))
def prepared(client: object, data: object) -> Any:
    """Return the JSON data of a request as this client sends it, in types of its own or JSON's.

    Most SDKs prepare it before they make the request; newer ones of anthropic while they make it.
    """
    module = sys.modules.get(f"{sdk_of_client(client).package}._utils._prepare")
    return data if module is None else module.prepare_request_data(data, location="body")


@_of_openai("._utils", "maybe_transform")
def transformed(data: object, params_type: object) -> Any:
    """Return keyword arguments as the SDK turns them into the body of a request."""
    from openai._utils import maybe_transform

    return maybe_transform(data, params_type)


@_of_openai("._models:add_request_id", "_request_id")
@_of_openai("._models:BaseModel", "__pydantic_fields_set__")
def set_request_id(answer: object, request_id: str | None) -> None:
    """Set the request id that the SDK adds to the outermost object of every answer (`add_request_id`)."""
    if hasattr(answer, "__pydantic_fields_set__"):  # a model; a list has none
        vars(answer)["_request_id"] = request_id


@_of_openai("._base_client:BaseSyncPage", "_set_private_attributes")
@_of_openai("._base_client:BaseAsyncPage", "_set_private_attributes")
def set_page_source(page: Any, client: object, model: object, options: object) -> None:
    """Set what a page fetches the next one with."""
    page._set_private_attributes(client=client, model=model, options=options)


@uses("._base_client:AsyncPaginator", "_get_page")
def paginator_of(client: Any, options: Any, page_type: Any, model: Any, get_page: Callable[[], Any]) -> Any:
    """Return the SDK's awaitable list of items, whose page comes from `get_page`."""
    from openai._base_client import AsyncPaginator

    paginator: Any = AsyncPaginator(client, options, page_type, model)
    paginator._get_page = get_page
    return paginator


@uses("._base_client:AsyncPaginator", "_get_page")
def replace_get_page(paginator: Any, wrap: Callable[[Any], Any]) -> None:
    """Replace what fetches the page of a paginator by what `wrap` makes of it."""
    paginator._get_page = wrap(paginator._get_page)


@_of_openai("._streaming:Stream", "_iterator")
@_of_openai("._streaming:AsyncStream", "_iterator")
def pass_chunks_through(stream: Any, capture: Callable[[Any], Any]) -> None:
    """Replace the chunks of a stream by what `capture` makes of them."""
    stream._iterator = capture(stream._iterator)


@_of_openai("._streaming:Stream", "response", "_cast_to", "_client", "_decoder")
@_of_openai("._streaming:AsyncStream", "response", "_cast_to", "_client", "_decoder")
@_of_openai("._streaming:Stream", "_options", since="2.54.0")
@_of_openai("._streaming:AsyncStream", "_options", since="2.54.0")
def stream_over(chunks: object, chunk_type: object, client: object, response: object, *, is_async: bool) -> Any:
    """Return a stream of the SDK's own class whose chunks come from `chunks`.

    The class's own constructor would begin to decode the response.
    """
    from openai import AsyncStream, Stream

    kind: Any = AsyncStream if is_async else Stream
    stream = kind.__new__(kind)
    stream.response = response
    stream._cast_to = chunk_type
    stream._client = client
    stream._options = None
    stream._decoder = sse_decoder_of(client)
    stream._iterator = chunks
    return stream


@_of_openai("._resource:SyncAPIResource", "_get", "_post", "_patch", "_put", "_delete", "_get_api_list")
@_of_openai("._resource:AsyncAPIResource", "_get", "_post", "_patch", "_put", "_delete", "_get_api_list")
def replace_sending(resource: object, send: Callable[..., object]) -> None:
    """Replace everything a resource sends requests with."""
    for name in ("_get", "_post", "_patch", "_put", "_delete", "_get_api_list"):
        setattr(resource, name, send)


@_of_openai("._models:BaseModel", "__pydantic_validator__")
def validator_of(model: Any) -> Any:
    """Return the validator of a model in pydantic-core."""
    return model.__pydantic_validator__


@_of_openai("._models:BaseModel", "__pydantic_generic_metadata__")
def is_generic(model: Any) -> bool:
    """Return whether a model was made by giving a generic one its types."""
    return bool(model.__pydantic_generic_metadata__["args"])


@_of_openai("._models:BaseModel", "__pydantic_core_schema__")
def core_schema_of(model: Any) -> Any:
    """Return the schema that pydantic-core validates a model by."""
    return model.__pydantic_core_schema__


@_of_openai("._models:BaseModel", "__pydantic_extra__")
def forget_extra_fields(value: Any) -> None:
    """Take the extra fields of a model's object out of the fields that count as set; the SDK does not count them."""
    if extra := value.__pydantic_extra__:
        value.__pydantic_fields_set__.difference_update(extra)
