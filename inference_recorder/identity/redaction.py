"""Secrets in requests and answers: found, and replaced before a key is made or a file is written.

A secret is what has the shape of one (`secret_shapes`), the value of an environment variable that is named as one, the
API key of the client that asks, and what the caller says is one.
"""

from __future__ import annotations

import json
import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from hashlib import sha256
from json.encoder import encode_basestring_ascii
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote, quote_plus

from ..errors import RecorderError
from .jsonable import JsonValue
from .placeholders import LITERAL, PLACEHOLDER, PLACEHOLDER_START, as_keyed, is_literal
from .quick_look import quick_look
from .secret_shapes import FINGERPRINTED_NAMES, SECRET_NAME, SHAPES, is_hidden_by_name, quick_pattern

SHORTEST_VALUE = 16
"""Characters from which a value of the environment, or a client's key, is long enough to be told from a word."""

RedactRule: TypeAlias = "str | re.Pattern[str] | Callable[[str], str | Iterable[str]]"
"""A secret; a pattern of secrets (its group "secret" if it has one); or a function that takes a text and returns the
secrets in it, or the text without them."""

_SPELLED_AS_IT_IS = re.compile(r"[A-Za-z0-9._~-]*")
_FINGERPRINTED = re.compile(r"__REDACTED(?:_\d+J?)?__#[0-9a-f]{12}")
_VARIABLE_ENDS = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD")


class Finding(NamedTuple):
    """A secret in a text: its kind, and where it starts and ends."""

    kind: str
    start: int
    end: int


class Redactor:
    """Finds and replaces secrets: those of every shape, some values, and what the caller's own rules say."""

    def __init__(
        self, values: Iterable[str] = (), rules: Sequence[RedactRule] = (), *, is_for_requests: bool = False
    ) -> None:
        literals = [rule for rule in rules if isinstance(rule, str)]
        self._patterns = [rule for rule in rules if isinstance(rule, re.Pattern)]
        self._functions: list[Any] = [rule for rule in rules if callable(rule)]
        if wrong := [
            rule for rule in rules if rule == "" or not (isinstance(rule, (str, re.Pattern)) or callable(rule))
        ]:
            raise RecorderError(f"redact= takes strings, compiled patterns and functions, not {wrong[0]!r}")
        self._is_for_requests = is_for_requests
        """Whether the same secrets are to be found whichever of them are known, and what looks like a placeholder."""
        self._given = {*values, *literals}
        spelled = {spelling for value in self._given for spelling in _spellings(value)}
        self.values = tuple(sorted(spelled, key=lambda value: (-len(value), value)))
        self._escaped_values = tuple(encode_basestring_ascii(value)[1:-1] for value in self.values)
        self._has_to_look = bool(self._patterns or self._functions)
        self._look: Callable[[str], bool] | None = None
        self._knowing: tuple[tuple[frozenset[str], bool], Redactor] | None = None

    def is_clean(self, canonical_text: str) -> bool:
        """Whether the value of this canonical text holds no secret (False when in doubt)."""
        if self._look is None:  # made late: entering a context imports nothing
            self._look = self.look()
        return not self._look(canonical_text)

    def look(self, besides: str = "") -> Callable[[str], bool]:
        """Return what tells whether a canonical text may hold a secret, or something of the pattern `besides`."""
        if self._has_to_look:
            return lambda canonical_text: True
        look, values = quick_look(_quick_pattern(self._is_for_requests, besides)), self._escaped_values
        if not values:
            return look
        return lambda canonical_text: look(canonical_text) or any(value in canonical_text for value in values)

    def knowing(self, values: Iterable[str], *, is_for_requests: bool = True) -> Redactor:
        """Return a redactor that takes these values for secrets too; the one of before, asked for the same again."""
        known, known_as = self._knowing, (frozenset(values), is_for_requests)
        if known is None or known[0] != known_as:
            rules = [*self._patterns, *self._functions]
            new = Redactor({*self._given, *known_as[0]}, rules, is_for_requests=is_for_requests)
            known = self._knowing = (known_as, new)
        return known[1]

    def find(self, text: str, name: str = "") -> list[Finding]:
        """Return the secrets of a text, in their order; `name` is that of the text in its JSON object."""
        start = "?" if name == "?" else f"{name}: " if SECRET_NAME.fullmatch(name) else ""
        found: list[Finding] = []
        add = partial(_add, found, joins=self._is_for_requests)
        if self._is_for_requests and PLACEHOLDER_START in text:
            add("placeholder", [match.span() for match in LITERAL.finditer(text)])
        # In one expression: a function of the caller's may raise below, and a traceback may show the locals.
        add("known value", [match.span() for value in self.values for match in re.finditer(re.escape(value), text)])
        for pattern in self._patterns:
            add("redact=", [_secret_span(match) for match in pattern.finditer(text)])
        for function in self._functions:
            if not isinstance(secrets := function(text), str):
                spans = [match.span() for secret in secrets if secret for match in re.finditer(re.escape(secret), text)]
                add("redact=", spans)
        # Patterns of the caller's have every text looked through, and the shapes take 1 ms for 1,000 characters of it.
        has_shape = may_have_a_shape((start + text).encode(errors="replace").decode())
        for shape in SHAPES if has_shape else ():
            spans = [_secret_span(match) for match in shape.pattern.finditer(start + text)]
            add(shape.kind, [(max(from_ - len(start), 0), to - len(start)) for from_, to in spans])
        if self._is_for_requests:
            return found
        return [finding for finding in found if not is_literal(text[finding.start : finding.end])]

    def replaced(self, value: JsonValue, substitute: Callable[[str], str], name: str = "") -> JsonValue:
        """Return a copy of a JSON value with each secret replaced by what `substitute` says of it.

        Objects are gone through in the order of their names without secrets, whatever order they have, so that two
        spellings of one request have their secrets in the same order. A name comes before its value.
        """
        if isinstance(value, str):
            return self._replaced_in(value, substitute, name)
        if isinstance(value, dict):
            hidden: dict[str, tuple[str, JsonValue]] = {}
            for item in sorted(value, key=self._order_of):
                shown = self._replaced_in(item, substitute, "")
                is_hidden = isinstance(value[item], str) and is_hidden_by_name(name, item, value[item])
                inside = (
                    self._replaced_by_name(value[item], substitute, item)
                    if is_hidden
                    else self.replaced(value[item], substitute, item)
                )
                hidden[item] = shown, inside
            return dict(hidden[item] for item in value)
        if isinstance(value, (list, tuple)):
            return [self.replaced(item, substitute, name) for item in value]
        return value

    def _replaced_by_name(self, value: str, substitute: Callable[[str], str], name: str) -> str:
        if _FINGERPRINTED.fullmatch(value):  # it comes from a recording
            return value
        if name not in FINGERPRINTED_NAMES or not self._is_for_requests:
            return substitute(value)
        return f"{substitute(value)}#{sha256(value.encode(errors='surrogatepass')).hexdigest()[:12]}"

    def _order_of(self, name: str) -> tuple[str, str]:
        return self._replaced_in(name, as_keyed, ""), name

    def _replaced_in(self, text: str, substitute: Callable[[str], str], name: str) -> str:
        # The patterns take 1 ms for 1,000 characters, and most texts of a body that is not clean are.
        encoded = encode_basestring_ascii(text)
        if self.is_clean(f"?{encoded[1:]}" if name == "?" else f"{encode_basestring_ascii(name)}: {encoded}"):
            return text
        pieces, end = [], 0
        for finding in self.find(text, name):
            pieces += [text[end : finding.start], substitute(text[finding.start : finding.end])]
            end = finding.end
        text = "".join([*pieces, text[end:]])
        for function in self._functions:
            if isinstance(without := function(text), str):
                text = without
        return text


