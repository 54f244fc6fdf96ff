"""A recording that is being made: placeholders replace its secrets (`restoring` puts the present secrets back).

In a file, a secret of the request is `__REDACTED_1__`, the next one `__REDACTED_2__` and so on, in the request and
wherever the answer repeats it; the client's own API key is number 0. Any other secret of the answer is `__REDACTED__`,
and so is one of request or answer that is known only because the call has sent it in a header (see `sent`).

A text that looks like a placeholder is escaped in the file: `__REDACTED_1__`, typed in a prompt or sent by a server, is
`__REDACTED_LITERAL_1__` there (see `placeholders`). In a request the whole of such a text is escaped, in an answer
everything that starts like one.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ..errors import assert_never
from ..json_tree import JsonObject, JsonValue, SameKind, map_texts_and_names
from ..recording import json_bytes
from ..recording.answer import Answer, Failed, Failure, ModelList, Streamed, Value, items_of
from ..recording.body import BASE64, TEXT, chunk_value, line, typed
from ..recording.failures import exception_data, failure_from_json, failure_to_json
from ..recording.joined import joined_texts, rewrite_parts, split_texts
from ..recording.layout import ATTACHED, digest_of
from ..request.credentials import Credential
from ..request.jsonable import canonical_text
from .placeholders import LITERAL_MARK, PLACEHOLDER, PLACEHOLDER_START, escaped, in_a_string, is_literal, unescaped
from .redactor import Redactor
from .sent import SHORTEST_SENT, Sent

_NUMBERS = frozenset({float, int})
_VECTORS = frozenset({"bytes", "embedding", "text_offset", "token_logprobs", "tokens"})


class RecordingRedactor:
    """Redacts the request and then the answer of one recording. Call `request` first: it numbers the secrets."""

    def __init__(self, redactor: Redactor, credential: Credential | None = None, sent: Sent | None = None) -> None:
        self._redactor = redactor
        self._numbers: dict[str, int] = {}
        self._needs_restoring = False
        text = "" if credential is None else credential.text
        is_searched = len(text) >= SHORTEST_SENT and text not in LITERAL_MARK  # which would be in each placeholder
        self._credential = text if is_searched else ""
        self._sent = Sent() if sent is None else sent

    def request(self, recorded: JsonObject) -> JsonObject:
        """Return a recording's "request" object without secrets."""
        if not self._redactor.is_clean(canonical_text(recorded)):
            redacted: JsonObject = {}
            # The body first: its secrets have the first numbers.
            for name in sorted(recorded, key=lambda name: name != "body"):
                value = recorded[name]
                redacted[name] = (
                    self._redactor.replaced_in_path(value, self._numbered)
                    if name in ("endpoint", "url") and isinstance(value, str)
                    else self._redactor.replaced(value, self._numbered, "" if name == "body" else name)
                )
            recorded = {name: redacted[name] for name in recorded}
        return self._sent.without_values(recorded)

    def answer(self, answer: Answer) -> Answer:
        """Return the answer without secrets, even if they are spread over its chunks."""
        known = self._redactor.knowing(self._in_the_answer(), is_for_requests=False)
        if isinstance(answer, Value):
            answer = _without_secret_bytes(answer, known)
        items = [chunk_value(item, "") for item in items_of(answer)]
        lines = list(map(line, items_of(answer)))
        headers: JsonObject = {} if answer.http is None else {**answer.http.headers}
        beside: list[JsonValue] = [part for part in (_beside_items(answer), headers) if part]
        texts = {"beside": _without_vectors(beside), "texts": [*joined_texts(items), *joined_texts(beside)]}
        is_clean = all(
            PLACEHOLDER_START not in text and known.is_clean(text) for text in (canonical_text(texts), _searched(lines))
        )
        if not is_clean:
            answer = self._redacted_answer(answer, items, known)
        return replace(answer, is_redacted=self._needs_restoring)

    def _redacted_answer(self, answer: Answer, items: list[JsonValue], known: Redactor) -> Answer:
        http = answer.http and replace(answer.http, headers=self._redacted_headers(answer.http.headers, known))
        match answer:
            case Value():
                return replace(answer, body=self._redacted(answer.body, known), http=http)
            case Streamed():
                failure = answer.failure and self._redacted_failure(answer.failure, known)
                return replace(answer, chunks=self._redacted(items, known), failure=failure, http=http)
            case ModelList():
                page = None if answer.page is None else self._redacted(answer.page, known)
                return replace(answer, models=self._redacted(items, known), page=page, http=http)
            case Failed():
                return replace(answer, failure=self._redacted_failure(answer.failure, known), http=http)
            case _:
                assert_never(answer)

    def is_clean(self, name: str, text: str) -> bool:
        """Return whether this answer may keep a text of this name from another answer to the request."""
        known = self._redactor.knowing(self._in_the_answer(), is_for_requests=False)
        return PLACEHOLDER_START not in text and text == known.replaced(text, lambda secret: PLACEHOLDER, name)

    def _redacted(self, value: SameKind, known: Redactor) -> SameKind:
        """Return a copy of the value without secrets, in which texts that look like a placeholder are escaped."""
        value = map_texts_and_names(value, self._escaped)  # a copy, since texts that span chunks are replaced in place
        for parts in split_texts(value if isinstance(value, list) else [value]):
            text = "".join(part.text for part in parts)
            rewrite_parts(parts, known.changes(text, known.scanner.find(text), self._placeholder_of))
        return known.replaced(value, self._placeholder_of)

    def _redacted_failure(self, failure: Failure, known: Redactor) -> Failure:
        # As JSON, where a deeply nested body is a text.
        data = exception_data(failure)
        redacted: JsonObject = {name: self._redacted(data[name], known) for name in ("message", "body") if name in data}
        if failure.text is not None:
            redacted["text"] = known.replaced_in_document(self._escaped(failure.text), self._placeholder_of)
        return failure_from_json({"is_exception": True, "exception_data": {**data, **redacted}})

    def _redacted_headers(self, headers: Mapping[str, str], known: Redactor) -> dict[str, str]:
        """Return headers without secrets, except the content type, which the SDK reads the answer by."""
        return {
            name: value
            if name.lower() == "content-type"
            else known.replaced(self._escaped(value), self._placeholder_of, name)
            for name, value in headers.items()
        }

    def _escaped(self, text: str) -> str:
        self._needs_restoring = self._needs_restoring or PLACEHOLDER_START in text
        return escaped(text)

    def _numbered(self, secret: str) -> str:
        if is_literal(secret):
            return escaped(secret)
        number = self._numbers.setdefault(secret, len(self._numbers) + 1)
        return f"__REDACTED_{number}__"

    def _in_the_answer(self) -> Iterator[str]:
        """Yield the secrets that the answer may repeat, as they are and as they are spelled in JSON in a string."""
        with_marks = (escaped(value) for value in self._redactor.scanner.spellings if PLACEHOLDER_START in value)
        for secret in (*self._numbers, self._credential, *self._sent.values(), *with_marks):
            if secret:
                yield from {secret, in_a_string(secret), escaped(secret), escaped(in_a_string(secret))}

    def _placeholder_of(self, secret: str) -> str:
        """Return the placeholder of a secret in the answer."""
        secret = unescaped(secret)
        for known, number in (*self._numbers.items(), (self._credential, 0)):
            if secret in (known, in_a_string(known)):
                self._needs_restoring = True
                return f"__REDACTED_{number}{'' if secret == known else 'J'}__"
        return PLACEHOLDER


