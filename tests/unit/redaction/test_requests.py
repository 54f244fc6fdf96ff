"""A request as its key sees it: what a short look says is what a long one gives."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inference_recorder.redaction.placeholders import NUMBERED, PLACEHOLDER, as_keyed
from inference_recorder.redaction.requests import RequestRules, recorded_request, without_numbers
from inference_recorder.redaction.scanner import SHORTEST_VALUE
from inference_recorder.request.credentials import Credential
from inference_recorder.request.jsonable import canonical_text
from inference_recorder.request.keys import request_key
from inference_recorder.request.request import Request

from ...support.secret_table import SECRETS

VALUE = 'pa"ss\\word-Ü-of-some-length'
CREDENTIALS = ["", "short", "a-key-of-some-length", "a+key/of+some/length==", 'a"key"of"some"length']
_SECRETS = [VALUE, *CREDENTIALS, *(secret.text.format(secret.one) for secret in SECRETS[::5])]
_TEXTS = st.lists(
    st.sampled_from([*_SECRETS, "__REDACTED_3__", "__REDACTED_3J__", "__REDACTED__"]) | st.text(max_size=6), max_size=3
).map(" ".join)
_BODIES = st.dictionaries(st.text(max_size=5), _TEXTS | st.lists(_TEXTS, max_size=2), max_size=3)
_URLS = st.sampled_from(
    ["https://host", f"https://{SECRETS[0].one}", f"https://host?k={CREDENTIALS[3]}", "https://__REDACTED_1__"]
)


def asked(body: Any, url: str, endpoint: str, credential: str) -> Request:
    return Request("POST", endpoint, url + endpoint, body, canonical_text(body), Credential(credential))


_ASKED = st.builds(
    asked,
    _BODIES,
    _URLS,
    st.sampled_from(["/v1/chat/completions", f"/v1/files/{SECRETS[0].one}", f"/v1/files/{CREDENTIALS[2]}"]),
    st.sampled_from(CREDENTIALS),
)


def hidden(rules: RequestRules, value: Any, credential: Any, substitute: Any = as_keyed) -> Any:
    """Return a value without secrets, each part of it looked through by a redactor that knows the client's key."""
    redactor = rules.redactor.knowing([credential.text] if len(credential.text) >= SHORTEST_VALUE else [])
    return redactor.replaced(value, substitute)


@given(requests=st.lists(_ASKED, min_size=1, max_size=3))
@example([asked({"input": CREDENTIALS[4]}, "https://host", "/v1/x", CREDENTIALS[4])])
@example([asked({"input": quote(CREDENTIALS[3], safe="")}, "https://host", "/v1/x", CREDENTIALS[3])])
@example([asked({"input": "score: 0.123456"}, "https://host", "/v1/x", "")])
@example([asked({"input": "x", "stream_options": {}}, "https://bedrock.host", "/v1/x", "")])
def test_a_request_taken_as_it_is_holds_no_secret(requests: list[Request]) -> None:
    """Whatever was asked before: what was clean then is remembered."""
    with patch.dict(os.environ, {"DB_PASSWORD": VALUE}):
        rules = RequestRules()
    for request in requests:
        body, endpoint, url = (
            hidden(rules, part, request.credential) for part in (request.body, request.endpoint, request.url)
        )
        expected = request._replace(body=body, body_text=canonical_text(body), endpoint=endpoint, url=url)

        assert expected == rules.asked(request)
        assert (expected, request_key(expected, "t")) == rules.keyed(request, "t")


@given(asked_by=st.lists(st.tuples(_TEXTS, st.sampled_from(CREDENTIALS)), min_size=1, max_size=3))
@example([(VALUE, "")])
@example([(quote(CREDENTIALS[3], safe=""), CREDENTIALS[3])])
@example([(CREDENTIALS[2], ""), (CREDENTIALS[2], CREDENTIALS[2])])
def test_a_test_id_taken_as_it_is_holds_no_secret(asked_by: list[tuple[str, str]]) -> None:
    """A parameter of a test may be a secret, however it is spelled."""
    with patch.dict(os.environ, {"DB_PASSWORD": VALUE}):
        rules = RequestRules()
    for test_id, credential in [*asked_by, asked_by[0]]:
        known = Credential(credential)
        assert hidden(rules, test_id, known, lambda secret: PLACEHOLDER) == rules.scope(test_id, known)


@given(request=_ASKED)
def test_a_recorded_request_without_numbers_is_taken_as_it_is(request: Request) -> None:
    """Those of thousands of files are looked through for what came nearest."""
    text, endpoint, url = (
        NUMBERED.sub(PLACEHOLDER, part) for part in (request.body_text, request.endpoint, request.url)
    )
    actual = without_numbers(request)

    assert (text, endpoint, url) == (actual.body_text, actual.endpoint, actual.url)
    assert text == canonical_text(actual.body)


def test_no_thread_misses_what_is_put_into_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one read it again, the others took the old secrets for all; and what they found clean stayed so."""
    before, threads = sys.getswitchinterval(), 4
    start = Barrier(threads)

    def asked_and_scope(rules: RequestRules) -> list[str | None]:
        start.wait()
        rules.refresh()
        request = asked({"input": f"it is {VALUE}"}, "https://host", "/v1/x", "")
        return [rules.keyed(request, None)[0].body_text, rules.scope(f"test[{VALUE}]")]

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(threads) as pool:
            for _ in range(40):
                monkeypatch.delenv("DB_PASSWORD", raising=False)
                rules = RequestRules()
                monkeypatch.setenv("DB_PASSWORD", VALUE)
                for actual in pool.map(asked_and_scope, [rules] * threads):
                    assert [f'{{"input": "it is {PLACEHOLDER}"}}', f"test[{PLACEHOLDER}]"] == actual
    finally:
        sys.setswitchinterval(before)


@pytest.mark.parametrize("declared", [7, [7], ["no such"], "dates", {"dates": 1}])
def test_a_recording_with_invalid_normalizers_holds_no_request(declared: Any) -> None:
    """A stranger's file must not break the reading of the others."""
    recorded = {"method": "POST", "endpoint": "/v1/x", "url": "https://host/v1/x", "body": {}, "normalize": declared}

    with pytest.raises(ValueError, match="not a list of normalizers"):
        recorded_request(recorded)


@pytest.mark.parametrize("length", [SHORTEST_VALUE - 1, SHORTEST_VALUE])
def test_a_clients_key_is_a_secret_from_the_shortest_length_on(length: int) -> None:
    """A shorter one may be a word of the prompt."""
    key = "amsterdam-of-the-north"[:length]
    request = asked({"input": f"Say {key}!"}, "https://host", "/v1/x", key)

    text = key if length < SHORTEST_VALUE else PLACEHOLDER
    assert {"input": f"Say {text}!"} == RequestRules().keyed(request, None)[0].body
