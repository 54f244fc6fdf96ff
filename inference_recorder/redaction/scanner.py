"""Finds the secrets in a text: those of a known shape, known values, and what the user's own rules find."""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from json.encoder import encode_basestring_ascii
from operator import attrgetter
from typing import NamedTuple, TypeAlias
from urllib.parse import quote, quote_plus

from ..errors import RecorderError
from ..prefilter import prefilter
from . import numbers
from .placeholders import LITERAL, PLACEHOLDER_START, is_literal
from .shapes import SECRET_NAME, SHAPES, shapes_prefilter

SHORTEST_VALUE = 16
"""Characters that a variable's value, or a client's key, must have to count as a secret: shorter ones may be words."""
SHORTEST_LITERAL = 4
"""Characters that a declared secret must have: a shorter one would be found in every other word."""

RedactFunction: TypeAlias = "Callable[[str], Iterable[str]]"
RedactRule: TypeAlias = "str | re.Pattern[str] | RedactFunction"
"""A secret; a pattern of secrets (its group "secret" if it has one); or a function that returns the secrets it finds in
a text."""

DECLARED = frozenset({"known value", "redact="})
"""The kinds of findings that are secrets because somebody declares them, whatever they look like."""
_SPELLED_AS_IT_IS = re.compile(r"[A-Za-z0-9._~-]*")


class Finding(NamedTuple):
    """A secret in a text: its kind, and where it starts and ends."""

    kind: str
    start: int
    end: int


class Scanner:
    """Finds secrets in texts.

    `is_for_requests`: texts that look like a placeholder are found too, and overlapping secrets are joined, so that the
    key of a request does not depend on which of its secrets are known.
    """

    def __init__(
        self, values: Iterable[str] = (), rules: Sequence[RedactRule] = (), *, is_for_requests: bool = False
    ) -> None:
        _check(rules)
        self.rules = rules
        self.is_for_requests = is_for_requests
        self._patterns = [rule for rule in rules if isinstance(rule, re.Pattern)]
        self._functions = [rule for rule in rules if not isinstance(rule, (str, re.Pattern))]
        self.known = {*values, *(rule for rule in rules if isinstance(rule, str))}
        """The values and literals, as they were given."""
        spellings = {spelling for value in self.known for spelling in _spellings(value)}
        self.spellings = tuple(sorted(spellings, key=lambda spelling: (-len(spelling), spelling)))
        """Every way in which a text may spell a known value, the longest first."""
        # A request's own secrets are known values for its answer, and one of them may be a single digit.
        self._in_numbers = tuple(
            value for value in self.spellings if len(value) >= SHORTEST_LITERAL and numbers.may_hold(value)
        )
        self.searches_numbers = bool(self._in_numbers or self._patterns or self._functions)
        self._escaped = tuple(encode_basestring_ascii(value)[1:-1] for value in self.spellings)
        self._may_hold_secret: Callable[[str], bool] | None = None

    def is_clean(self, canonical_text: str) -> bool:
        """Return whether the value with this canonical text holds no secret; False when in doubt."""
        if self._may_hold_secret is None:  # not made in the constructor, since it imports pydantic-core
            self._may_hold_secret = self.prefilter()
        return not self._may_hold_secret(canonical_text)

    def knows_none_in(self, canonical_text: str) -> bool:
        """Return whether a canonical text holds none of the known values."""
        return not any(value in canonical_text for value in self._escaped)

    def prefilter(self, further_pattern: str = "") -> Callable[[str], bool]:
        """Return a function that tests whether a canonical text may hold a secret, or match a further pattern."""
        if self._patterns or self._functions:
            return lambda canonical_text: True
        matches, values = prefilter(_prefilter_pattern(self.is_for_requests, further_pattern)), self._escaped
        if not values:
            return matches
        return lambda canonical_text: matches(canonical_text) or any(value in canonical_text for value in values)

    def find(self, text: str, name: str = "", *, is_prescribed: bool = False) -> list[Finding]:
        """Return the secrets in a text, sorted and without overlaps; `name` is that of the member which holds it.

        `is_prescribed`: the API prescribes the text, so that declared secrets are not searched in it.
        """
        found: list[Finding] = []
        if self.is_for_requests and PLACEHOLDER_START in text:
            self._add(found, "placeholder", (match.span() for match in LITERAL.finditer(text)))
        if not is_prescribed:
            self._add_declared(found, text, is_number=False)
        before = "?" if name == "?" else f"{name}: " if SECRET_NAME.fullmatch(name) else ""
        # Tested here too: with patterns of the user's every text is scanned. And then for each shape: all of them take
        # 600 ms for a million characters, and these tests 5 ms.
        searched = (before + text).encode(errors="replace").decode()
        if may_have_a_shape(searched):
            for shape in (shape for shape in SHAPES if prefilter(shape.prefilter)(searched)):
                spans = (_secret_span(match) for match in shape.pattern.finditer(before + text))
                self._add(found, shape.kind, ((max(start - len(before), 0), end - len(before)) for start, end in spans))
        if self.is_for_requests:
            return found
        return [finding for finding in found if not is_literal(text[finding.start : finding.end])]

    def find_in_number(self, text: str) -> list[Finding]:
        """Return the declared secrets in the text of a JSON number."""
        found: list[Finding] = []
        self._add_declared(found, text, is_number=True)
        return found

    def _add_declared(self, found: list[Finding], text: str, *, is_number: bool) -> None:
        # No value is a local variable here: a user's function may raise below, and a traceback may show the locals.
        self._add(
            found,
            "known value",
            (span for value in (self._in_numbers if is_number else self.spellings) for span in _spans_of(value, text)),
        )
        for pattern in self._patterns:
            self._add(found, "redact=", (_secret_span(match) for match in pattern.finditer(text)))
        for function in self._functions:
            secrets = _secrets_by(function, text)
            self._add(found, "redact=", (span for secret in secrets for span in _spans_of(secret, text)))

    def _add(self, found: list[Finding], kind: str, spans: Iterable[tuple[int, int]]) -> None:
        """Insert further findings in their order. One that overlaps earlier ones is joined with them or dropped."""
        for start, end in spans:
            if start >= end:
                continue
            first, last = bisect_right(found, start, key=_end), bisect_left(found, end, key=_start)
            if first == last:
                found.insert(first, Finding(kind, start, end))
            elif self.is_for_requests:
                joined = Finding(found[first].kind, min(start, found[first].start), max(end, found[last - 1].end))
                found[first:last] = [joined]


