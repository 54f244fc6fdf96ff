"""A request: one call of the SDK, as its recording holds it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple, cast
from urllib.parse import urlparse

from ..json_tree import JsonObject, JsonValue
from .credentials import Credential
from .jsonable import canonical_text
from .unshown import Unshown

MODEL_LIST_ENDPOINT = "/v1/models"
# Ids are found by their shape, since a run knows thousands: letters, a separator and the rest (see `stability`).
_ID = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z]+[_-][A-Za-z0-9_-]{6,}")
_WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}")


class Request(NamedTuple):
    """One call of the SDK. `endpoint` starts with "/v1"; `url` is the client's base url and the endpoint."""

    method: str
    """POST for every resource method, as in llama-stack's recordings; otherwise the HTTP method that is sent."""
    endpoint: str
    url: str
    body: JsonObject
    """The caller's own arguments. Take `frozen_body()` to keep them, since the caller may change them later."""
    body_text: str
    """The canonical text of `body` (see `jsonable.canonical_text`)."""
    credential: Credential | None = None
    """The client's API key, which redaction replaces wherever it occurs. Never stored; None after redaction."""
    call_options: Unshown[Mapping[str, object]] | None = None
    """`timeout` and `extra_headers`, if they were passed. Only llama-stack's keys have them. Never stored or shown."""

    @property
    def model(self) -> str:
        """The name of the model, "" if the request has none."""
        model = self.body.get("model", "")
        return model if isinstance(model, str) else ""

    @property
    def is_streaming(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def is_model_list(self) -> bool:
        return self.endpoint == MODEL_LIST_ENDPOINT and self.method == "POST"

    @property
    def summary(self) -> str:
        """The request in a few words, for people."""
        summary = f"{self.method} {self.endpoint}"
        return f"{summary} (model {self.model})" if self.model else summary

    def renamed(self, ids: Mapping[str, str]) -> Request:
        """Return the request with ids replaced, {old: new}; the request itself if it has none of them."""
        if not any(request_id in ids for text in (self.body_text, self.endpoint) for request_id in ids_in(text)):
            return self
        request = self.with_body(json.loads(with_ids(json.dumps(self.body), ids)))
        return request._replace(endpoint=with_ids(self.endpoint, ids), url=with_ids(self.url, ids))

    def with_body(self, body: JsonObject) -> Request:
        """Return the request with this body, a changed copy of `frozen_body()`.

        Names that the caller passed as numbers become numbers again, since the key sorts them as numbers.
        """
        body = cast("JsonObject", _with_names_of(self.body, body))
        return self._replace(body=body, body_text=canonical_text(body))

    def with_call_options(self) -> tuple[Request, ...]:
        """Return the request with `timeout` and `extra_headers` in its body, as llama-stack's recorder hashes it.

        Empty if neither was passed, or if one has no JSON form, where that recorder fails. Do not store or show it.
        """
        if self.call_options is None:
            return ()
        try:
            body = {**self.body, **json.loads(json.dumps(self.call_options.value))}
        except (TypeError, ValueError, RecursionError):
            return ()
        return (self._replace(body=body, body_text=canonical_text(body), call_options=None),)

    def with_numbers_as_names(self) -> Request:
        """Return the request as if names of objects that spell whole numbers had been passed as numbers.

        As numbers they may sort differently and give another key. A file does not show how they were passed.
        """
        body = cast("JsonObject", _with_numbers_as_names(self.body))
        return self._replace(body=body, body_text=canonical_text(body))

    def frozen_body(self) -> JsonObject:
        """Return a copy of the body, which stays as it is when the caller changes the arguments."""
        body: JsonObject = json.loads(json.dumps(self.body))
        return body


def _with_names_of(original: JsonValue, copy: JsonValue) -> JsonValue:
    if isinstance(original, dict) and isinstance(copy, dict) and len(original) == len(copy):
        return {
            copied if isinstance(name, str) else name: _with_names_of(original[name], item)
            for name, (copied, item) in zip(original, copy.items(), strict=True)
        }
    if isinstance(original, (list, tuple)) and isinstance(copy, list):
        return list(map(_with_names_of, original, copy))
    return copy


def _with_numbers_as_names(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        are_numbers = all(map(_WHOLE_NUMBER.fullmatch, value))
        items = {name: _with_numbers_as_names(item) for name, item in value.items()}
        return {int(name): item for name, item in items.items()} if are_numbers else items  # type: ignore[misc]
    return list(map(_with_numbers_as_names, value)) if isinstance(value, list) else value


def with_ids(text: str, ids: Mapping[str, str]) -> str:
    """Return a text with ids replaced, {old: new}."""
    return _ID.sub(lambda match: ids.get(match[0], match[0]), text)


def ids_in(text: str) -> Iterator[str]:
    """Yield the parts of a text that have the shape of an id."""
    return (match[0] for match in _ID.finditer(text))


@lru_cache(maxsize=1024)
def recorded_url(base_url: str, endpoint: str) -> str:
    """Return the url that a recording of `endpoint` holds, for a client with this base url.

    Credentials, query and fragment of the base url are left out. `__databricks__` replaces the host of a Databricks
    workspace, as in llama-stack's recordings, because the host names the customer.

    Source: llama-stack `api_recorder.py`, `_patched_inference_method`; the endpoint's own "/v1" follows the base url's.
    """
    parts = urlparse(base_url)
    host = parts.netloc.rpartition("@")[2]
    url = parts._replace(netloc=host, query="", fragment="", params="").geturl().rstrip("/") + endpoint
    _, databricks, path = url.rpartition("cloud.databricks.com")
    return f"__databricks__{path}" if databricks else url
