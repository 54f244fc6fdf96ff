"""What the SDK itself adds to what its caller asked for, in one table. None of it is part of a request's key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..json_tree import JsonObject
from ..request.sent_alike import ENCODING, ENCODING_ENDPOINT

RAW_RESPONSE_HEADER = "X-Stainless-Raw-Response"
"""Set by the SDK's raw wrappers on the calls they make. Source: openai/_constants.py."""
POLL_MARK = "x-stainless-poll-helper"
"""Set by the SDK's polling helpers on the calls they make."""


class Addition(NamedTuple):
    """A member of a body, or a header, that the SDK adds."""

    name: str
    endpoint: str = ""
    """Where a member of the body is added; a header may come with any request, and is not part of a key."""
    value: str = ""
    is_made: Callable[[Any], bool] = lambda options: True
    """Whether the SDK has made it, by the request options: a caller may have given the same value."""


def _decodes_what_it_asked_for(options: Any) -> bool:
    # `embeddings.create` asks for base64 if its caller names no format; only then does its parser decode the answer.
    # Without that parser the request was not made by this method: the caller wants base64.
    from openai.types import CreateEmbeddingResponse, Embedding

    four_bytes: Any = "AAAAAA=="
    answer = CreateEmbeddingResponse.construct(data=[Embedding.construct(embedding=four_bytes)])
    try:
        return not isinstance(options.post_parser(answer).data[0].embedding, str)
    except Exception:  # no parser, or that of another method
        return False


ADDITIONS = (
    Addition(ENCODING[0], ENCODING_ENDPOINT, ENCODING[1], _decodes_what_it_asked_for),
    Addition(RAW_RESPONSE_HEADER),
    Addition(POLL_MARK),
)


def without_additions(body: JsonObject, endpoint: str, options: Any) -> JsonObject:
    """Return the body of a request to this endpoint without what the SDK added to it."""
    added = {
        addition.name
        for addition in ADDITIONS
        if addition.endpoint == endpoint and body.get(addition.name) == addition.value and addition.is_made(options)
    }
    return {name: value for name, value in body.items() if name not in added} if added else body