_start, _end = attrgetter("start"), attrgetter("end")


def may_have_a_shape(text: str) -> bool:
    """Return whether a text, canonical or not, may hold the shape of a secret. Never in one with a lone surrogate."""
    return prefilter(_prefilter_pattern(False, ""))(text)


@cache
def _prefilter_pattern(is_for_requests: bool, further_pattern: str) -> str:
    return "|".join(filter(None, (shapes_prefilter(), PLACEHOLDER_START if is_for_requests else "", further_pattern)))


def _secret_span(match: re.Match[str]) -> tuple[int, int]:
    return match.span("secret") if "secret" in match.re.groupindex else match.span()


def _spans_of(value: str, text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in re.finditer(re.escape(value), text))


def _secrets_by(function: RedactFunction, text: str) -> list[str]:
    secrets = function(text)
    if isinstance(secrets, str):  # each of its characters would count as a secret
        raise RecorderError("a function of redact= returns a list of the secrets in a text; one returned a string")
    return [secret for secret in secrets if secret]


def _spellings(value: str) -> set[str]:
    """Return a value as it is, and as it is spelled in JSON within a string and in a url."""
    if _SPELLED_AS_IT_IS.fullmatch(value):
        return {value}
    in_json = {json.dumps(value, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False)}
    try:
        in_a_url = {quote(value, safe=""), quote(value), quote_plus(value)}
    except UnicodeEncodeError:  # a lone surrogate
        in_a_url = set()
    return {value} | in_json | in_a_url


def _check(rules: Sequence[object]) -> None:
    """Raise RecorderError for an invalid rule. It is named by its position, since its text may be a secret."""
    for position, rule in enumerate(rules):
        if not (isinstance(rule, (str, re.Pattern)) or callable(rule)):
            kind = type(rule).__name__
            raise RecorderError(
                f"redact= takes strings, compiled patterns and functions; redact[{position}] is a {kind}"
            )
        if isinstance(rule, str) and len(rule) < SHORTEST_LITERAL:
            raise RecorderError(
                f"redact= takes strings of {SHORTEST_LITERAL} or more characters, and redact[{position}] has "
                f"{len(rule)}: it would be found in every other word; use a compiled pattern that says where it is a "
                "secret"
            )