def redacted_request(body: JsonValue) -> JsonValue:
    """Return a copy of a request's body as its key sees it, but for what only a session knows to be a secret.

    What a key sees already is left as it is, its placeholders too.
    """
    return Redactor(is_for_requests=True).replaced(body, lambda secret: secret if is_literal(secret) else PLACEHOLDER)


def found(text: str) -> list[Finding]:
    """Return what has the shape of a secret in a text, in its order."""
    return Redactor().find(text)


def secret_values() -> frozenset[str]:
    """Return the values of the environment variables that are named as secrets, long enough to be told from words."""
    values = [os.environ.get(name, "") for name in _variable_names() if name.upper().endswith(_VARIABLE_ENDS)]
    return frozenset(value for value in values if len(value) >= SHORTEST_VALUE)


def environment() -> Mapping[Any, Any]:
    """Return a copy of the environment, to be compared with a later one."""
    # os.environ decodes one name after the other in Python, which costs more than entering all the rest of a context.
    encoded: Any = getattr(os.environ, "_data", None)
    return dict(encoded) if isinstance(encoded, dict) else dict(os.environ)


def _variable_names() -> list[str]:
    names = list(environment())
    is_encoded = bool(names) and isinstance(names[0], bytes)
    return b"\0".join(names).decode(errors="surrogateescape").split("\0") if is_encoded else list(os.environ)


@cache
def _quick_pattern(is_for_requests: bool, besides: str) -> str:
    return "|".join(filter(None, (quick_pattern(), PLACEHOLDER_START if is_for_requests else "", besides)))


def may_have_a_shape(text: str) -> bool:
    """Whether something in a text, canonical or not, may have the shape of a secret. Surrogates hide it."""
    return quick_look(_quick_pattern(False, ""))(text)


def _secret_span(match: re.Match[str]) -> tuple[int, int]:
    return match.span("secret") if "secret" in match.re.groupindex else match.span()


def _spellings(value: str) -> set[str]:
    """Return a value as it is, and as it is in JSON within a string and in a url."""
    if _SPELLED_AS_IT_IS.fullmatch(value):
        return {value}
    in_json = {json.dumps(value, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False)}
    try:
        in_a_url = {quote(value, safe=""), quote(value), quote_plus(value)}
    except UnicodeEncodeError:  # half a character of UTF-16
        in_a_url = set()
    return {value} | in_json | in_a_url


_start, _end = attrgetter("start"), attrgetter("end")


def _add(found: list[Finding], kind: str, spans: Iterable[tuple[int, int]], *, joins: bool) -> None:
    """Add to what was found before, which is in its order and stays so.

    What overlaps with that becomes one with it where `joins`, and is left out else.
    """
    for start, end in spans:
        if start >= end:
            continue
        first, last = bisect_right(found, start, key=_end), bisect_left(found, end, key=_start)
        if first == last:
            found.insert(first, Finding(kind, start, end))
        elif joins:
            one = Finding(found[first].kind, min(start, found[first].start), max(end, found[last - 1].end))
            found[first:last] = [one]
