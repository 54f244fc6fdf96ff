"""Headers: which of a response's a recording keeps, which differ from run to run, and which hold credentials.

One table of patterns and what their headers are. The first row that matches counts; what no row names is kept:

    set-cookie, x-api-key, openai-organization    SECRET: their names say whose answer it was, or what opens the account
    content-encoding, connection, proxy-status    TRANSPORT: how the bytes came; a replayed answer crosses no network
    date, server, via, cf-ray, alt-svc            NOISE: what servers on the way tell each other and browsers
    x-request-id, openai-processing-ms            VARIES: kept, but a rewritten file keeps the old value
    x-litellm-response-cost, x-ms-region, etag    kept: no row names them

A name is SECRET if it contains such a word anywhere (x-litellm-key-spend, x-apikey). The tokens of a rate limit are the
exception: x-ratelimit-remaining-tokens, anthropic-priority-input-tokens-limit and together's x-tokenlimit-limit count
what is left and give access to nothing.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from ..json_tree import JsonObject


class Kind(enum.Enum):
    """What a header means to a recording. Only those that vary are kept."""

    SECRET = enum.auto()
    TRANSPORT = enum.auto()
    NOISE = enum.auto()
    VARIES = enum.auto()


class _Row(NamedTuple):
    kind: Kind
    pattern: re.Pattern[str]
    """Matches a whole name in lower case."""


def _row(kind: Kind, *patterns: str) -> _Row:
    """Return a row of patterns in which `*` stands for anything."""
    return _Row(kind, re.compile("|".join(re.escape(pattern).replace(r"\*", ".*") for pattern in patterns), re.DOTALL))


_TABLE = (
    _row(Kind.VARIES, "x-ratelimit-*", "x-tokenlimit-*", "anthropic-*-tokens-*"),
    _row(Kind.VARIES, "*ratelimit-tokens*", "*ratelimit-*-tokens*", "*rate-limit-tokens*", "*rate-limit-*-tokens*"),
    _row(Kind.SECRET, "*cookie*", "*auth*", "*key*", "*token*", "*secret*", "*session*", "*signature*"),
    _row(Kind.SECRET, "*password*", "*credential*", "*jwt*"),
    _row(Kind.SECRET, "*account*", "*organization*", "*organisation*", "*project*", "*workspace*"),
    _row(Kind.TRANSPORT, "content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive", "te"),
    _row(Kind.TRANSPORT, "trailer", "upgrade", "proxy-*", "strict-transport-security", "accept-ranges"),
    _row(Kind.NOISE, "date", "server", "via", "age", "alt-svc", "vary", "x-powered-by", "server-timing"),
    _row(Kind.NOISE, "cf-*", "x-served-by", "x-cache", "x-cache-hits", "x-timer", "x-varnish", "x-amz-cf-*"),
    _row(Kind.NOISE, "report-to", "reporting-endpoints", "nel", "expect-ct", "access-control-*", "cross-origin-*"),
    _row(Kind.NOISE, "x-content-type-options", "x-frame-options", "x-xss-protection", "content-security-policy*"),
    _row(Kind.NOISE, "referrer-policy", "permissions-policy"),
    _row(Kind.VARIES, "*request-id", "*correlation-id", "*ratelimit*", "*rate-limit*", "retry-after*"),
    _row(Kind.VARIES, "*-ms", "*-time", "*timing*", "*processing*", "*duration*", "*latency*"),
    _row(Kind.VARIES, "*trace*", "x-b3-*", "x-api-received", "x-api-call-*", "x-engine-pod"),
)

_NAMES_IN_A_QUERY = frozenset({"sig"})


@lru_cache(maxsize=1024)
def kind_of(name: str) -> Kind | None:
    """Return the kind of a header, given in lower case; None if no row of the table matches it."""
    return next((row.kind for row in _TABLE if row.pattern.fullmatch(name)), None)


def names_a_secret(name: str) -> bool:
    """Whether a header of a request, or a part of its url's query, has the name of a secret."""
    return name.lower() in _NAMES_IN_A_QUERY or kind_of(name.lower()) is Kind.SECRET


def kept_headers(headers: Mapping[str, object]) -> dict[str, str]:
    """Return the headers of a response that a recording keeps, by name in lower case, sorted."""
    return {
        name.lower(): value
        for name, value in sorted(headers.items())
        if isinstance(value, str) and kind_of(name.lower()) in (None, Kind.VARIES)  # a mock's may be anything
    }


def with_old_values(headers: JsonObject, old: Mapping[str, str]) -> JsonObject:
    """Return the headers of a new answer, those that vary with their value in an old one where it has them."""
    return {
        name: old[name] if name in old and kind_of(name) is Kind.VARIES else value for name, value in headers.items()
    }
