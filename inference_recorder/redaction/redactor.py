"""Secrets in requests and answers: found, and replaced before a key is made or a file is written.

A secret is what has the shape of one (`secret_shapes`), the value of an environment variable that is named as one, the
API key of the client that asks, and what the caller says is one.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from hashlib import sha256
from json.encoder import encode_basestring_ascii
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote, quote_plus

from ..api_schema import (
    ENCODED,
    FREE,
    is_count,
    is_enumerated,
    is_member,
    is_setting,
    lies_in,
    member_names_in,
    prescribed_in_path,
)
from ..errors import RecorderError
from ..prefilter import prefilter
from ..request.jsonable import JsonValue
from . import numbers
from .placeholders import LITERAL, PLACEHOLDER, PLACEHOLDER_START, as_keyed, is_literal
from .shapes import FINGERPRINTED_NAMES, SECRET_NAME, SHAPES, is_hidden_by_name, quick_pattern

SHORTEST_VALUE = 16
"""Characters from which a value of the environment, or a client's key, is long enough to be told from a word."""
SHORTEST_LITERAL = 4
"""Characters from which a declared secret is one: fewer occur in every other word, and tell nobody anything."""

RedactRule: TypeAlias = "str | re.Pattern[str] | Callable[[str], str | Iterable[str]]"
"""A secret; a pattern of secrets (its group "secret" if it has one); or a function that takes a text and returns the
secrets in it, or the text without them."""

