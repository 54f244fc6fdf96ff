"""HTTP request -> the SDK call that sent it."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass, field
from importlib import import_module
from urllib.parse import parse_qsl, urlsplit

from ...json_tree import JsonObject, JsonValue
from ...request.jsonable import NOT_PART_OF_A_REQUEST
from ...sdk.additions import ADDITIONS
from ...sdk.methods import METHODS, Method
from .forms import File, parse_form, unflatten
from .interaction import Interaction, NotImportable

_FIRST_SEGMENTS = frozenset({
    "assistants", "audio", "batches", "chat", "chatkit", "completions", "containers", "conversations", "embeddings",
    "evals", "files", "fine_tuning", "images", "models", "moderations", "organization", "realtime", "responses",
    "skills", "threads", "uploads", "vector_stores", "videos",
})  # fmt: skip
"""How the paths of OpenAI's API begin."""
_OPENAI_HOSTS = ("api.openai.com", ".api.openai.com", ".openai.azure.com", ".cognitiveservices.azure.com")
_OTHER_SDK = re.compile(r"(?!\w*OpenAI/)\w+/Python ")
"""The user-agent of another SDK from the same generator, such as Anthropic's."""
_CLIENT_QUERY = frozenset({
    "api-version", "api_key", "apikey", "api-key", "key", "token", "access_token", "subscription-key", "sig", "code",
})  # fmt: skip
"""Query parameters from a client's default_query, for Azure or as a credential; never part of the call itself."""


@dataclass(frozen=True, slots=True)
class SdkCall:
    """A call of an SDK client: of a resource method we know, or a request of the client itself."""

    interaction: Interaction = field(repr=False)
    """Where it was found. Not in repr(), by which retries of one call are recognized."""
    base_url: str
    http_method: str
    path: str
    """Below the base URL, with a leading slash."""
    method: Method | None
    body: JsonValue | bytes = None
    """The JSON that was sent (an object, for a resource method), bytes for anything else, None for nothing."""
    query: JsonObject = field(default_factory=dict)
    files: list[File] | None = None

    def arguments(self, method: Method) -> JsonObject:
        """Return the resource method's keyword arguments. Members that it does not take become extra_body."""
        body = dict(self.body) if isinstance(self.body, dict) else {}
        for addition in ADDITIONS:
            if addition.endpoint == method.endpoint and body.get(addition.name) == addition.value:
                del body[addition.name]
        parameters = _parameters(method)
        extra_body = {name: body.pop(name) for name in list(body) if name not in parameters}
        if extra_body:
            body["extra_body"] = extra_body
        if self.query:
            body["extra_query"] = self.query
        return body


def sdk_call_of(interaction: Interaction, base_url: str | None = None) -> SdkCall:
    """Return the SDK call that sent this request; raises NotImportable if none did.

    `base_url` is the client's, for requests below it; for others it is derived from the URI.
    """
    parts = urlsplit(interaction.uri)
    if parts.scheme in ("ws", "wss") or interaction.headers.get("upgrade", "").lower() == "websocket":
        raise NotImportable("it is a websocket, which recordings do not hold")
    base_and_path = _below(interaction.uri, base_url) or _derived_from_uri(interaction)
    if base_and_path is None:
        raise NotImportable("it is not a call of the OpenAI SDK")
    base, path = base_and_path
    method = _method(interaction.method, path)
    parameters = parse_qsl(parts.query, keep_blank_values=True)
    query = unflatten((name, value) for name, value in parameters if name.lower() not in _CLIENT_QUERY)
    content_type = interaction.headers.get("content-type", "")
    if isinstance(interaction.body, bytes) and content_type.lower().startswith("multipart/form-data"):
        fields, files = parse_form(interaction.body, content_type)
        return SdkCall(interaction, base, interaction.method, path, method, fields, query, files)
    body = _body(interaction, content_type)
    if method is not None and not isinstance(body, dict) and not (method.is_list and body is None):
        raise NotImportable(f"its body is not a JSON object, which {method.name} sends")
    return SdkCall(interaction, base, interaction.method, path, method, body, query)


