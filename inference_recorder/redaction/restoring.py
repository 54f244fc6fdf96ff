"""A recording that is being replayed: the present request's secrets replace its placeholders (see `recordings`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ..json_tree import JsonValue, map_texts_and_names, member
from ..recording import json_bytes
from ..recording.answer import Failure
from ..recording.failures import failure_from_json, failure_to_json
from ..recording.layout import IS_REDACTED_MEMBER, LARGE_INTEGERS_MEMBER
from ..request.credentials import Credential
from . import numbers
from .placeholders import ESCAPED_OR_PLACEHOLDER, NUMBERED, NUMBERS, PLACEHOLDER, PLACEHOLDER_START, in_a_string


def given_back(content: bytes, secrets: Sequence[str]) -> bytes:
    """Return a recording with the secrets of the request that asks now in place of those that it was recorded with.

    `secrets` are those of the request's body and then of its endpoint, each as often as it occurs, in the order in
    which a `Redactor` finds them. A number that the recording's own request does not hold is left as it is. What only
    looks like a placeholder is unescaped.
    """
    present = _by_number(content, secrets)
    content, has_numbers = numbers.numbers_restored(content, present.get)
    if has_numbers and LARGE_INTEGERS_MEMBER not in content:  # which may be large
        content = content.replace(
            IS_REDACTED_MEMBER, b"".join((LARGE_INTEGERS_MEMBER, b" true,", IS_REDACTED_MEMBER)), 1
        )

    def shown(match: re.Match[bytes]) -> bytes:
        text = _restored(bool(match[1]), (match[2] or b"").decode(), match[3] == b"J", present)
        return match[0] if text is None else json_bytes.dumps(text)[1:-1]

    return re.sub(ESCAPED_OR_PLACEHOLDER.pattern.encode(), shown, content)


def restored_failure(
    failure: Failure, content: bytes, secrets: Sequence[str], credential: Credential | None
) -> Failure:
    """Return a failure, as it is in a recording, as `given_back` does, and with the client's present API key.

    In a failure alone: a recording from a stranger's pull request could otherwise put the key into a tool call.
    """
    present = _by_number(content, secrets)

    def shown(match: re.Match[str]) -> str:
        own = {"0": credential.text} if credential is not None and credential.text else {}
        text = _restored(bool(match[1]), match[2] or "", match[3] == "J", present | own)
        return match[0] if text is None else text

    members = failure_to_json(failure).items()
    return failure_from_json(
        {
            name: map_texts_and_names(value, lambda text: ESCAPED_OR_PLACEHOLDER.sub(shown, text))
            for name, value in members
        }
    )


def _by_number(content: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the secrets of the request that asks now by their numbers in a recording."""
    try:
        request = member(json_bytes.loads(content), "request")
        if not isinstance(request, dict) or "body" not in request:
            return {}
        texts = [*_texts(request["body"]), *_texts(request.get("endpoint"))]
    except (ValueError, RecursionError):
        return {}  # the codec says what is wrong with it
    numbers = [number for text in texts for number in NUMBERS.findall(text)]  # of a literal "", as it has no number
    present = dict(reversed(list(zip(numbers, secrets, strict=False))))
    return {number: secret for number, secret in present.items() if number not in ("", "0")}


def _restored(is_escape: bool, number: str, is_in_a_string: bool, present: Mapping[str, str]) -> str | None:
    """Return what replaces an escape or a placeholder on replay; None if it stays."""
    if is_escape:
        return PLACEHOLDER_START
    secret = present.get(number)
    return in_a_string(secret) if secret is not None and is_in_a_string else secret


def _texts(value: JsonValue) -> Iterator[str]:
    """Yield the texts of a JSON value in the order of `Redactor.replaced`, by which secrets have their numbers."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name in sorted(value, key=_order_of):
            yield name
            yield from _texts(value[name])
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def _order_of(name: str) -> tuple[str, list[tuple[int, str]]]:
    """Return what sorts a redacted name to where `Redactor.replaced` had it when its secrets were in it."""
    return NUMBERED.sub(PLACEHOLDER, name), [(len(number), number) for number, _ in NUMBERED.findall(name)]