_SPELLED_AS_IT_IS = re.compile(r"[A-Za-z0-9._~-]*")
_FINGERPRINTED = re.compile(r"__REDACTED(?:_\d+J?)?__#[0-9a-f]{12}")
DECLARED = frozenset({"known value", "redact="})
"""The kinds of those that somebody says are secrets."""
_Change: TypeAlias = "tuple[int, int, str]"


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
        _check(rules)
        self._is_for_requests = is_for_requests
        """Whether the same secrets are to be found whichever of them are known, and what looks like a placeholder."""
        self._given = {*values, *literals}
        spelled = {spelling for value in self._given for spelling in _spellings(value)}
        self.values = tuple(sorted(spelled, key=lambda value: (-len(value), value)))
        # Of a request's own secrets, which are values for its answer, one may be a single digit.
        self._values_in_numbers = tuple(
            value for value in self.values if len(value) >= SHORTEST_LITERAL and numbers.may_hold(value)
        )
        self._escaped_values = tuple(encode_basestring_ascii(value)[1:-1] for value in self.values)
        self._has_to_look = bool(self._patterns or self._functions)
        self._look: Callable[[str], bool] | None = None
        self._knowing: tuple[tuple[frozenset[str], bool], Redactor] | None = None

    def is_clean(self, canonical_text: str) -> bool:
        """Whether the value of this canonical text holds no secret (False when in doubt)."""
        if self._look is None:  # made late: entering a context imports nothing
            self._look = self.look()
        return not self._look(canonical_text)

    def lacks(self, canonical_text: str) -> bool:
        """Whether none of the known values is in a canonical text."""
        return not any(value in canonical_text for value in self._escaped_values)

    def look(self, besides: str = "") -> Callable[[str], bool]:
        """Return what tells whether a canonical text may hold a secret, or something of the pattern `besides`."""
        if self._has_to_look:
            return lambda canonical_text: True
        look, values = prefilter(_quick_pattern(self._is_for_requests, besides)), self._escaped_values
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

    def find(self, text: str, name: str = "", *, is_prescribed: bool = False) -> list[Finding]:
        """Return the secrets of a text, in their order; `name` is that of the text in its JSON object.

        Of a text that the SDK prescribes (see `structure`), only what has the shape of a secret.
        """
        start = "?" if name == "?" else f"{name}: " if SECRET_NAME.fullmatch(name) else ""
        found: list[Finding] = []
        add = partial(_add, found, joins=self._is_for_requests)
        if self._is_for_requests and PLACEHOLDER_START in text:
            add("placeholder", [match.span() for match in LITERAL.finditer(text)])
        if not is_prescribed:
            for kind, spans in self._declared(text):
                add(kind, spans)
        # Patterns of the caller's have every text looked through, and the shapes take 1 ms for 1,000 characters of it.
        has_shape = may_have_a_shape((start + text).encode(errors="replace").decode())
        for shape in SHAPES if has_shape else ():
            spans = [_secret_span(match) for match in shape.pattern.finditer(start + text)]
            add(shape.kind, [(max(from_ - len(start), 0), to - len(start)) for from_, to in spans])
        if self._is_for_requests:
            return found
        return [finding for finding in found if not is_literal(text[finding.start : finding.end])]

    def _declared(self, text: str, *, is_number: bool = False) -> Iterator[tuple[str, list[tuple[int, int]]]]:
        """Yield what is a secret because somebody says so: its kind, and where it is."""
        # No value has a name here: a function of the caller's may raise below, and a traceback may show the locals.
        yield (
            "known value",
            [
                match.span()
                for value in (self._values_in_numbers if is_number else self.values)
                for match in re.finditer(re.escape(value), text)
            ],
        )
        for pattern in self._patterns:
            yield "redact=", [_secret_span(match) for match in pattern.finditer(text)]
        for function in self._functions:
            if not isinstance(secrets := function(text), str):
                found = [re.finditer(re.escape(secret), text) for secret in secrets if secret]
                yield "redact=", [match.span() for matches in found for match in matches]

    def replaced(
        self, value: JsonValue, substitute: Callable[[str], str], name: str = "", *, is_free: bool = False
    ) -> JsonValue:
        """Return a copy of a JSON value with each secret replaced by what `substitute` says of it.

        What is declared to be a secret is not looked for in what the SDK prescribes; where `is_free`, as below
        "metadata", it prescribes nothing.

        Objects are gone through in the order of their names without secrets, whatever order they have, so that two
        spellings of one request have their secrets in the same order. A name comes before its value.
        """
        if isinstance(value, str):
            return self._replaced_in(value, substitute, name, is_prescribed=not is_free and is_enumerated(name, value))
        if isinstance(value, dict):
            hidden: dict[str, tuple[str, JsonValue]] = {}
            is_free = is_free or name in FREE
            for item in sorted(value, key=partial(self._order_of, is_free=is_free)):
                shown = self._replaced_in(item, substitute, "", is_prescribed=not is_free and is_member(item))
                is_hidden = isinstance(value[item], str) and is_hidden_by_name(name, item, value[item])
                inside = (
                    self._replaced_by_name(value[item], substitute, item)
                    if is_hidden
                    else self.replaced(value[item], substitute, item, is_free=is_free)
                )
                hidden[item] = shown, inside
            return dict(self._without_collisions(hidden[item] for item in value))
        if isinstance(value, (list, tuple)):
            if name in ENCODED and not is_free and not self._is_for_requests:
                return list(value)  # a vector has thousands
            return [self.replaced(item, substitute, name, is_free=is_free) for item in value]
        if type(value) in (int, float):
            return self._replaced_number(value, substitute, name, is_free=is_free)
        return value

    def _without_collisions(self, items: Iterable[tuple[str, JsonValue]]) -> Iterator[tuple[str, JsonValue]]:
        """Yield the members of an answer's object, each under another name: two secrets look alike in it.

        A request's are left, since its key depends on them.
        """
        names: set[str] = set()
        for name, value in items:
            number, own = 1, name
            while own in names and not self._is_for_requests:
                number += 1
                own = f"{name} ({number})"
            names.add(own)
            yield own, value

    def replaced_in_path(self, path: str, substitute: Callable[[str], str]) -> str:
        """Return an endpoint or a url with each secret replaced, but for what the API prescribes."""
        return self._replaced_in(path, substitute, "", prescribed=prescribed_in_path)

    def replaced_in_document(self, text: str, substitute: Callable[[str], str]) -> str:
        """Return the text of a whole answer with each secret replaced; where it is JSON, not in its members' names."""
        return self._replaced_in(text, substitute, "", prescribed=member_names_in)

    def _replaced_number(
        self, value: float, substitute: Callable[[str], str], name: str, *, is_free: bool
    ) -> JsonValue:
        """Return a number as it is, or as a text in which its secrets are replaced (see `number_secrets`)."""
        if not (self._values_in_numbers or self._has_to_look):
            return value
        text = numbers.spelled(value)
        found: list[Finding] = []
        for kind, spans in self._declared(text, is_number=True):
            _add(found, kind, spans, joins=self._is_for_requests)
        others = [other for function in self._functions if isinstance(other := function(text), str) and other != text]
        if not (found or others) or (not is_free and (is_setting if self._is_for_requests else is_count)(name)):
            return value
        if not found:
            return others[-1]
        changes = [(start, end, numbers.marked(substitute(text[start:end]))) for _, start, end in found]
        shown = _changed(text, changes)
        return shown.replace(PLACEHOLDER, numbers.PLACEHOLDER) if self._is_for_requests else shown

    def changes(self, text: str, findings: Iterable[Finding], substitute: Callable[[str], str]) -> list[_Change]:
        """Return what becomes of these secrets in a text: (start, end, new text).

        In an answer that is JSON within a string, a number becomes a string there, so that it stays JSON.
        """
        changes = [(start, end, substitute(text[start:end])) for _, start, end in findings]
        if self._is_for_requests or not changes:
            return changes
        marked: list[_Change] = []
        rest = deque(changes)
        for start, end in numbers.bare_numbers(text):
            while rest and rest[0][0] < start:
                marked.append(rest.popleft())
            inside = []
            while rest and rest[0][1] <= end:
                first, last, new = rest.popleft()
                inside.append((first - start, last - start, numbers.marked(new)))
            if inside:
                marked.append((start, end, f'"{_changed(text[start:end], inside)}"'))
        return [*marked, *rest]

    def _replaced_by_name(self, value: str, substitute: Callable[[str], str], name: str) -> str:
        if _FINGERPRINTED.fullmatch(value):  # it comes from a recording
            return value
        if name not in FINGERPRINTED_NAMES or not self._is_for_requests:
            return substitute(value)
        return f"{substitute(value)}#{sha256(value.encode(errors='surrogatepass')).hexdigest()[:12]}"

    def _order_of(self, name: str, *, is_free: bool) -> tuple[str, str]:
        is_prescribed = not is_free and is_member(name)
        return self._replaced_in(name, as_keyed, "", is_prescribed=is_prescribed), name

    def _replaced_in(
        self,
        text: str,
        substitute: Callable[[str], str],
        name: str,
        *,
        is_prescribed: bool = False,
        prescribed: Callable[[str], list[tuple[int, int]]] | None = None,
    ) -> str:
        # The patterns take 1 ms for 1,000 characters, and most texts of a body that is not clean are.
        encoded = encode_basestring_ascii(text)
        if self.is_clean(f"?{encoded[1:]}" if name == "?" else f"{encode_basestring_ascii(name)}: {encoded}"):
            return text
        findings = self.find(text, name, is_prescribed=is_prescribed)
        if findings and prescribed is not None:
            parts = prescribed(text)
            findings = [one for one in findings if one.kind not in DECLARED or not lies_in(parts, one.start, one.end)]
        text = _changed(text, self.changes(text, findings, substitute))
        for function in () if is_prescribed else self._functions:
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