def _below(uri: str, base_url: str | None) -> tuple[str, str] | None:
    """Return (base URL, path) if the URI is below `base_url`."""
    if base_url is None:
        return None
    base, url = base_url.rstrip("/"), uri.partition("?")[0]
    return (base, url.removeprefix(base)) if url.startswith(f"{base}/") else None


def _derived_from_uri(interaction: Interaction) -> tuple[str, str] | None:
    """Return (base URL, path), None if the request is not one of the OpenAI SDK."""
    parts = urlsplit(interaction.uri)
    agent = interaction.headers.get("user-agent", "")
    if _OTHER_SDK.match(agent):
        return None
    has_sdk_headers = any(name.startswith("x-stainless-") for name in interaction.headers)
    is_from_the_sdk = "OpenAI/" in agent or (has_sdk_headers and not agent)
    is_to_openai = is_from_the_sdk or (parts.hostname or "").endswith(_OPENAI_HOSTS)
    base_and_path = _split(parts.path, is_to_openai=is_to_openai)
    if base_and_path is None:
        return None
    base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{base_and_path[0]}"
    return _azure_base_url(base, interaction.body), base_and_path[1]


def _split(path: str, *, is_to_openai: bool) -> tuple[str, str] | None:
    """Return (the base URL's path, the rest), None if the rest is not a path of OpenAI's API.

    The base URL ends with the last "/v1" that precedes a first segment of OpenAI's; otherwise before a path of a
    resource method; otherwise before a first segment; otherwise with the last "/v1". Other APIs have /v1/files too, so
    a request to another host counts only if its path is a resource method's.
    """
    segments = path.split("/")
    versions = [index for index, segment in enumerate(segments[:-1]) if segment == "v1"]
    starts = [index for index, segment in enumerate(segments) if segment in _FIRST_SEGMENTS and index]
    start = next((index + 1 for index in reversed(versions) if index + 1 in starts), 0)
    endings = [ending for ending in _method_paths() if path.endswith(ending) and ending != "/models"]
    if not start and endings:
        start = len(path.removesuffix(max(endings, key=len)).split("/"))
    if not start:
        start = next(iter(starts), versions[-1] + 1 if versions else 0)
    below = "/" + "/".join(segments[start:])
    return ("/".join(segments[:start]), below) if start and (is_to_openai or below in _method_paths()) else None


def _method_paths() -> list[str]:
    return [method.endpoint.removeprefix("/v1") for method in METHODS]


def _method(http_method: str, path: str) -> Method | None:
    method = next((method for method in METHODS if method.endpoint == f"/v1{path}"), None)
    if method is None or not method.is_installed:
        return None
    return method if http_method == ("GET" if method.is_list else "POST") else None


def _azure_base_url(base: str, body: bytes | JsonObject) -> str:
    """Return the base URL of a client that called an Azure deployment.

    A client without azure_deployment has none in its base URL: the SDK takes the model for the deployment's name.
    """
    start, separator, deployment = base.rpartition("/deployments/")
    parsed = _json_or_none(body) if isinstance(body, bytes) else body
    model = parsed.get("model") if isinstance(parsed, dict) else None
    return start if separator and model == deployment else base


def _body(interaction: Interaction, content_type: str) -> JsonValue | bytes:
    body = interaction.body
    if isinstance(body, dict) or not body:
        return body or None
    # A cassette may lack the content-type; then a body counts as JSON if it can be parsed.
    parsed = _json_or_none(body) if not content_type or "json" in content_type.lower() else None
    return body if parsed is None else parsed


def _json_or_none(content: bytes) -> JsonValue:
    try:
        value: JsonValue = json.loads(content)
        return value
    except (ValueError, RecursionError):
        return None


def _parameters(method: Method) -> set[str]:
    function = getattr(getattr(import_module(method.module), method.owner), method.attribute)
    not_in_the_body = NOT_PART_OF_A_REQUEST | {"self", "extra_body", "extra_query"}
    return set(inspect.signature(function).parameters) - not_in_the_body
