"""Replaces the secrets in requests and answers, before a key is made or a file is written."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from json.encoder import encode_basestring_ascii
from typing import TypeAlias

from ..api_schema import (
    ENCODED,
    FREE,
    is_count,
    is_enumerated,
    is_member,
    is_setting,
    is_tool_input,
    lies_in,
    member_names_in,
    prescribed_in_path,
)
from ..json_tree import JsonValue, SameKind
from . import numbers
from .placeholders import PLACEHOLDER, as_keyed, is_literal
from .scanner import DECLARED, Finding, RedactRule, Scanner
from .shapes import FINGERPRINTED_NAMES, is_secret_by_name

_FINGERPRINTED = re.compile(r"__REDACTED(?:_\d+J?)?__#[0-9a-f]{12}")
_Change: TypeAlias = "tuple[int, int, str]"


class Redactor:
    """Replaces in JSON values what its scanner finds, except where the API prescribes the text.

    `is_for_requests`: it makes the form of a request that keys are made of. Otherwise it redacts answers.
    """

    def __init__(
        self, values: Iterable[str] = (), rules: Sequence[RedactRule] = (), *, is_for_requests: bool = False
    ) -> None:
        self.scanner = Scanner(values, rules, is_for_requests=is_for_requests)
        self._is_for_requests = is_for_requests
        self._latest_knowing: tuple[tuple[frozenset[str], bool], Redactor] | None = None

    def is_clean(self, canonical_text: str) -> bool:
        """Return whether the value with this canonical text holds no secret; False when in doubt."""
        return self.scanner.is_clean(canonical_text)

    def knowing(self, values: Iterable[str], *, is_for_requests: bool = True) -> Redactor:
        """Return a redactor that treats these values as secrets too. The latest one is kept."""
        latest, wanted = self._latest_knowing, (frozenset(values), is_for_requests)
        if latest is None or latest[0] != wanted:
            scanner = self.scanner
            rules = [rule for rule in scanner.rules if not isinstance(rule, str)]
            redactor = Redactor(scanner.known | wanted[0], rules, is_for_requests=is_for_requests)
            latest = self._latest_knowing = (wanted, redactor)
        return latest[1]

    def replaced(
        self, value: SameKind, substitute: Callable[[str], str], name: str = "", *, is_free: bool = False
    ) -> SameKind:
        """Return a copy of a JSON value with each secret replaced by what `substitute` returns for it.

        Declared secrets are not searched in what the API prescribes. Where `is_free`, as below "metadata", it
        prescribes nothing.

        Objects are walked in the order of their redacted names, so that two spellings of one request have their secrets
        in the same order. A name comes before its value. `restoring` walks a recording in the same order.
        """
        if isinstance(value, str):
            return self._replaced_in(value, substitute, name, is_prescribed=not is_free and is_enumerated(name, value))
        if isinstance(value, dict):
            redacted: dict[str, tuple[str, JsonValue]] = {}
            is_free = is_free or name in FREE
            for member in sorted(value, key=partial(self._order_of, is_free=is_free)):
                redacted_name = self._replaced_in(
                    member, substitute, "", is_prescribed=not is_free and is_member(member)
                )
                item = value[member]
                redacted[member] = (
                    redacted_name,
                    (
                        self._replaced_by_name(item, substitute, member)
                        if isinstance(item, str) and is_secret_by_name(name, member, item)
                        else self.replaced(item, substitute, member, is_free=is_free or is_tool_input(value, member))
                    ),
                )
            return dict(self._without_collisions(redacted[member] for member in value))
        if isinstance(value, (list, tuple)):
            if name in ENCODED and not is_free and not self._is_for_requests:
                return list(value)  # a vector has thousands of numbers
            return [self.replaced(item, substitute, name, is_free=is_free) for item in value]
        if type(value) is int or type(value) is float:
            return self._replaced_number(value, substitute, name, is_free=is_free)
        return value

    def _without_collisions(self, items: Iterable[tuple[str, JsonValue]]) -> Iterator[tuple[str, JsonValue]]:
        """Yield the members of an object; in an answer with distinct names, since two redacted names may be equal.

        In a request they stay equal, since its key depends on them.
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
        """Return an endpoint or a url with each secret replaced, except in the segments that the API prescribes."""
        return self._replaced_in(path, substitute, "", prescribed=prescribed_in_path)

    def replaced_in_document(self, text: str, substitute: Callable[[str], str]) -> str:
        """Return the text of an answer with each secret replaced; if it is JSON, not in the names of its members."""
        return self._replaced_in(text, substitute, "", prescribed=member_names_in)

    def _replaced_number(
        self, value: float, substitute: Callable[[str], str], name: str, *, is_free: bool
    ) -> JsonValue:
        """Return a number as it is, or as a text in which its secrets are replaced (see `numbers`)."""
        if not self.scanner.searches_numbers:
            return value
        text = numbers.spelled(value)
        findings = self.scanner.find_in_number(text)
        if not findings or (not is_free and (is_setting if self._is_for_requests else is_count)(name)):
            return value
        changes = [(start, end, numbers.marked(substitute(text[start:end]))) for _, start, end in findings]
        redacted = _changed(text, changes)
        return redacted.replace(PLACEHOLDER, numbers.PLACEHOLDER) if self._is_for_requests else redacted

    def changes(self, text: str, findings: Iterable[Finding], substitute: Callable[[str], str]) -> list[_Change]:
        """Return the replacements of these secrets in a text: (start, end, new text).

        In JSON within a string of an answer, a number becomes a string, so that it stays JSON.
        """
        changes = [(start, end, substitute(text[start:end])) for _, start, end in findings]
        if self._is_for_requests or not changes:
            return changes
        quoted: list[_Change] = []
        remaining = deque(changes)
        for start, end in numbers.bare_numbers(text):
            while remaining and remaining[0][0] < start:
                quoted.append(remaining.popleft())
            in_number = []
            while remaining and remaining[0][1] <= end:
                first, last, new = remaining.popleft()
                in_number.append((first - start, last - start, numbers.marked(new)))
            if in_number:
                quoted.append((start, end, f'"{_changed(text[start:end], in_number)}"'))
        return [*quoted, *remaining]

    def _replaced_by_name(self, value: str, substitute: Callable[[str], str], name: str) -> str:
        if _FINGERPRINTED.fullmatch(value):  # it was read from a recording
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
        # The patterns take 1 ms for 1,000 characters, and most texts are clean even in a body that is not.
        encoded = encode_basestring_ascii(text)
        if self.is_clean(f"?{encoded[1:]}" if name == "?" else f"{encode_basestring_ascii(name)}: {encoded}"):
            return text
        findings = self.scanner.find(text, name, is_prescribed=is_prescribed)
        if findings and prescribed is not None:
            spans = prescribed(text)
            findings = [
                finding
                for finding in findings
                if finding.kind not in DECLARED or not lies_in(spans, finding.start, finding.end)
            ]
        return _changed(text, self.changes(text, findings, substitute))


def redacted_request(body: SameKind) -> SameKind:
    """Return a copy of a request's body with the secrets replaced that have a known shape, as used for the key.

    Placeholders stay as they are. Of headers, which llama-stack's recordings may hold, no value is shown.
    """
    if isinstance(body, dict) and isinstance(headers := body.get("extra_headers"), dict):
        body = {**body, "extra_headers": dict.fromkeys(headers, PLACEHOLDER)}
    return Redactor(is_for_requests=True).replaced(body, lambda secret: secret if is_literal(secret) else PLACEHOLDER)


def _changed(text: str, changes: Iterable[_Change]) -> str:
    """Return a text with parts of it replaced. The changes are sorted and do not overlap."""
    parts, end = [], 0
    for start, stop, new in changes:
        parts += [text[end:start], new]
        end = stop
    return "".join([*parts, text[end:]])
