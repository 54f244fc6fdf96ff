"""The body of a request as it is sent, which its exact key is made of.

`extra_body` is merged into it as the SDK merges it: one level deep, what it names last. `extra_query` goes into the url
and is kept apart, as it is sent there. The SDK's sentinels are gone before (see `jsonable`); names that are numbers,
true or null are texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from ..prefilter import prefilter
from .jsonable import JsonObject, JsonValue, canonical_text
from .request import Request

MARKS = r'"extra_(?:body|query)": |"(?:-?[0-9][0-9.e+-]*|true|false|null|NaN|-?Infinity)": '
"""What occurs in the canonical text of a body that is not sent as it is. A pattern for `prefilter`."""
WRAPPED = "json"
"""The one member of a body that is not an object, or whose names would mean something else in a recording."""


def exact_text(request: Request) -> str:
    """Return the canonical text of the body as it is sent."""
    text = request.body_text
    return canonical_text(exact_body(request.body)) if prefilter(MARKS)(text) else text


def exact_body(body: JsonObject) -> JsonObject:
    """Return a recorded body as it is sent: with `extra_body` merged in and texts as names."""
    sent: JsonObject = json.loads(json.dumps(body))
    added, query = sent.pop("extra_body", None), sent.pop("extra_query", None)
    if isinstance(sent.get(WRAPPED), dict) and isinstance(added, dict):
        sent[WRAPPED] |= added
    elif isinstance(added, dict):
        sent = {WRAPPED: sent | added} if means_something_else(added) else sent | added
    elif added is not None:  # the SDK refuses it
        sent["extra_body"] = added
    query = _query_as_sent(query) if isinstance(query, dict) else query
    return {**sent, "extra_query": query} if query else sent


def _query_as_sent(query: JsonObject) -> JsonObject:
    """Return the parameters of a url, each a text, or a list of texts where it has several.

    Source: openai/_qs.py with its client's formats; "?" stands for what the path has already (see `_build_request`).
    """
    in_the_path = dict(parse_qsl(str(query.get("?", "")), keep_blank_values=True))
    sent: dict[str, list[str]] = {}
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
        yield name, {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def means_something_else(members: Mapping[str, object]) -> bool:
    """Whether a JSON object has a member that a recorded body uses for something other than JSON."""
    content, files = members.get("content"), members.get("files")
    return (
        any(name in members for name in ("extra_body", "extra_query", WRAPPED))
        or (isinstance(content, str) and content.startswith("sha256:"))
        or (isinstance(files, (list, tuple)) and any(isinstance(file, (list, tuple)) for file in files))
    )
