"""The body of a request as it is sent, which its exact key is made of.

`extra_body` is merged into it as the SDK merges it: one level deep, what it names last. `extra_query` goes into the url
and is kept apart. The SDK's sentinels are gone before (see `jsonable`); names that are numbers, true or null are texts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from .jsonable import JsonObject, canonical_text
from .quick_look import quick_look
from .request import Request

MARKS = (
    r'"extra_body": |"extra_query": (?:null|\{\})'
    r'|"(?:-?[0-9][0-9.e+-]*|true|false|null|NaN|-?Infinity)": '
)
"""What occurs in the canonical text of a body that is not sent as it is. A pattern for `quick_look`."""
WRAPPED = "json"
"""The one member of a body that is not an object, or whose names would mean something else in a recording."""


def exact_text(request: Request) -> str:
    """Return the canonical text of the body as it is sent."""
    text = request.body_text
    return canonical_text(exact_body(request.body)) if quick_look(MARKS)(text) else text


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
    return {**sent, "extra_query": query} if query else sent


def means_something_else(members: Mapping[str, object]) -> bool:
    """Whether a JSON object has a member that a recorded body uses for something other than JSON."""
    content, files = members.get("content"), members.get("files")
    return (
        any(name in members for name in ("extra_body", "extra_query", WRAPPED))
        or (isinstance(content, str) and content.startswith("sha256:"))
        or (isinstance(files, (list, tuple)) and any(isinstance(file, (list, tuple)) for file in files))
    )