@cache
def _quick_pattern(is_for_requests: bool, besides: str) -> str:
    return "|".join(filter(None, (quick_pattern(), PLACEHOLDER_START if is_for_requests else "", besides)))


def may_have_a_shape(text: str) -> bool:
    """Whether something in a text, canonical or not, may have the shape of a secret. Surrogates hide it."""
    return prefilter(_quick_pattern(False, ""))(text)


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


def _check(rules: Sequence[object]) -> None:
    """Raise RecorderError for an invalid rule, which is named by its position, since its text may be a secret."""
    for position, rule in enumerate(rules):
        if not (isinstance(rule, (str, re.Pattern)) or callable(rule)):
            kind = type(rule).__name__
            raise RecorderError(
                f"redact= takes strings, compiled patterns and functions; redact[{position}] is a {kind}"
            )
        if isinstance(rule, str) and len(rule) < SHORTEST_LITERAL:
            raise RecorderError(
                f"redact= takes strings of {SHORTEST_LITERAL} or more characters, and redact[{position}] has "
                f"{len(rule)}: it would be found in every other word; a compiled pattern can say where it is a secret"
            )


def _changed(text: str, changes: Iterable[_Change]) -> str:
    """Return a text with parts of it replaced; these are in their order and do not overlap."""
    pieces, end = [], 0
    for start, stop, new in changes:
        pieces += [text[end:start], new]
        end = stop
    return "".join([*pieces, text[end:]])


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
