"""The body of a request as it is sent. The exact key is made of it.

`extra_body` is merged as the SDK merges it: one level deep, its members win. `extra_query` goes into the url and is
kept apart, in the form in which it is sent. Names that are numbers, true or null are texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from ..json_tree import JsonObject, JsonValue
from ..prefilter import prefilter
from .jsonable import canonical_text
from .request import Request

PREFILTER = r'"extra_(?:body|query)": |"(?:-?[0-9][0-9.e+-]*|true|false|null|NaN|-?Infinity)": '
"""Matches the canonical text of every body that `exact_body` changes."""
WRAPPED = "json"
"""The only member of a recorded body for JSON that is not an object, or that `means_something_else`."""


def exact_text(request: Request) -> str:
    """Return the canonical text of the body as it is sent."""
    text = request.body_text
    return canonical_text(exact_body(request.body)) if prefilter(PREFILTER)(text) else text


def exact_body(body: JsonObject) -> JsonObject:
    """Return a recorded body as it is sent: with `extra_body` merged in and texts as names."""
    sent: JsonObject = json.loads(json.dumps(body))
    added, query = sent.pop("extra_body", None), sent.pop("extra_query", None)
    wrapped = sent.get(WRAPPED)
    if isinstance(wrapped, dict) and isinstance(added, dict):
        wrapped.update(added)
    elif isinstance(added, dict):
        sent = {WRAPPED: sent | added} if means_something_else(added) else sent | added
    elif added is not None:  # the SDK rejects it
        sent["extra_body"] = added
    if isinstance(query, dict):
        query = _query_as_sent(query)
    return {**sent, "extra_query": query} if query else sent


def _query_as_sent(query: JsonObject) -> JsonObject:
    """Return the parameters of a url: name -> text, or a list of texts for a repeated name.

    Source: openai/_qs.py with its client's formats. "?" is the query that the path has already (see `_build_request`).
    """
    in_the_path = dict(parse_qsl(str(query.get("?", "")), keep_blank_values=True))
    sent: dict[str, list[JsonValue]] = {}
    for name, value in {**in_the_path, **{name: query[name] for name in query if name != "?"}}.items():
        for sent_name, text in _parameters(name, value):
            sent.setdefault(sent_name, []).append(text)
    return {name: values if len(values) > 1 else values[0] for name, values in sent.items()}


def _parameters(name: str, value: JsonValue) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for inner, item in value.items():
            yield from _parameters(f"{name}[{inner}]", item)
    elif isinstance(value, list):
        for item in value:
            yield from _parameters(f"{name}[]", item)
    elif value is not None:
        yield name, str(value).lower() if isinstance(value, bool) else str(value)


def means_something_else(members: Mapping[str, object]) -> bool:
    """Return whether a JSON object has a member that a recorded body uses for something other than that member."""
    content, files = members.get("content"), members.get("files")
    return (
        any(name in members for name in ("extra_body", "extra_query", WRAPPED))
        or (isinstance(content, str) and content.startswith("sha256:"))
        or (isinstance(files, (list, tuple)) and any(isinstance(file, (list, tuple)) for file in files))
    )