def _beside_items(answer: Answer) -> JsonValue:
    """Return what a recording holds of an answer besides its chunks or models, and besides its HTTP response."""
    match answer:
        case Value():
            return answer.body
        case Streamed():
            return None if answer.failure is None else failure_to_json(answer.failure)
        case ModelList():
            return answer.page
        case Failed():
            return failure_to_json(answer.failure)
        case _:
            assert_never(answer)


def _searched(lines: Sequence[bytes]) -> str:
    """Return a text in which a `Redactor` finds what it would find in the canonical text of these lines."""
    in_one = b"\n".join(lines)
    # In ASCII the two differ in white space alone, which no shape asks for, and in how DEL is written.
    if in_one.isascii() and b"\x7f" not in in_one:
        return in_one.decode()
    return canonical_text({"lines": [json_bytes.loads(one) for one in lines]})


def _without_vectors(value: JsonValue, name: str = "") -> JsonValue:
    """Return a JSON value without vectors, which have thousands of numbers and no secrets."""
    if isinstance(value, dict):
        return {name: _without_vectors(item, name) for name, item in value.items()}
    if isinstance(value, list):
        is_vector = name in _VECTORS and _NUMBERS.issuperset(map(type, value))
        return [] if is_vector else [_without_vectors(item, name) for item in value]
    return value


def _without_secret_bytes(answer: Value, known: Redactor) -> Value:
    """Return an answer that is bytes without the secrets in them.

    Bytes that are a text become one if they hold secrets, still with them, so that they can be given back; in an
    attachment they lose them, and in other bytes they become asterisks.
    """
    body = answer.body
    if not isinstance(body, dict) or body.get("__type__") not in (BASE64, ATTACHED):
        return answer
    data = body["__data__"]
    if not isinstance(data, str):
        return answer
    try:
        content = answer.attachment if answer.attachment is not None else base64.b64decode(data)
    except ValueError:
        return answer
    try:
        text = content.decode()
        redacted = known.replaced(text, lambda secret: PLACEHOLDER).encode()
        is_text = True
    except UnicodeDecodeError:
        text = content.decode("latin-1")
        redacted = known.replaced(text, lambda secret: "*" * len(secret)).encode("latin-1")
        is_text = False
    if redacted == content:
        return answer
    if answer.attachment is not None:
        return replace(answer, body={**body, "__data__": digest_of(redacted)}, attachment=redacted)
    return replace(
        answer, body=typed(TEXT, text) if is_text else {**body, "__data__": base64.b64encode(redacted).decode()}
    )
