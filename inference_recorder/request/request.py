"""One call of the SDK, as its recording knows it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlparse

from .credentials import Credential
from .jsonable import JsonObject, JsonValue, canonical_text

MODEL_LIST_ENDPOINT = "/v1/models"
# Looked for by their shape, since a run knows thousands: letters, a separator and the rest (see `sameness`).
_ID = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z]+[_-][A-Za-z0-9_-]{6,}")
_WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}")


class Request(NamedTuple):
    """One call of the SDK. `endpoint` starts with "/v1"; `url` is the client's base url and the endpoint."""

    method: str
    """POST, as the recordings have it for every method of the table; else the method that is really sent."""
    endpoint: str
    url: str
    body: JsonObject
    """The arguments, live: whoever stores them takes `frozen_body()` before the call goes on."""
    body_text: str
    """The canonical text of `body` (see `jsonable.canonical_text`)."""
    credential: Credential | None = None
    """The API key of the client that asks, to be hidden wherever it occurs; never stored. None once that is done."""

    @property
    def model(self) -> str:
        """The model that was asked for, "" where the request names none."""
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
        asked = f"{self.method} {self.endpoint}"
        return f"{asked} (model {self.model})" if self.model else asked

    def renamed(self, ids: Mapping[str, str]) -> Request:
        """Return the request with ids replaced, {there: here}, wherever they are; the same where it names none."""
        if not any(found in ids for text in (self.body_text, self.endpoint) for found in ids_in(text)):
            return self
        request = self.saying(json.loads(with_ids(json.dumps(self.body), ids)))
        return request._replace(endpoint=with_ids(self.endpoint, ids), url=with_ids(self.url, ids))

    def saying(self, body: JsonObject) -> Request:
        """Return the request with this body, a changed copy of `frozen_body()`.

        Names that the caller passed as numbers are numbers again, so that its key has them in their order.
        """
        body = _with_names_of(self.body, body)
        return self._replace(body=body, body_text=canonical_text(body))

    def with_numbers_as_names(self) -> Request:
        """Return the request as if each object whose names are all whole numbers had been passed with numbers.

        Its key is another one where they sort otherwise than as texts; a file does not tell which they were.
        """
        body = _with_numbers_as_names(self.body)
        return self._replace(body=body, body_text=canonical_text(body))

    def frozen_body(self) -> JsonObject:
        """Return a copy of the body that later changes by the caller do not reach, in the caller's own order."""
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
        return {int(name) if are_numbers else name: _with_numbers_as_names(item) for name, item in value.items()}
    return list(map(_with_numbers_as_names, value)) if isinstance(value, list) else value


def with_ids(text: str, ids: Mapping[str, str]) -> str:
    """Return a text with whole ids replaced, {there: here}."""
    return _ID.sub(lambda match: ids.get(match[0], match[0]), text)


def ids_in(text: str) -> Iterator[str]:
    """Yield what has the shape of an id in a text."""
    return (match[0] for match in _ID.finditer(text))


@lru_cache(maxsize=1024)
def recorded_url(base_url: str, endpoint: str) -> str:
    """Return the url that a recording of `endpoint` holds, for a client with this base url.

    Credentials, query and fragment of the base url are left out. A Databricks workspace's host is hidden, as the
    ancestor hides it, because the host names the customer: `__databricks__` stands for all up to the domain's end.

    Source: llama-stack `api_recorder.py`, `_patched_inference_method`; the endpoint's own "/v1" follows the base url's.
    """
    parts = urlparse(base_url)
    host = parts.netloc.rpartition("@")[2]
    url = parts._replace(netloc=host, query="", fragment="", params="").geturl().rstrip("/") + endpoint
    _, databricks, path = url.rpartition("cloud.databricks.com")
    return f"__databricks__{path}" if databricks else url
