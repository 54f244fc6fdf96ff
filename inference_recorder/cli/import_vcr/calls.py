"""HTTP request -> the call of the SDK that sent it."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass, field
from importlib import import_module
from urllib.parse import parse_qsl, urlsplit

from ...request.jsonable import NOT_PART_OF_A_REQUEST, JsonObject, JsonValue
from ...sdk.methods import METHODS, Method
from .forms import File, form_of, unflattened
from .interaction import Interaction, NotTaken

_ROOTS = frozenset({
    "assistants", "audio", "batches", "chat", "chatkit", "completions", "containers", "conversations", "embeddings",
    "evals", "files", "fine_tuning", "images", "models", "moderations", "organization", "realtime", "responses",
    "skills", "threads", "uploads", "vector_stores", "videos",
})  # fmt: skip
"""How the paths of OpenAI's API begin."""
_OWN_HOSTS = ("api.openai.com", ".api.openai.com", ".openai.azure.com", ".cognitiveservices.azure.com")
_OF_ANOTHER_SDK = re.compile(r"(?!\w*OpenAI/)\w+/Python ")
"""The user-agent of other SDKs that are generated as OpenAI's is, such as Anthropic's."""
_OF_THE_CLIENT = frozenset({
    "api-version", "api_key", "apikey", "api-key", "key", "token", "access_token", "subscription-key", "sig", "code",
})  # fmt: skip
"""Parts of a query that a client's default_query has, for Azure or as a credential; never the call itself."""


@dataclass(frozen=True, slots=True)
class SdkCall:
    """A call of an SDK client: of a method of the table, or else a request of the client itself."""

    base_url: str
    http_method: str
    path: str
    """Below the base url, with the slash it begins with."""
    row: Method | None
    body: JsonValue = None
    """The JSON that was sent (an object, for a method of the table), bytes for what is none; None for nothing."""
    query: JsonObject = field(default_factory=dict)
    files: list[File] | None = None

    def arguments(self, row: Method) -> JsonObject:
        """Return the keyword arguments of the table's method. What it does not take came as extra_body."""
        body = dict(self.body or {})
        if row.name == "embeddings.create" and body.get("encoding_format") == "base64":
            # The SDK asks for it where its caller asked for nothing; see openai/resources/embeddings.py.
            del body["encoding_format"]
        taken = _parameters(row)
        extra = {name: body.pop(name) for name in list(body) if name not in taken}
        if extra:
            body["extra_body"] = extra
        if self.query:
            body["extra_query"] = self.query
        return body


def call_of(interaction: Interaction, base_url: str | None = None) -> SdkCall:
    """Return the call of the SDK that sent this request; raises NotTaken where none did.

    `base_url` is that of the client, for the requests that went below it; else the uri tells.
    """
    parts = urlsplit(interaction.uri)
    if parts.scheme in ("ws", "wss") or interaction.headers.get("upgrade", "").lower() == "websocket":
        raise NotTaken("it is a websocket, which recordings do not hold")
    found = _below(interaction.uri, base_url) or _told_by_uri(interaction)
    if found is None:
        raise NotTaken("it is no call of the OpenAI SDK")
    base, path = found
    row = _row(interaction.method, path)
    given = ((name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True))
    query = unflattened((name, value) for name, value in given if name.lower() not in _OF_THE_CLIENT)
    content_type = interaction.headers.get("content-type", "")
    if isinstance(interaction.body, bytes) and content_type.lower().startswith("multipart/form-data"):
        form = form_of(interaction.body, content_type)
        return SdkCall(base, interaction.method, path, row, form.fields, query, form.files)
    body = _body(interaction, content_type)
    if row is not None and not isinstance(body, dict) and not (row.is_list and body is None):
        raise NotTaken(f"its body is no JSON object, which {row.name} sends")
    return SdkCall(base, interaction.method, path, row, body, query)


def _below(uri: str, base_url: str | None) -> tuple[str, str] | None:
    if base_url is None:
        return None
    start, url = base_url.rstrip("/"), uri.partition("?")[0]
    return (start, url.removeprefix(start)) if url.startswith(f"{start}/") else None


def _told_by_uri(interaction: Interaction) -> tuple[str, str] | None:
    parts = urlsplit(interaction.uri)
    agent = interaction.headers.get("user-agent", "")
    if _OF_ANOTHER_SDK.match(agent):
        return None
    is_marked = any(name.startswith("x-stainless-") for name in interaction.headers)
    is_of_the_sdk = "OpenAI/" in agent or (is_marked and not agent)
    is_of_openai = is_of_the_sdk or (parts.hostname or "").endswith(_OWN_HOSTS)
    found = _split(parts.path, is_of_openai=is_of_openai)
    if found is None:
        return None
    base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{found[0]}"
    return _azure_client_url(base, interaction.body), found[1]


def _split(path: str, *, is_of_openai: bool) -> tuple[str, str] | None:
    """Return the base url's path and the rest, None where the rest is none of OpenAI's.

    The base url ends with the last "/v1" before how a path of OpenAI's begins, else before a path that the table has,
    else before how a path begins, else with the last "/v1". Other APIs have /v1/files too: only the table's paths are
    OpenAI's for sure.
    """
    steps = path.split("/")
    versions = [position for position, step in enumerate(steps[:-1]) if step == "v1"]
    roots = [position for position, step in enumerate(steps) if step in _ROOTS and position]
    position = next((position + 1 for position in reversed(versions) if position + 1 in roots), 0)
    listed = [ending for ending in _paths() if path.endswith(ending) and ending != "/models"]
    if not position and listed:
        position = len(path.removesuffix(max(listed, key=len)).split("/"))
    if not position:
        position = next(iter(roots), versions[-1] + 1 if versions else 0)
    rest = "/" + "/".join(steps[position:])
    return ("/".join(steps[:position]), rest) if position and (is_of_openai or rest in _paths()) else None


def _paths() -> list[str]:
    return [method.endpoint.removeprefix("/v1") for method in METHODS]


def _row(http_method: str, path: str) -> Method | None:
    row = next((method for method in METHODS if method.endpoint == f"/v1{path}"), None)
    return row if row is not None and http_method == ("GET" if row.is_list else "POST") else None


def _azure_client_url(base: str, body: object) -> str:
    """Return the base url of the client that asked a deployment of Azure's.

    One that was given no azure_deployment has none in its base url: it takes the model for the deployment's name.
    """
    start, found, deployment = base.rpartition("/deployments/")
    parsed = _json_or_none(body) if isinstance(body, bytes) else body
    model = parsed.get("model") if isinstance(parsed, dict) else None
    return start if found and model == deployment else base


def _body(interaction: Interaction, content_type: str) -> JsonValue:
    body = interaction.body
    if isinstance(body, dict) or not body:
        return body or None
    parsed = _json_or_none(body)
    # Without its content-type, which a cassette may leave out, a body is JSON if it can be.
    return body if parsed is None or not (not content_type or "json" in content_type.lower()) else parsed


def _json_or_none(content: bytes) -> JsonValue:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _parameters(row: Method) -> set[str]:
    method = getattr(getattr(import_module(row.module), row.owner), row.attribute)
    none_of_the_body = NOT_PART_OF_A_REQUEST | {"self", "extra_body", "extra_query"}
    return set(inspect.signature(method).parameters) - none_of_the_body
